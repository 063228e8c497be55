# SPDX-License-Identifier: GPL-2.0
"""Host suites: what can be said about the sources, the modules and the decisions without a guest."""

import glob
import os
import re
import subprocess
import time

from .ktap import Reader

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


class Suite:
    """What a suite is, unless it says otherwise."""

    # It uses all processors, or what others use: it runs before those that run together.
    exclusive = True
    # Not together with others, because it measures time.
    alone = False
    reference = False
    needs_build = False
    # Of the guests that it starts.
    kernel = "distro"
    # A guess, in seconds of real time: those that take longest begin first.
    timeout = 300

    @property
    def base(self):
        """The name without the kernel's."""
        return self.name.partition("@")[0]


class Check(Suite):
    """A command that passes when it exits with 0."""

    def __init__(self, name, command, needs_build=False):
        self.name = name
        self.command = command
        self.needs_build = needs_build

    def run(self, report, _cases):
        report.begin(self.name)
        start = time.monotonic()
        result = subprocess.run(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        seconds = time.monotonic() - start
        if result.returncode == 0:
            report.ok(self.name, "", seconds)
        else:
            report.fail(self.name, "", seconds, result.stdout.splitlines()[-80:], f"exit status {result.returncode}")
        return result.returncode == 0


class Build(Check):
    """The build shows its own progress: the first one makes the whole environment, and the kernel."""

    def __init__(self, kernel):
        super().__init__(of_kernel("build", kernel), ["scripts/build", "--kernel", kernel])
        self.kernel = kernel

    def run(self, report, _cases):
        report.begin(self.name)
        start = time.monotonic()
        status = subprocess.run(self.command, stdin=subprocess.DEVNULL, check=False).returncode
        if status == 0:
            report.ok(self.name, "", time.monotonic() - start)
        else:
            report.fail(self.name, "", time.monotonic() - start, [], f"exit status {status}")
        return status == 0


class Cargo(Suite):
    """Tests that cargo runs; each one counts."""

    def __init__(self, name, command):
        self.name = name
        self.command = command

    def run(self, report, cases):
        report.begin(self.name)
        start = time.monotonic()
        command = self.command + (["--", "--exact", *cases] if cases else [])
        counted = failed = 0
        output = []
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace") as cargo:
            for line in cargo.stdout:
                output.append(line.rstrip())
                match = re.match(r"^test (\S+)(?: - [^.]*)? \.\.\. (ok|FAILED|ignored)", line)
                if not match:
                    continue
                counted += 1
                if match[2] == "ok":
                    report.ok(self.name, match[1], time.monotonic() - start)
                elif match[2] == "ignored":
                    report.skip(self.name, match[1], "ignored by its author")
                else:
                    failed += 1
        for number, case in enumerate(failures(output)):
            report.fail(self.name, case[0], time.monotonic() - start, case[1])
            failed -= 1
        if failed > 0 or (cargo.returncode and not failures(output)):
            report.fail(self.name, "", time.monotonic() - start, output[-80:], f"cargo exited with {cargo.returncode}")
        elif not counted:
            report.fail(self.name, cases[0] if cases else "", time.monotonic() - start, output[-20:], "no test ran")
        return cargo.returncode == 0


def failures(output):
    """The failed tests in cargo's output, each with what it printed."""
    found = {}
    current = None
    for line in output:
        match = re.match(r"^---- (\S+) stdout ----$", line)
        if match:
            current = found.setdefault(match[1], [])
        elif line == "failures:" or line.startswith("test result:"):
            current = None
        elif current is not None and line:
            current.append(line)
    return list(found.items())


class Harness(Suite):
    """tests/harness/NAME.sh: tests of the environment, the guest and this runner, in KTAP."""

    exclusive = False

    def __init__(self, path, needs_build, kernel):
        self.name = of_kernel("harness-" + os.path.basename(path)[:-len(".sh")], kernel)
        self.path = path
        self.needs_build = needs_build
        self.kernel = kernel

    def run(self, report, cases):
        report.begin(self.name)
        reader = Reader(self.name, report)
        # Not KERNEL, which the Makefile takes for what to build.
        with subprocess.Popen(["bash", self.path, *cases], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              env={**os.environ, "GUESTS_RUN": self.kernel}) as program:
            for line in program.stdout:
                reader.line(line.rstrip("\n"))
        return reader.end(program.returncode, {})


class Differential(Suite):
    """tests/differential: generated operations with both modules, in two guests. Knows SEED and OPS."""

    needs_build = True

    def __init__(self, kernel, jobs):
        self.name = of_kernel("differential", kernel)
        self.kernel = kernel
        self.command = ["tests/differential/run", "--kernel", kernel, "--jobs", str(jobs)]

    def run(self, report, cases):
        report.begin(self.name)
        reader = Reader(self.name, report)
        with subprocess.Popen([*self.command, *cases], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace") as program:
            for line in program.stdout:
                reader.line(line.rstrip("\n"))
        report.note("\n".join(f"      {line}" for line in reader.output))
        return reader.end(program.returncode, {})


class Bench(Suite):
    """tests/bench: the bounded part of the benchmark; a figure beyond its target fails."""

    name = "bench"
    needs_build = True

    def __init__(self, jobs):
        self.command = ["tests/bench/run", "--test", "--jobs", str(jobs)]

    def run(self, report, cases):
        report.begin(self.name)
        reader = Reader(self.name, report)
        with subprocess.Popen([*self.command, *cases], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              text=True, errors="replace") as program:
            for line in program.stdout:
                reader.line(line.rstrip("\n"))
        return reader.end(program.returncode, {})


def of_kernel(name, kernel):
    return name if kernel == "distro" else f"{name}@{kernel}"


def harness():
    """What tests the tools, with the kernels that the head of a file names."""
    found = []
    for path in sorted(glob.glob(os.path.join(PROJECT, "tests", "harness", "*.sh"))):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        kernels = re.search(r"^# kernels: (.+)$", text, re.MULTILINE)
        for kernel in kernels[1].split() if kernels else ["distro"]:
            found.append(Harness(path, "# needs the module" in text, kernel))
    return found


def suites(jobs):
    return [
        Build("distro"), Build("debug"), Build("kcsan"),
        # A kernel with Rust's debug assertions wants panics; this one must not.
        Check("symbols", ["scripts/check-symbols", "--kernel", "distro"], needs_build=True),
        Check("unsafe", ["scripts/check-unsafe"]),
        Check("fmt", ["scripts/fmt", "--check"]),
        Check("clippy", ["scripts/cargo", "clippy", "--locked", "--all-targets", "--", "-D", "warnings"]),
        Check("clippy-kernel", ["scripts/build", "--kernel", "distro", "CLIPPY=1"], needs_build=True),
        Check("sparse", ["scripts/build", "--kernel", "distro", "C=2"], needs_build=True),
        Cargo("policy", ["scripts/cargo", "test", "--locked", "--no-fail-fast", "--package", "bonding"]),
        Cargo("fabric", ["scripts/cargo", "test", "--locked", "--no-fail-fast", "--package", "vib-fabric"]),
        *harness(),
        Differential("distro", jobs), Differential("debug", jobs),
        Bench(jobs),
    ]
