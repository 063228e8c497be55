# SPDX-License-Identifier: GPL-2.0
"""Read KTAP from a test as it arrives, and pass each result to the report."""

import re
import time

RESULT = re.compile(r"^(ok|not ok) (\d+)\s*-?\s*(\S*)\s*(?:# *SKIP\s*(.*))?$", re.IGNORECASE)
# Output of a test that is shown although the test passes.
FIGURE = re.compile(r"^(faults|churn): ")
PLAN = re.compile(r"^1\.\.(\d+)\s*$")


class Reader:
    """Takes lines, and checks the results against the plan."""

    def __init__(self, suite, report):
        self.suite = suite
        self.report = report
        self.planned = None
        self.results = 0
        self.failures = 0
        self.running = None
        self.output = []
        self.bailed = None
        self.since = time.monotonic()

    def line(self, line):
        plan = PLAN.match(line)
        result = RESULT.match(line)
        if plan:
            self.planned = int(plan[1])
        elif line.startswith("# case "):
            self.running = line[len("# case "):].strip()
            self.output = []
            self.since = time.monotonic()
        elif result:
            self.result(result)
        elif line.startswith("Bail out!"):
            self.bailed = line[len("Bail out!"):].strip()
        elif not line.startswith("KTAP version"):
            self.output.append(line[2:] if line.startswith("# ") else line)

    def result(self, match):
        verdict, number, case, skip = match.groups()
        seconds = time.monotonic() - self.since
        self.results += 1
        if int(number) != self.results:
            self.failures += 1
            self.report.fail(self.suite, case, seconds, self.output, f"result {number} came in place {self.results}")
        elif verdict.lower() == "not ok":
            self.failures += 1
            self.report.fail(self.suite, case, seconds, self.output)
        elif skip is not None:
            self.report.skip(self.suite, case, skip)
        else:
            self.report.ok(self.suite, case, seconds)
            for line in self.output:
                if FIGURE.match(line):
                    self.report.note(f"      {line}")
        self.running = None
        self.output = []
        self.since = time.monotonic()

    def end(self, status, reasons):
        """The program has ended; reasons maps exit statuses that are not the test's own to
        sentences."""
        seconds = time.monotonic() - self.since
        problem = None
        if self.bailed:
            problem = self.bailed
        elif status in reasons:
            problem = reasons[status]
        elif self.planned is None:
            problem = f"no test plan, exit status {status}"
        elif not self.planned:
            problem = "the plan is of no test at all"
        elif self.results != self.planned:
            problem = f"{self.results} results of {self.planned} planned, exit status {status}"
        elif status and not self.failures:
            problem = f"every case passed and yet the exit status is {status}"
        if problem:
            missing = self.running if self.planned != self.results else None
            self.report.fail(self.suite, missing or "", seconds, self.output[-120:], problem)
        return not problem and not self.failures
