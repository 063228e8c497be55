#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Run a command on a terminal of its own, and use it as a person would.

  terminal.py COLUMNS ROWS COMMAND... <STEPS

A step is a line:
  shows TEXT           wait until the screen has this text
  type TEXT            press these keys; ^C is control and C
  resize COLUMNS ROWS  give the window another size
  fits                 the screen has no more rows and columns than the window
  signal NAME          send a signal, such as TERM
  run COMMAND          let the shell do something
  ends STATUS          wait until the command ends with this status; the terminal is as it was before
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

PATIENCE = 20
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


class Window:
    def __init__(self, columns, rows, command):
        self.keyboard, self.terminal = pty.openpty()
        self.output = b""
        self.size = (columns, rows)
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.terminal)
        # The terminal that a program is started from is also the one that controls it.
        # pylint: disable-next=consider-using-with
        self.program = subprocess.Popen(command, stdin=self.terminal, stdout=self.terminal, stderr=self.terminal,
                                        start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, columns, rows):
        self.size = (columns, rows)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if hasattr(self, "program"):
            self.program.send_signal(signal.SIGWINCH)

    def read(self, seconds):
        if select.select([self.keyboard], [], [], seconds)[0]:
            self.output += os.read(self.keyboard, 65536)

    def screen(self):
        """The rows of the last screen that is complete."""
        screens = self.output.split(ENTER)[-1].split(b"\x1b[H")[1:]
        whole = [screen for screen in screens if b"\x1b[J" in screen]
        if not whole:
            return []
        text = whole[-1].split(b"\x1b[J")[0].decode()
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).split("\r\n")

    def wait(self, what, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                sys.exit(f"no {what} within {PATIENCE} s; the screen:\n" + "\n".join(self.screen()) +
                         f"\nthe output: {self.output[-300:]}")
            self.read(0.1)

    def fits(self):
        columns, rows = self.size
        screen = self.screen()
        return 0 < len(screen) <= rows and max(map(len, screen)) <= columns

    def ends(self, status):
        self.wait("end", lambda: self.program.poll() is not None)
        while select.select([self.keyboard], [], [], 0)[0]:
            self.read(0)
        if self.program.returncode != status:
            sys.exit(f"ended with {self.program.returncode}, not {status}; the output: {self.output[-300:]}")
        if termios.tcgetattr(self.terminal) != self.before:
            sys.exit("the terminal is not as it was")
        if self.output.rfind(LEAVE) < self.output.rfind(ENTER) or b"\x1b[?25h" not in self.output:
            sys.exit("the screen is not as it was")

    def step(self, line):
        word, _, rest = line.strip().partition(" ")
        if word == "shows":
            self.wait(f'"{rest}"', lambda: any(rest in row for row in self.screen()))
        elif word == "type":
            keys = re.sub(r"\^(.)", lambda found: chr(ord(found[1]) & 31), rest)
            os.write(self.keyboard, keys.encode())
        elif word == "resize":
            self.resize(*map(int, rest.split()))
        elif word == "fits":
            self.wait("screen that fits", self.fits)
        elif word == "signal":
            self.program.send_signal(getattr(signal, f"SIG{rest}"))
        elif word == "run":
            subprocess.run(rest, shell=True, check=True)
        elif word == "ends":
            self.ends(int(rest))
        elif word:
            sys.exit(f"no such step: {word}")


def main():
    window = Window(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
    try:
        for line in sys.stdin:
            window.step(line)
    finally:
        if window.program.poll() is None:
            window.program.kill()
    print("\n".join(row.rstrip() for row in window.screen()))


main()
