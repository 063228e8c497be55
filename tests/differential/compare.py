# SPDX-License-Identifier: GPL-2.0
"""Compare what two guests printed for the same script, line by line; some differences are
wanted."""

import difflib
import itertools
import json
import re


class Rule:
    """A wanted difference: for which operations, which lines, and why."""

    def __init__(self, name, fields, where):
        self.name = name
        self.why = " ".join(fields.pop("why", "").split())
        self.operation = re.compile(" ".join(fields.pop("operation", "").split()))
        self.said = re.compile(fields.pop("said", ""))
        self.scene = fields.pop("scene", "")
        self.stop = fields.pop("then", "") == "stop"
        self.lines = [line.strip() for line in fields.pop("difference", "").splitlines() if line.strip()]
        if fields or not self.why or not self.lines or any(line[0] not in "-+" for line in self.lines):
            raise SystemExit(f"{where}: [{name}] wants \"why\" and \"difference\", whose lines begin with - or +, and "
                             "may have \"scene\", \"operation\", \"said\" and \"then = stop\"; nothing else.")
        # A later line can refer to the groups of an earlier one.
        self.pattern = re.compile("\n".join(re.escape(line[0]) + line[1:] for line in self.lines))
        self.used = 0

    def find(self, lines):
        """The places of the lines that the rule explains together, or None."""
        candidates = [[place for place, line in enumerate(lines) if line[0] == wanted[0]] for wanted in self.lines]
        if len(candidates) > 1:
            # Do the cheap part first: a line with a back-reference can only be matched together
            # with the others.
            candidates = [[place for place in places if "\\" in wanted[1:] and re.search(r"\\\d", wanted) or
                           re.fullmatch(re.escape(wanted[0]) + wanted[1:], lines[place])]
                          for wanted, places in zip(self.lines, candidates)]
        for places in itertools.product(*candidates):
            if len(set(places)) == len(places) and \
                    self.pattern.fullmatch("\n".join(lines[place] for place in places)):
                return places
        return None


def read_rules(path):
    """Read entries: [name], then "key = value", continued by lines that begin with a blank."""
    rules = []
    name = key = None
    fields = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate([*file, "[]"], 1):
            where = f"{path}:{number}"
            if line.startswith("["):
                if name:
                    rules.append(Rule(name, fields, where))
                name, key, fields = line.strip().strip("[]"), None, {}
            elif line.startswith("#") or not line.strip():
                continue
            elif line[0] in " \t" and key:
                fields[key] += "\n" + line.strip()
            elif "=" in line and name:
                key, _, value = line.partition("=")
                key = key.strip()
                fields[key] = value.strip()
            else:
                raise SystemExit(f"{where}: \"{line.strip()}\" is neither [name] nor key = value.")
    return rules


def parse(text):
    """From the place of an operation in the script to the lines that it printed; and whether the
    output is complete."""
    said, lines = {}, None
    for line in text.splitlines():
        if line == "@ end":
            return said, True
        if re.fullmatch(r"@ \d+", line):
            lines = said.setdefault(int(line[2:]), [])
        elif lines is not None:
            lines.append(line)
    return said, False


def differing(intree, ours):
    """The lines that only one side has, with their signs."""
    matcher = difflib.SequenceMatcher(None, intree, ours, autojunk=False)
    found = []
    for tag, i, j, m, n in matcher.get_opcodes():
        if tag != "equal":
            found += ["-" + line for line in intree[i:j]] + ["+" + line for line in ours[m:n]]
    return found


class Difference:
    """A difference that no rule explains."""

    def __init__(self, episode, place, lines, intree, ours):
        self.episode = episode
        self.place = place
        self.lines = lines
        self.intree = intree
        self.ours = ours


class Comparison:
    """Compares episodes, and counts operations and differences."""

    def __init__(self, rules):
        self.rules = rules
        self.compared = self.left_out = self.wanted = 0

    def explain(self, scene, operation, intree, lines):
        """The differing lines that no rule explains, and whether the states differ from here on."""
        text = json.dumps(operation)
        stop = False
        for rule in self.rules:
            if rule.scene not in ("", scene) or not rule.operation.search(text) or \
                    not any(map(rule.said.search, intree)):
                continue
            while lines:
                places = rule.find(lines)
                if places is None:
                    break
                rule.used += 1
                self.wanted += 1
                stop |= rule.stop
                lines = [line for place, line in enumerate(lines) if place not in places]
                if rule.stop:
                    return [], True
        return lines, stop

    def episode(self, number, script, first, intree, ours):
        """The first unexplained difference of an episode, or None; first is the place where its
        operations begin."""
        for place, operation in enumerate(script):
            one, other = intree.get(first + place), ours.get(first + place)
            if one is None or other is None:
                return Difference(number, place, ["-" if one is None else "+" "nothing: the guest did not get here"],
                                  one or [], other or [])
            self.compared += 1
            if one != other:
                left, stop = self.explain(script[0][1], operation, one, differing(one, other))
                if left:
                    return Difference(number, place, left, one, other)
                if stop:
                    self.left_out += len(script) - place - 1
                    return None
        return None
