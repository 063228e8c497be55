# SPDX-License-Identifier: GPL-2.0
"""Which suite runs when, and beside which others."""

import threading
import time
import traceback


class Schedule:
    """The suites that one kernel's turn has, run by several workers. The build runs first; beside it,
    suites of the sources alone."""

    def __init__(self, build, jobs, report, workers, is_late):
        self.report = report
        self.is_late = is_late
        self.workers = workers
        # Those that measure time run one by one at the end.
        self.last = [job for job in jobs if job[0].alone]
        # What takes seconds comes first, then the longest.
        self.waiting = [build] * bool(build) + sorted((job for job in jobs if not job[0].alone), key=lambda job: job[0].order)
        self.build = build[0] if build else None
        # A suite for two guests at once starts one at a time, if others run beside it.
        self.jobs = workers if len(jobs) == 1 else 1
        self.is_built = not build
        self.in_use = set()
        self.changed = threading.Condition()

    def run(self):
        """Returns when all suites have run, or have been left out."""
        threads = [threading.Thread(target=self._work) for _ in range(min(self.workers, len(self.waiting)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for suite, cases in self.last:
            self._run(suite, cases)

    def _work(self):
        while True:
            with self.changed:
                self.changed.wait_for(lambda: not self.waiting or self._next())
                if not self.waiting:
                    return
                suite, cases = job = self._next()
                self.waiting.remove(job)
                self.in_use.add(suite.uses)
            passed = self._run(suite, cases)
            with self.changed:
                self.in_use.discard(suite.uses)
                if suite is self.build:
                    self._built(passed)
                self.changed.notify_all()

    def _next(self):
        """The first job that may start now, or None."""
        for job in self.waiting:
            suite = job[0]
            may_start = self.is_built or suite is self.build or suite.of_sources
            if may_start and (not suite.uses or suite.uses not in self.in_use):
                return job
        return None

    def _built(self, passed):
        self.is_built = True
        if not passed:
            self.waiting = [job for job in self.waiting if not job[0].needs_build]
            self.last = [job for job in self.last if not job[0].needs_build]
            self.report.note("The module does not build, so the tests that need it were not run.")

    def _run(self, suite, cases):
        """Run one suite, unless it is late."""
        if suite is not self.build and self.is_late(suite):
            return False
        suite.jobs = self.jobs
        started = time.monotonic()
        try:
            passed = suite.run(self.report, cases)
        except Exception as error:  # pylint: disable=broad-exception-caught
            # A suite that the runner cannot run has not passed; the others go on.
            passed = False
            self.report.fail(suite.name, "", time.monotonic() - started, traceback.format_exc().splitlines(),
                             f"the runner could not run it: {error}")
        self.report.took(suite.name, time.monotonic() - started, suite.times)
        return passed
