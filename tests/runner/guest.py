# SPDX-License-Identifier: GPL-2.0
"""Guest suites: one boot for each tests/guest/NAME.sh and module."""

import copy
import os
import re
import shlex
import subprocess
import time

from .host import Suite, reap
from .ktap import Reader

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
LOGS = os.path.join("build", "test-logs")
# Files that are no tests: others source them.
LIBRARIES = ("lib.sh", "bond.sh", "configuring.sh", "ib_bond_command.sh", "ipoib.sh", "ipoib_bond.sh", "lacp_daemons.sh",
             "lacp_ends.sh", "leaks.sh", "ways.sh")
# A kernel with checkers checks every step it takes.
SLOWER = {"distro": 1, "uml": 1, "debug": 4, "kcsan": 4}
REASONS = {70: "the kernel log shows a splat, or the guest died", 124: "time is up",
           69: "the guest cannot start", 2: "scripts/guest does not take the options of the file's head"}


class GuestSuite(Suite):
    """One test file with one module and one kernel."""

    needs_build = True

    def __init__(self, path, module, kernel, reference=False):
        base = os.path.basename(path)[:-len(".sh")]
        self.name = base + ("" if module == "ours" else f"@{module}") + ("" if kernel == "distro" else f"@{kernel}")
        self.file = os.path.basename(path)
        self.module = module
        # Run with another driver than ours, only to see that the driver still behaves as the test
        # says.
        self.reference = reference
        self.kernel = kernel
        with open(path, encoding="utf-8") as file:
            self.head = head(file.read())
        self.alone = "alone" in self.head
        self.timeout = int(self.head.get("timeout", "900")) * SLOWER[kernel]
        # Where a boot is cheap, a long suite runs in several parts side by side.
        self.parts = int(self.head.get("parts", "1")) if kernel == "uml" else 1
        self.log = self.name

    def in_parts(self):
        """The suite's parts, each with the argument that selects its cases."""
        for number in range(1, self.parts + 1):
            part = copy.copy(self)
            part.log = f"{self.name}.{number}"
            yield part, [f"--part={number}/{self.parts}"]

    def command(self, cases):
        options = self.head.get("guest", "")
        if self.kernel == "uml":
            # User-Mode Linux has a simulated clock, one CPU and no cards; a case that needs those
            # skips.
            options = re.sub(r"--(icount( \d+)?|cpus \d+|nic \d+|nic-model \w+)", "", options)
        if self.kernel == "kcsan":
            # KCSAN waits for another CPU to come by: there must be one, in a thread of its own.
            options = re.sub(r"--icount( \d+)?", "", options) + " --cpus 2"
        return ["scripts/guest", "--kernel", self.kernel, "--module", self.module, "--timeout", str(self.timeout),
                "--log", os.path.join(LOGS, self.log + ".kernel"), *shlex.split(options),
                "--", "bash", f"/project/tests/guest/{self.file}", *cases]

    def run(self, report, cases):
        report.begin(self.name)
        os.makedirs(LOGS, exist_ok=True)
        reader = Reader(self.name, report)
        started = time.monotonic()
        talks = None
        with open(os.path.join(LOGS, self.log + ".output"), "w", encoding="utf-8") as log, \
                subprocess.Popen(self.command(cases), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, errors="replace") as guest:
            for line in guest.stdout:
                talks = talks or time.monotonic()
                log.write(line)
                reader.line(line.rstrip("\r\n"))
            self.times = {"boot": (talks or time.monotonic()) - started, "end": time.monotonic() - reader.since,
                          "cpu": reap(guest), **self.guest_times()}
        return reader.end(guest.returncode, REASONS)

    def guest_times(self):
        """What the guest reported about itself at its end."""
        try:
            with open(os.path.join(LOGS, self.log + ".kernel"), encoding="utf-8", errors="replace") as file:
                said = re.search(r"guest: (\d+) programs, ([\d.]+) s, idle ([\d.]+) s", file.read())
        except OSError:
            said = None
        return dict(zip(("programs", "guest", "idle"), map(float, said.groups()))) if said else {}


def head(text):
    """The directives in the comment block at the top of a test file."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            break
        match = re.match(r"#\s*(guest|reference|kernels|timeout|parts|not in uml):\s*(.+?)\s*$", line)
        if match:
            found[match[1]] = match[2]
        elif re.match(r"#\s*alone\s*$", line):
            found["alone"] = "yes"
    return found


def suites():
    folder = os.path.join(PROJECT, "tests", "guest")
    found = []
    for file in sorted(os.listdir(folder)):
        if not file.endswith(".sh") or file in LIBRARIES:
            continue
        path = os.path.join(folder, file)
        with open(path, encoding="utf-8") as text:
            lines = head(text.read())
        kernels = lines.get("kernels", "distro debug").split()
        if "not in uml" not in lines:
            kernels.append("uml")
        found += [GuestSuite(path, "ours", kernel) for kernel in kernels]
        found += [GuestSuite(path, module, "distro", True) for module in lines.get("reference", "").split()]
    return found
