#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Carry out a script of operations in a guest, and print all that a user can see of each.

  execute.py SCRIPT

Each line of the script is a JSON list: a verb and its arguments; "episode" begins with a new world.
For each operation, these lines are printed:

  @ NUMBER              which one it is, its place in the script
  = RESULT              "ok", or the error's name, and what netlink says
  : TEXT                what it read
  log LEVEL TEXT        what the kernel logged
  told DEVICE ...       what netlink told listeners, without repetitions
  DEVICE.KEY OLD -> NEW what has changed

For "episode" itself, only the result is printed.

The output contains no time, no random address and no interface number.
"""

import json
import os
import re
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)

import lacp  # noqa: E402
import netlink  # noqa: E402
from observe import Observer  # noqa: E402
from operations import Operations  # noqa: E402
from world import World  # noqa: E402


def log_lines(log):
    """What the kernel has logged since the last call: level and text, without what differs between
    runs."""
    while True:
        try:
            record = os.read(log, 8192).decode(errors="replace")
        except BlockingIOError:
            return
        except BrokenPipeError:
            yield "lost"
            continue
        head, _, text = record.partition(";")
        level = int(head.split(",")[0])
        # Continuation lines of a record name its device, which the text names as well.
        text = text.split("\n")[0]
        if level >> 3 == 0:
            yield f"{level & 7} {text}"


# Kernel messages that are not the driver's, which can come at any time.
OTHERS = re.compile(r"random: |clocksource: |systemd|perf: |hrtimer: |loading out-of-tree|module verification|"
                    r"virtio_blk|rcu: |workqueue: |sched: |input: |IPv6: ADDRCONF|e1000|bonding: unknown parameter")
# The duration of something is a time, too.
TIMES = [(re.compile(r"\b(after|in) \d+ ms"), r"\1 N ms"), (re.compile(r"\b\d+ ms earlier"), "N ms earlier"),
         # Not a time, but it also differs between runs: the numbers of a namespace's file and of an
         # interface.
         (re.compile(r"Netdevsim \d+:\d+"), "Netdevsim")]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        script = [json.loads(line) for line in file]
    log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    os.lseek(log, 0, os.SEEK_END)
    world = World(os.environ.get("MODULE_UNDER_TEST", "none"))
    observer = Observer(world)
    operations = Operations(world, observer)
    out = sys.stdout
    before = {}
    for place, operation in enumerate(script):
        out.write(f"@ {place}\n")
        out.flush()
        verb, *arguments = operation
        if verb == "episode":
            before = {}
        said = []
        try:
            lines = getattr(operations, verb)(*arguments)
            said.append("= ok")
            said += [": " + line for line in lines or ()]
        except netlink.Refused as refused:
            said.append(f"= {refused}")
        except OSError as error:
            said.append(f"= {netlink.error_name(error.errno)}")
        now, settled = observer.settle()
        if not settled:
            said.append("= and then it does not come to rest")
        if verb == "episode":
            list(log_lines(log))
            list(observer.told())
        else:
            for line in log_lines(log):
                if not OTHERS.search(line) and not lacp.is_later(line, observer.silent):
                    for pattern, text in TIMES:
                        line = pattern.sub(text, line)
                    said.append("log " + observer.normal_text(line))
            said += observer.told()
        for name in sorted(before.keys() | now.keys()):
            old, new = before.get(name, {}), now.get(name, {})
            if old is new:
                continue
            for key in sorted(old.keys() | new.keys()):
                if old.get(key) != new.get(key):
                    said.append(f"{name}.{key} {old.get(key, '-')} -> {new.get(key, '-')}")
        before = now
        if verb == "episode":
            said = said[:1]
        out.write("".join(line + "\n" for line in said))
    out.write("@ end\n")
    out.flush()
    world.end()


if __name__ == "__main__":
    main()
