# SPDX-License-Identifier: GPL-2.0
"""Find the kernel's complaints in a kernel log."""

import re

# Lines with which the kernel says that something is broken.
SPLAT = re.compile("|".join((
    r"\bBUG: ", r"\bkernel BUG at ", r"\bWARNING: ", r"\bOops: ", r"\bgeneral protection fault",
    r"Kernel panic - ", r"\bKASAN: ", r"\bKCSAN: ", r"\bUBSAN: ", r"\bKFENCE: ", r"\bKMSAN: ",
    r"possible circular locking", r"possible recursive locking", r"possible irq lock inversion",
    r"suspicious RCU usage", r"inconsistent lock state", r"Invalid wait context",
    r"sleeping function called from invalid context", r"scheduling while atomic", r"bad unlock balance",
    r"held lock freed", r"lock held when returning to user space", r"DEBUG_LOCKS_WARN_ON",
    r"rcu_(preempt|sched|tasks)\w* (self-)?detected .*stall", r"rcu: INFO: .* stall", r"INFO: task .* blocked for more than",
    r"soft lockup", r"hard LOCKUP", r"unregister_netdevice: waiting for", r"refcount_t: ", r"ref_tracker: (?!memory allocation failure)",
    r"leaked reference", r"kmemleak: \d+ new suspected memory leaks", r"ODEBUG: ", r"list_(add|del) corruption",
    # The checkers themselves give up.
    r"trying to register non-static key", r"turning off the locking correctness validator",
    r"kmemleak: Kernel memory leak detector disabled",
    r"unable to handle (kernel|page fault)", r"invalid opcode: ", r"stack guard page was hit",
    r"Objects remaining (in|on) ", r"Slab .* still has objects", r"nobody cared",
)))
# A data race counts if one of our modules, or the one in its place, has a part in it: other kernel
# code has races of its own, many of them known and harmless.
RACE, RACE_ENDS, OURS = "BUG: KCSAN: data-race", "=" * 20, re.compile(r"\[(bonding|vib|splat)\]")
# The message of a warning comes before its "WARNING: " line, after this one.
CUT_HERE = "[ cut here ]"
LINES_BEFORE, LINES_SHOWN = 8, 60


def find(text):
    """The lines of each splat in the log, ready to print; empty if the kernel has no complaint."""
    lines = text.splitlines()
    shown = []
    done = index = 0
    while index < len(lines):
        if not SPLAT.search(lines[index]):
            index += 1
            continue
        if RACE in lines[index]:
            end = next((number for number in range(index, len(lines)) if RACE_ENDS in lines[number]), len(lines))
            if not any(OURS.search(line) for line in lines[index:end]):
                index = end
                continue
        first = max(index - LINES_BEFORE, done)
        first = next((number for number in range(first, index) if CUT_HERE in lines[number]), index)
        last = index
        while last + 1 < min(index + LINES_SHOWN, len(lines)) and "---[ end" not in lines[last]:
            last += 1
        shown += lines[first:last + 1]
        done = index = last + 1
    return shown
