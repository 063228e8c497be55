# SPDX-License-Identifier: GPL-2.0
"""The rows of the benchmark: what the guests printed, ratios, and targets."""

import collections
import fnmatch

MODULES = ("intree", "ours")

# A row with each driver's figure; "floor" is the least possible cost, above the plain device.
Row = collections.namedtuple("Row", ["name", "unit", "floor", "intree", "ours", "ratio", "target", "met"])
Target = collections.namedtuple("Target", ["pattern", "kind", "limit"])


def parse(text):
    """Parse lines "figure ROW WHAT VALUE [UNIT]" into a map from row to a map from what to (value,
    unit)."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) in (4, 5) and words[0] == "figure":
            found.setdefault(words[1], {})[words[2]] = (float(words[3]), words[4] if len(words) == 5 else "")
    return found


def read_targets(path):
    targets = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            if len(words) == 2 and words[1] == "none":
                targets.append(Target(words[0], "none", 0.0))
            elif len(words) == 3 and words[1] in ("ratio", "most"):
                targets.append(Target(words[0], words[1], float(words[2])))
            else:
                raise SystemExit(f"{path}:{number}: not \"PATTERN ratio|most LIMIT\" or \"PATTERN none\": {line.strip()}")
    return targets


def value(row):
    """A driver's own figure: for a packet, its cost above the floor."""
    if "value" not in row:
        return None, ""
    number, unit = row["value"]
    if "floor" in row:
        return number - row["floor"][0], unit or "instructions"
    return number, unit


def met(target, ours, ratio):
    """Whether the target is reached; None if there is no target, or no figure to compare."""
    if target is None or target.kind == "none" or ours is None:
        return None
    if target.kind == "most":
        return ours <= target.limit
    return None if ratio is None else ratio <= target.limit


def rows(said, targets):
    """said maps a module to what parse() returned."""
    names = list(dict.fromkeys(name for module in MODULES for name in said.get(module, {})))
    result = []
    for name in names:
        found = {module: said.get(module, {}).get(name, {}) for module in MODULES}
        (intree, unit), (ours, our_unit) = (value(found[module]) for module in MODULES)
        # The measured value may be below the noise.
        ratio = ours / intree if ours is not None and intree is not None and intree > 0 else None
        floor = next((found[m]["floor"][0] - found[m]["plain"][0] for m in MODULES if "plain" in found[m]), None)
        target = next((t for t in targets if fnmatch.fnmatchcase(name, t.pattern)), None)
        result.append(Row(name, unit or our_unit, floor, intree, ours, ratio, target, met(target, ours, ratio)))
    return result


def number(figure):
    if figure is None:
        return "-"
    if abs(figure) >= 1e6:
        return f"{figure / 1e6:.1f} M"
    return f"{figure:.0f}" if abs(figure) >= 100 or figure == int(figure) else f"{figure:.1f}"


def table(found):
    """The table as lines; a row beyond its target ends with that target."""
    head = ["figure", "unit", "floor", "in-tree", "ours", "ratio", ""]
    lines = [head]
    for row in found:
        verdict = ""
        if row.met is False:
            verdict = f"target: {'ratio ' if row.target.kind == 'ratio' else ''}at most {row.target.limit:g}"
        lines.append([row.name, row.unit, number(row.floor) if row.floor is not None else "", number(row.intree),
                      number(row.ours), f"{row.ratio:.2f}" if row.ratio is not None else "-", verdict])
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return ["  ".join(cell.rjust(width) if 2 <= column <= 5 else cell.ljust(width)
                      for column, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines]
