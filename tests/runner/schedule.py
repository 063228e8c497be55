# SPDX-License-Identifier: GPL-2.0
"""Which suite runs when, and beside which others."""

import threading
import time
import traceback

from .host import KERNELS


class Limits:
    """When suites that were asked for in addition are left out, in seconds since the start; None for
    never."""

    def __init__(self, before, until):
        # The turn of a kernel, which may have to be built, comes later than this.
        self.before = before
        # The turn of a suite does.
        self.until = until
        self.started = time.monotonic()

    def passed(self):
        """Seconds since the start."""
        return time.monotonic() - self.started

    def is_turn_late(self):
        return self.before is not None and self.passed() > self.before

    def is_late(self):
        return self.until is not None and self.passed() > self.until


class Schedule:
    """Runs suites with several workers. The kernels have their turns one after another, each with its
    build first; what tests the sources alone fills the gaps."""

    def __init__(self, builds, jobs, report, workers, limits):
        self.report = report
        self.limits = limits
        self.workers = workers
        self.builds = builds
        # A suite for two guests at once starts one at a time, if others run beside it.
        self.guests = workers if len(jobs) == 1 else 1
        jobs = jobs + [(build, []) for build in builds]
        self.waiting = sorted(jobs, key=lambda job: (rank(job[0]), job[0] not in builds, job[0].alone, job[0].order))
        self.running = []
        self.built = set(KERNELS) - {build.kernel for build in builds}
        self.begun = set()
        self.changed = threading.Condition()

    def run(self):
        """Returns when all suites have run, or have been left out."""
        threads = [threading.Thread(target=self._work) for _ in range(min(self.workers, len(self.waiting)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self):
        while True:
            with self.changed:
                self.changed.wait_for(lambda: not self.waiting or self._next())
                if not self.waiting:
                    return
                suite, cases = job = self._next()
                if self._begin_turn(suite):
                    continue
                self.waiting.remove(job)
                self.running.append(suite)
            passed = self._run(suite, cases)
            with self.changed:
                self.running.remove(suite)
                if suite in self.builds:
                    self._end_build(suite, passed)
                self.changed.notify_all()

    def _next(self):
        """The first job that may start now, or None."""
        return next((job for job in self.waiting if self._may_start(job[0])), None)

    def _may_start(self, suite):
        others = [job[0] for job in self.waiting if job[0] is not suite]
        if any(other.alone for other in self.running):
            return False
        if suite.alone and (self.running or any(rank(other) <= rank(suite) and not other.alone for other in others)):
            return False
        if suite.uses and any(other.uses == suite.uses for other in self.running):
            return False
        if suite.of_sources and not suite.needs_tree:
            return True
        if suite in self.builds:
            # A kernel may have to be built for long: what can run without it goes first.
            return all(other.of_sources or rank(other) >= rank(suite) for other in others)
        return suite.kernel in self.built

    def _begin_turn(self, suite):
        """Begin the turn of this suite's kernel, if it has not begun. Returns whether that has left suites
        out."""
        if suite.of_sources or suite.kernel in self.begun:
            return False
        self.begun.add(suite.kernel)
        late = [job for job in self.waiting if job[0].kernel == suite.kernel and job[0].is_extra]
        if not late or not self.limits.is_turn_late():
            return False
        self.waiting = [job for job in self.waiting if job not in late]
        # The build is named if nothing but the build was asked for.
        names = [job[0].name for job in late if job[0] not in self.builds] or [suite.name]
        self.report.left_out(list(dict.fromkeys(names)), f"their turn has come after {self.limits.passed():.0f} s only")
        self.changed.notify_all()
        return True

    def _end_build(self, build, passed):
        self.built.add(build.kernel)
        needs_it = [job for job in self.waiting if job[0].kernel == build.kernel and job[0].needs_build]
        if needs_it and not passed:
            self.waiting = [job for job in self.waiting if job not in needs_it]
            self.report.note("The module does not build, so the tests that need it were not run.")

    def _run(self, suite, cases):
        """Run one suite, unless it is late."""
        if suite.is_extra and suite not in self.builds and self.limits.is_late():
            self.report.left_out([suite.name], f"its turn has come after {self.limits.passed():.0f} s only")
            return False
        suite.jobs = self.guests
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


def rank(suite):
    """The place of a suite's kernel in the order of turns."""
    return KERNELS.index(suite.kernel)
