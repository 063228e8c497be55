# SPDX-License-Identifier: GPL-2.0
"""Host suites: what can be tested about the sources, the modules and the decisions without a
guest."""

import glob
import os
import re
import subprocess
import time

from .ktap import Reader

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def reap(process):
    """Wait for a process to end; return the seconds of CPU time that it and its waited-for children
    used."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime


# In the order in which their suites run.
KERNELS = ("distro", "uml", "debug", "kcsan")


class Suite:
    """The properties of a suite, unless it says otherwise."""

    # Where its time went, by the names in report.COLUMNS.
    times = {}

    # What only one suite at a time can use.
    uses = None
    # It must run alone, because it measures time.
    alone = False
    reference = False
    needs_build = False
    # It needs no kernel, so it need not wait for the build, and "make check" runs it, too.
    of_sources = False
    # But it needs the Debian tree, which the first build makes and shows how.
    needs_tree = False
    # The kernel of the guests that it starts.
    kernel = "distro"
    # It was asked for in addition to the others, if there is time.
    is_extra = False
    # It takes a few seconds: it starts before the others.
    is_quick = False
    # A guess, in seconds of real time: the longest suites start first.
    timeout = 300
    # How many guests it may have at once, if it can have more than one.
    jobs = 1
    # The number of parts in which the whole suite runs.
    parts = 1

    @property
    def base(self):
        """The name without the kernel."""
        return self.name.partition("@")[0]

    @property
    def order(self):
        """The key by which suites are sorted."""
        return not self.is_quick, not self.of_sources, -self.timeout


class Check(Suite):
    """A command that passes if it exits with 0."""

    def __init__(self, name, command, needs_build=False, needs_tree=False, is_quick=False, uses=None):
        self.name = name
        self.command = command
        self.needs_tree = needs_tree
        self.needs_build = needs_build
        self.of_sources = not needs_build
        self.is_quick = is_quick
        self.uses = uses

    def run(self, report, _cases):
        report.begin(self.name)
        start = time.monotonic()
        with subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace") as program:
            output = program.stdout.read()
            self.times = {"cpu": reap(program)}
        seconds = time.monotonic() - start
        if program.returncode == 0:
            report.ok(self.name, "", seconds)
        else:
            report.fail(self.name, "", seconds, output.splitlines()[-80:], f"exit status {program.returncode}")
        return program.returncode == 0


# The folder of what cargo makes: it lets no two of itself in.
CARGO_TARGET = "target"
# The command ib-bond as guests run it: tests/guest/ib_bond_command.sh knows this folder.
IB_BOND = ["scripts/cargo", "build", "--quiet", "--locked", "--bin", "ib-bond", "--target-dir", "target/ib-bond"]


class Build(Check):
    """The build shows its own progress: the first one also makes the whole environment, and the
    kernel. Then the command ib-bond is built."""

    def __init__(self, kernel):
        super().__init__(of_kernel("build", kernel), ["scripts/build", "--kernel", kernel])
        self.kernel = kernel
        self.of_sources = False

    def run(self, report, _cases):
        report.begin(self.name)
        start = time.monotonic()
        self.times = {"cpu": 0}
        for command in (self.command, IB_BOND):
            with subprocess.Popen(command, stdin=subprocess.DEVNULL) as program:
                self.times["cpu"] += reap(program)
            status = program.returncode
            if status:
                break
        if status == 0:
            report.ok(self.name, "", time.monotonic() - start)
        else:
            report.fail(self.name, "", time.monotonic() - start, [], f"exit status {status}")
        return status == 0


class Cargo(Suite):
    """Tests that cargo runs; each one is counted."""

    of_sources = True
    uses = CARGO_TARGET

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
            self.times = {"cpu": reap(cargo)}
        for number, case in enumerate(failures(output)):
            report.fail(self.name, case[0], time.monotonic() - start, case[1])
            failed -= 1
        if failed > 0 or (cargo.returncode and not failures(output)):
            report.fail(self.name, "", time.monotonic() - start, output[-80:], f"cargo exited with {cargo.returncode}")
        elif not counted:
            report.fail(self.name, cases[0] if cases else "", time.monotonic() - start, output[-20:], "no test ran")
        return cargo.returncode == 0


def failures(output):
    """The failed tests in cargo's output, each with its own output."""
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

    def __init__(self, path, text, kernel):
        self.name = of_kernel("harness-" + os.path.basename(path)[:-len(".sh")], kernel)
        self.path = path
        self.needs_build = "# needs the module" in text
        self.of_sources = "# of the sources alone" in text
        self.reference = "# only when asked for" in text
        self.kernel = kernel

    def run(self, report, cases):
        report.begin(self.name)
        reader = Reader(self.name, report)
        # Do not call it KERNEL, which the Makefile takes as the kernel to build for.
        with subprocess.Popen(["bash", self.path, *cases], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              env={**os.environ, "GUESTS_RUN": self.kernel}) as program:
            for line in program.stdout:
                reader.line(line.rstrip("\n"))
            self.times = {"cpu": reap(program)}
        return reader.end(program.returncode, {})


class Differential(Suite):
    """tests/differential: generated operations with both modules, in two guests. Obeys SEED and
    OPS."""

    needs_build = True
    timeout = 900
    # Each kernel has operations of its own, and most are run where they cost the least.
    usual = {"distro": {"SEED": "1", "OPS": "1500"}, "uml": {"SEED": "2", "OPS": "3000"}}

    def __init__(self, kernel):
        self.name = of_kernel("differential", kernel)
        self.kernel = kernel

    def run(self, report, cases):
        report.begin(self.name)
        reader = Reader(self.name, report)
        command = ["tests/differential/run", "--kernel", self.kernel, "--jobs", str(self.jobs), *cases]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              env={**self.usual.get(self.kernel, {}), **os.environ}) as program:
            for line in program.stdout:
                reader.line(line.rstrip("\n"))
            self.times = {"cpu": reap(program)}
        report.note("\n".join(f"      {line}" for line in reader.output))
        return reader.end(program.returncode, {})


class Bench(Suite):
    """tests/bench: the bounded part of the benchmark; a figure that misses its target fails."""

    name = "bench"
    needs_build = True
    timeout = 900

    def run(self, report, cases):
        report.begin(self.name)
        reader = Reader(self.name, report)
        command = ["tests/bench/run", "--test", "--jobs", str(self.jobs), *cases]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              text=True, errors="replace") as program:
            for line in program.stdout:
                reader.line(line.rstrip("\n"))
            self.times = {"cpu": reap(program)}
        return reader.end(program.returncode, {})


def of_kernel(name, kernel):
    return name if kernel == "distro" else f"{name}@{kernel}"


def harness():
    """The tests of the tools, with the kernels that the head of each file names."""
    found = []
    for path in sorted(glob.glob(os.path.join(PROJECT, "tests", "harness", "*.sh"))):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        kernels = re.search(r"^# kernels: (.+)$", text, re.MULTILINE)
        for kernel in kernels[1].split() if kernels else ["distro"]:
            found.append(Harness(path, text, kernel))
    return found


def suites():
    return [
        *(Build(kernel) for kernel in KERNELS),
        # A kernel with Rust's debug assertions is meant to contain panics; this one must not.
        Check("symbols", ["scripts/check-symbols", "--kernel", "distro"], needs_build=True, is_quick=True),
        Check("unsafe", ["scripts/check-unsafe"], is_quick=True),
        Check("fmt", ["scripts/fmt", "--check"], needs_tree=True, is_quick=True),
        Check("clippy", ["scripts/cargo", "clippy", "--locked", "--all-targets", "--", "-D", "warnings"], uses=CARGO_TARGET),
        Check("clippy-kernel", ["scripts/build", "--kernel", "distro", "CLIPPY=1"], needs_build=True),
        Check("sparse", ["scripts/build", "--kernel", "distro", "C=2"], needs_build=True),
        Cargo("policy", ["scripts/cargo", "test", "--locked", "--no-fail-fast", "--package", "bonding", "--test", "policy"]),
        Cargo("ib-bond-host", ["scripts/cargo", "test", "--locked", "--no-fail-fast", "--package", "bonding", "--bin", "ib-bond"]),
        Cargo("fabric", ["scripts/cargo", "test", "--locked", "--no-fail-fast", "--package", "vib-fabric"]),
        *harness(),
        *(Differential(kernel) for kernel in ("distro", "uml", "debug")),
        Bench(),
    ]
