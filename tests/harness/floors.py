#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Hold the sources against the floors that Documentation/code-map.md draws.

Prints what is wrong, a line for each, and nothing if all is well:
  upwards     a file imports from a higher floor, or from src/interface below that
  circle      files of a folder import each other in a circle
  undrawn     a file of src/bond stands on no floor, or a floor names a file that is not there
  mode        src/bond or src/policy match a mode with a wildcard, or compare modes outside the row, the options' table
              and src/bond/modes
  bonding     src/net names bonding outside its one folder for it
"""

import os
import re
import sys

USE = re.compile(r"\buse\s+([^;]+);")
PATH = re.compile(r"\b((?:super|crate|self)(?:::[A-Za-z_]\w*)+)")


def code_of(path):
    """The file without comments and string literals: paths in them are no imports."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    text = re.sub(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', " ", text, flags=re.S)
    return re.sub(r"\bpub\((?:in [^)]*|\w+)\)", "pub", text)


def expand(tree):
    """The paths of a use tree: "a::{b, c::{d, e}}" has a::b, a::c::d and a::c::e."""
    tree = tree.strip()
    if "{" not in tree:
        return [re.sub(r"\s+as\s+\w+$", "", tree).strip()]
    head, rest = tree.split("{", 1)
    rest = rest[: rest.rindex("}")]
    parts, depth, part = [], 0, ""
    for char in rest:
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += char
    return [head.strip() + path for item in parts + [part] if item.strip() for path in expand(item)]


class Crate:
    """The files of a crate by their module paths, and what each of them imports."""

    def __init__(self, root, folders, main=()):
        self.root = root
        self.files = {}
        for folder in folders:
            for where, _, names in os.walk(os.path.join(root, folder)):
                for name in names:
                    if name.endswith(".rs") and name != "bindings_generated.rs":
                        path = os.path.join(where, name)
                        module = os.path.relpath(path, root)[: -len(".rs")].split(os.sep)
                        module = module[:-1] if module[-1] == "mod" else module
                        self.files[tuple(module)] = path
        for path in main:
            self.files[()] = os.path.join(root, path)
        self.imports = {module: self.imports_of(module) for module in self.files}

    def resolve(self, module, path):
        """The module whose file a path leads to, as seen from another module."""
        at = list(module)
        steps = path.split("::")
        if steps[0] == "crate":
            at, steps = [], steps[1:]
        while steps and steps[0] in ("super", "self"):
            at = at[:-1] if steps[0] == "super" else at
            steps = steps[1:]
        for step in steps:
            if tuple(at + [step]) not in self.files:
                break
            at.append(step)
        return tuple(at) if tuple(at) in self.files else None

    def imports_of(self, module):
        code = code_of(self.files[module])
        children = set(re.findall(r"\bmod\s+(\w+)\s*;", code))
        paths = [path for tree in USE.findall(code) for path in expand(tree)]
        paths += PATH.findall(USE.sub(" ", code))
        paths += [f"self::{path}" for path in re.findall(r"(?<![\w:])(\w+)::", code) if path in children]
        found = set()
        for path in paths:
            if path.split("::")[0] in children:
                path = f"self::{path}"
            if path.split("::")[0] in ("super", "crate", "self"):
                found.add(self.resolve(module, path))
        return found - {module, None}

    def circles(self, folder):
        """Groups of files in a folder that all lead to each other (Tarjan)."""
        inside = [module for module in self.files if module[: len(folder)] == folder]
        index, low, stack, groups = {}, {}, [], []

        def visit(at):
            index[at] = low[at] = len(index)
            stack.append(at)
            for to in self.imports[at]:
                if to not in inside:
                    continue
                if to not in index:
                    visit(to)
                    low[at] = min(low[at], low[to])
                elif to in stack:
                    low[at] = min(low[at], index[to])
            if low[at] == index[at]:
                group = []
                while True:
                    group.append(stack.pop())
                    if group[-1] == at:
                        break
                if len(group) > 1:
                    groups.append(sorted(group))

        for module in inside:
            if module not in index:
                visit(module)
        return groups


def name(module):
    return "/".join(module) or "the root"


def floors_of(project):
    """The floor of each file of src/bond, as the map draws it: lines like "5  work events" in a
    block."""
    with open(os.path.join(project, "Documentation/code-map.md"), encoding="utf-8") as file:
        block = re.search(r"```floors src/bond\n(.*?)```", file.read(), re.S)
    floors = {}
    for line in (block.group(1) if block else "").splitlines():
        number, *names = line.split()
        floors.update({file: int(number) for file in names})
    return floors


def check_floors(project, driver):
    floors = floors_of(project)
    bond = {module: module[1] for module in driver.files if module[:1] == ("bond",) and len(module) > 1}
    for module, file in sorted(bond.items()):
        if file not in floors:
            print(f"undrawn: {name(module)} stands on no floor of Documentation/code-map.md")
        for to in sorted(driver.imports[module]):
            if to[:1] == ("interface",) or to == ("bond",):
                print(f"upwards: {name(module)} imports {name(to)}")
            elif to in bond and floors.get(bond[to], 0) > floors.get(file, 0):
                print(f"upwards: {name(module)} (floor {floors.get(file)}) imports {name(to)} (floor {floors.get(bond[to])})")
    for file in sorted(set(floors) - set(bond.values())):
        print(f"undrawn: Documentation/code-map.md has {file} on a floor, and there is no such file")


def check_circles(crate, folder):
    for group in crate.circles(folder):
        print(f"circle: {' '.join(name(module) for module in group)}")


def check_modes(crate, allowed):
    """A match of a mode must have an arm for each mode; other code must ask the mode's row."""
    for module, path in sorted(crate.files.items()):
        code = code_of(path)
        if module[:1] == ("interface",) or not module:
            continue
        for match in re.finditer(r"\bmatch\b[^{;]*\{", code):
            depth, end = 1, match.end()
            while depth and end < len(code):
                depth += {"{": 1, "}": -1}.get(code[end], 0)
                end += 1
            body = code[match.end():end]
            arms = re.findall(r"(?:^|[,}])\s*([^,{}=]+?)\s*(?:if [^=]*)?=>", body)
            names_mode = any(re.match(r"(?:\| *)?Mode::[A-Z]", arm) for arm in arms)
            if names_mode and any(re.fullmatch(r"_|[a-z]\w*", arm) for arm in arms):
                print(f"mode: {path}: a match of a mode has a wildcard")
        if module not in allowed and module[:2] != ("bond", "modes"):
            for found in re.findall(r"\bMode::[A-Z][A-Za-z0-9]*[a-z]\w*", code):
                print(f"mode: {path}: asks for {found}; ask for a column of its row")


def check_bonding(folder):
    # The crate root lists the folder, and bindgen reads the folder's headers.
    allowed = {"net.rs", "bindings.h", "bindgen_allowlist"}
    for name_ in sorted(os.listdir(folder)) + [f"master/{name_}" for name_ in sorted(os.listdir(f"{folder}/master"))]:
        path = os.path.join(folder, name_)
        if os.path.isfile(path) and name_ not in allowed and name_ != "bindings_generated.rs":
            with open(path, encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    if re.search(r"bond", line, re.I):
                        print(f"bonding: {path}:{number}: {line.strip()}")


def main():
    project = sys.argv[1] if len(sys.argv) > 1 else "."
    source = os.path.join(project, "src")
    driver = Crate(source, ["bond", "interface"], ["bonding_main.rs"])
    net = Crate(os.path.join(source, "net"), ["."])
    net.files = {tuple(step for step in module if step != "."): path for module, path in net.files.items()}
    net.imports = {module: net.imports_of(module) for module in net.files}
    policy = Crate(os.path.join(source, "policy"), ["."])
    policy.files = {tuple(step for step in module if step != "."): path for module, path in policy.files.items()}
    policy.imports = {module: policy.imports_of(module) for module in policy.files}
    check_floors(project, driver)
    check_circles(driver, ("bond",))
    check_circles(net, ())
    check_modes(driver, [])
    check_modes(policy, [("mode",), ("options", "mod")])
    check_bonding(os.path.join(source, "net"))


if __name__ == "__main__":
    main()
