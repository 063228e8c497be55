# SPDX-License-Identifier: GPL-2.0
"""What a person sees of a test run, and the count at its end."""

import sys
import threading

# Where the time of a suite went. In seconds of real time: in total, until a guest has started, and
# after its last case; CPU time; the guest's clock, and how much of that was idle; then the number
# of programs that it started.
COLUMNS = ("all", "cpu", "boot", "end", "guest", "idle", "programs")


class Report:
    """Results of cases as they arrive, from several threads."""

    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = 0
        self.left = []
        self.times = {}
        self.lock = threading.Lock()

    def _print(self, text):
        print(text, flush=True)

    def note(self, text):
        with self.lock:
            self._print(text)

    def begin(self, suite, detail=""):
        self.note(f"----  {suite}{detail} (alone: make test T={suite})")

    def took(self, suite, seconds, times):
        """Record how long a suite took, and where that time went, for the summary."""
        with self.lock:
            sums = self.times.setdefault(suite, {})  # the suite may have been run in parts
            for column, value in {"all": seconds, **times}.items():
                sums[column] = sums.get(column, 0) + value

    def again(self, suite, case):
        return f"make test T={suite}{':' + case if case else ''}"

    def ok(self, suite, case, seconds):
        with self.lock:
            self.passed += 1
            self._print(f"ok    {name(suite, case)} ({seconds:.1f} s)")

    def skip(self, suite, case, reason):
        with self.lock:
            self.skipped += 1
            self._print(f"skip  {name(suite, case)}: {reason or 'no reason given'}")

    def fail(self, suite, case, seconds, output, reason=""):
        """Report a failed case: its output, the reason, and how to run it alone."""
        with self.lock:
            self.failed.append(name(suite, case))
            self._print(f"FAIL  {name(suite, case)} ({seconds:.1f} s)" + (f": {reason}" if reason else ""))
            for line in output:
                self._print(f"      {line}")
            self._print(f"      again: {self.again(suite, case)}")

    def left_out(self, suites, reason):
        """Report suites that were asked for and do not run; the last lines say so, too."""
        self.note("\n".join(f"----  {suite}: left out, {reason} (alone: make test T={suite})" for suite in suites))
        self.left += suites

    def table(self):
        """Where the time went, with the slowest suite first."""
        width = max(map(len, self.times))
        yield f"{'Seconds':{width}}" + "".join(f"{column:>9}" for column in COLUMNS)
        for suite, times in sorted(self.times.items(), key=lambda item: -item[1]["all"]):
            cells = ("" if column not in times else f"{times[column]:.0f}" for column in COLUMNS)
            yield (f"{suite:{width}}" + "".join(f"{cell:>9}" for cell in cells)).rstrip()
        sums = (f"{sum(times.get(column, 0) for times in self.times.values()):.0f}" for column in COLUMNS)
        yield f"{'sum':{width}}" + "".join(f"{cell:>9}" for cell in sums)

    def summary(self):
        """Print the last line; return the exit status."""
        if len(self.times) > 3:  # otherwise the lines above say it
            self._print("\n".join(self.table()))
        if self.left:
            self._print(f"Left out for want of time: {' '.join(dict.fromkeys(self.left))}")
        for failure in self.failed:
            self._print(f"FAIL  {failure}")
        line = f"{self.passed} passed, {len(self.failed)} failed"
        if self.skipped:
            line += f", {self.skipped} skipped"
        self._print(line)
        sys.stdout.flush()
        return 1 if self.failed or not self.passed else 0


def name(suite, case):
    return f"{suite}: {case}" if case else suite
