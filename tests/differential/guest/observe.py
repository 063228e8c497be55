# SPDX-License-Identifier: GPL-2.0
"""The state of all links once it has settled, and what netlink reported about them."""

import re
import struct
import time

import lacp
import netlink
import state
from netlink import IFINFO, RTEXT_FILTER_SKIP_STATS, attribute, attributes, ifinfo

# Longer than any delay that a script waits for; longer delays do not end while we wait.
PATIENCE = 3
IFF_UP = 1
LINK_UP, LINK_DOWN = "0/1", "2/1"
IFLA_EVENT = 44
# IFLA_STATS, IFLA_STATS64, IFLA_AF_SPEC
COUNTERS = {7, 23, 26}
EVENTS = {1: "reboot", 2: "features", 3: "failover", 4: "notify_peers", 5: "igmp_resend", 6: "options"}
# Timers repeat these, so they may come during another operation.
TIMED_EVENTS = {4, 5}
# These, and what has none, come whenever LACP decides something.
LACP_EVENTS = TIMED_EVENTS | {0, 6}
ADDRESS = re.compile(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b")
OURS = bytes([2, 0, 0, 0])


class Observer:
    """Observes the home namespace of a world."""

    def __init__(self, world):
        self.world = world
        self.monitor = netlink.Monitor()
        self.forget()

    def forget(self):
        """A new episode begins."""
        self.random = {}
        self.raw = {}
        self.links = {}
        self.indexes = {}
        self.last_told = {}
        self.lacp = set()
        self.silent = set()
        self.working = set()

    # -- names for what differs from run to run ----------------------------------------

    def normal(self, address):
        """A hardware address; random ones are numbered in the order in which they first appear."""
        if len(address) != 6 or address[:4] == OURS or address in (bytes(6), bytes([255] * 6)):
            return ":".join(f"{byte:02x}" for byte in address)
        return self.random.setdefault(address, f"random{len(self.random) + 1}")

    def normal_text(self, text):
        return ADDRESS.sub(lambda found: self.normal(bytes.fromhex(found[0].replace(":", ""))), text)

    def name_of(self, index):
        return self.indexes.get(index, "elsewhere") if index else "none"

    # -- the state -----------------------------------------------------------------------

    def look(self):
        """Ask for each link, which makes the kernel act on a changed carrier. True if nothing has
        changed."""
        raw, indexes = {}, {}
        for name in self.world.names():
            body = ifinfo() + attribute(netlink.IFLA_IFNAME, name.encode("latin-1") + b"\0")
            body += attribute(netlink.IFLA_EXT_MASK, struct.pack("=I", RTEXT_FILTER_SKIP_STATS))
            try:
                raw[name] = self.world.home.ask(netlink.RTM_GETLINK, body)
            except netlink.Refused:
                continue  # it has just disappeared
            indexes[IFINFO.unpack_from(raw[name])[2]] = name
        unchanged = raw == self.raw
        if indexes != self.indexes:
            self.indexes, self.raw, self.links = indexes, {}, {}
        for name in sorted(raw, key=lambda name: IFINFO.unpack_from(raw[name])[2]):
            if raw[name] != self.raw.get(name):
                self.links[name] = state.link(raw[name], self.name_of, self.normal)
        self.raw = raw
        self.links = {name: link for name, link in self.links.items() if name in raw}
        return unchanged

    def at_rest(self):
        """Whether each bond that polls its slaves has seen their current links."""
        for link in self.links.values():
            if "slave.mii_status" not in link:
                continue
            bond = self.links.get(link.get("master"), {})
            if bond.get("bond.miimon", "0/4") == "0/4" or not int(bond["flags"], 16) & IFF_UP:
                continue
            works = int(link["flags"], 16) & IFF_UP and link.get("carrier") == "1"
            if link["slave.mii_status"] != (LINK_UP if works else LINK_DOWN):
                return False
        return True

    def settle(self):
        """The links by name, and whether they have settled."""
        deadline = time.monotonic() + PATIENCE
        pause = 0.005
        # Our driver sends its messages from a worker, which needs the CPU, and retries after a
        # jiffy if it cannot run.
        time.sleep(0.03)
        while True:
            unchanged = self.look()
            if unchanged and self.at_rest():
                return self.seen(), True
            if time.monotonic() > deadline:
                return self.seen(), False
            if not self.at_rest():
                time.sleep(pause)
                pause = min(pause * 2, 0.5)

    def seen(self):
        """The links without what depends on the time that LACP takes."""
        before, self.lacp = self.lacp, lacp.touched(self.links)
        self.silent = before | self.lacp
        return {name: lacp.masked(link) if name in self.lacp else link for name, link in self.links.items()}

    def agreed(self):
        """What LACP has decided, once nothing has changed for longer than either driver waits for anything (8 s after a
        slave has joined a bond that is up)."""
        deadline = time.monotonic() + 90
        last, since = None, 0
        # A bond that is down says nothing; when it is set up again our driver begins afresh.
        self.working = {name for name in self.lacp if lacp.works(self.links, name)}
        while time.monotonic() < deadline:
            self.look()
            now = [line for name in sorted(self.working) for line in lacp.decided(self.links, name)]
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > 10:
                return now
            time.sleep(0.5)
        return last + ["and it does not come to rest"]

    # -- what listeners hear ----------------------------------------------------------------

    def told(self):
        """What netlink reported since the last call, each kind once.

        Repetitions of a slave's last message are left out: our driver reports the state of a link
        with an instance lock in the link's own event, and once more when the lock is free, which
        may be during the next operation."""
        found = set()
        for kind, body in self.monitor.heard():
            if kind is None:
                found.add(f"told {body.decode()}")
                continue
            values = dict(attributes(body[IFINFO.size:]))
            name = values.get(netlink.IFLA_IFNAME, b"?").rstrip(b"\0").decode(errors="replace")
            event = struct.unpack("=I", values[IFLA_EVENT])[0] if IFLA_EVENT in values else 0
            if not event and netlink.IFLA_MASTER in values:
                # Packet counters differ each time.
                said = kind, IFINFO.unpack_from(body), {key: values[key] for key in values.keys() - COUNTERS}
                if said == self.last_told.get(name):
                    continue
                self.last_told[name] = said
            if event not in (LACP_EVENTS if name in self.silent else TIMED_EVENTS):
                what = {netlink.RTM_NEWLINK: "new", netlink.RTM_DELLINK: "gone"}.get(kind, str(kind))
                found.add(f"told {name} {what}" + (f" {EVENTS.get(event, event)}" if event else ""))
        return sorted(found)
