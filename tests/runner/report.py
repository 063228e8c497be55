# SPDX-License-Identifier: GPL-2.0
"""What a person sees of a test run, and the count at its end."""

import sys
import threading


class Report:
    """Results of cases as they come in, from several threads."""

    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = 0
        self.left = []
        self.seconds = {}
        self.lock = threading.Lock()

    def _print(self, text):
        print(text, flush=True)

    def note(self, text):
        with self.lock:
            self._print(text)

    def begin(self, suite, detail=""):
        self.note(f"----  {suite}{detail} (alone: make test T={suite})")

    def took(self, suite, seconds):
        """How long a suite took, with its start; the summary says where the time went."""
        with self.lock:
            self.seconds[suite] = seconds

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
        """A failed case: its output, why, and how to run it alone."""
        with self.lock:
            self.failed.append(name(suite, case))
            self._print(f"FAIL  {name(suite, case)} ({seconds:.1f} s)" + (f": {reason}" if reason else ""))
            for line in output:
                self._print(f"      {line}")
            self._print(f"      again: {self.again(suite, case)}")

    def left_out(self, suites, reason):
        """Suites that were asked for and are not run; the last lines say so, too."""
        self.note("\n".join(f"----  {suite}: left out, {reason} (alone: make test T={suite})" for suite in suites))
        self.left += suites

    def summary(self):
        """Print the last line; the exit status."""
        longest_first = sorted(self.seconds.items(), key=lambda item: -item[1])
        if len(longest_first) > 3:  # else the lines above say it
            self._print("Seconds: " + ", ".join(f"{suite} {seconds:.0f}" for suite, seconds in longest_first))
        if self.left:
            self._print(f"Left out for want of time: {' '.join(self.left)}")
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
