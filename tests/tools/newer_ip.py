#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What a newer ip(8) knows of bonds, on top of one that does not: newer_ip.py IP ARGUMENT...

IP does what it can; the rest follows in a request of its own: "lacp_strict" and
"ad_select actor_port_prio" of a bond, and "actor_port_prio" of a slave, which "ip -d -j link show"
shows as well.
"""

import json
import os
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "differential", "guest"))

import netlink  # noqa: E402
from netlink import attribute, attributes, ifinfo, nest  # noqa: E402

# The attributes in linux/if_link.h: number, and how a value is packed.
IFLA_BOND_AD_SELECT, IFLA_BOND_LACP_STRICT, IFLA_BOND_SLAVE_ACTOR_PORT_PRIO = 22, 34, 10
OFF_ON = {"off": b"\0", "on": b"\1"}
WORDS = {"bond": {"lacp_strict": (IFLA_BOND_LACP_STRICT, OFF_ON.get),
                  "ad_select": (IFLA_BOND_AD_SELECT, {"actor_port_prio": b"\3"}.get)},
         "bond_slave": {"actor_port_prio": (IFLA_BOND_SLAVE_ACTOR_PORT_PRIO, lambda text: struct.pack("=H", int(text)))}}
# Around the attributes of a bond, and of a slave.
NESTS = {"bond": (netlink.IFLA_INFO_KIND, netlink.IFLA_INFO_DATA),
         "bond_slave": (netlink.IFLA_INFO_SLAVE_KIND, netlink.IFLA_INFO_SLAVE_DATA)}


class Namespace:
    """The network namespace of a name, or that of this process."""

    def __init__(self, name):
        self.socket = netlink.in_namespace(f"/run/netns/{name}", netlink.Socket) if name else netlink.Socket()

    def link(self, name):
        """The index and the attributes of a link."""
        body = self.socket.ask(netlink.RTM_GETLINK, ifinfo() + attribute(netlink.IFLA_IFNAME, name.encode() + b"\0"))
        return netlink.IFINFO.unpack_from(body)[2], dict(attributes(body[netlink.IFINFO.size:]))

    def set(self, name, kind, options):
        kind_number, data_number = NESTS[kind]
        self.socket.ask(netlink.RTM_NEWLINK, ifinfo(self.link(name)[0]) + nest(
            netlink.IFLA_LINKINFO, attribute(kind_number, b"bond"),
            nest(data_number, *(attribute(number, payload) for number, payload in options))))

    def port_priority(self, name):
        """The actor_port_prio of a slave, or None."""
        info = dict(attributes(self.link(name)[1].get(netlink.IFLA_LINKINFO, b"")))
        if info.get(netlink.IFLA_INFO_SLAVE_KIND, b"").rstrip(b"\0") != b"bond":
            return None
        payload = dict(attributes(info[netlink.IFLA_INFO_SLAVE_DATA])).get(IFLA_BOND_SLAVE_ACTOR_PORT_PRIO)
        return struct.unpack("=H", payload)[0] if payload else None


def take(words, kind):
    """The options that are set here, and the words that are left for ip."""
    options, left = [], []
    place = words.index("type") + 2
    while place < len(words):
        number, pack = WORDS[kind].get(words[place], (0, lambda _: None))
        payload = pack(words[place + 1]) if place + 1 < len(words) else None
        if payload is None:
            left.append(words[place])
            place += 1
        else:
            options.append((number, payload))
            place += 2
    return options, left


def change(ip, namespace, options_of_ip, words):
    kind = words[words.index("type") + 1]
    options, left = take(words, kind)
    head = words[:words.index("type") + 2]
    if left or words[1] == "add":
        status = subprocess.run([ip, *options_of_ip, *head, *left], check=False).returncode
        if status:
            return status
    try:
        Namespace(namespace).set(next(word for word in words[2:] if word not in ("dev", "name")), kind, options)
    except netlink.Refused as refused:
        print(f"Error: {refused}.", file=sys.stderr)
        return 2
    return 0


def show(ip, namespace, arguments):
    done = subprocess.run([ip, *arguments], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode or not done.stdout.strip():
        print(done.stdout, end="")
        return done.returncode
    links = json.loads(done.stdout)
    for link in links:
        priority = Namespace(namespace).port_priority(link["ifname"]) if link.get("ifname") else None
        if priority is not None:
            link["linkinfo"]["info_slave_data"]["actor_port_prio"] = priority
    print(json.dumps(links))
    return 0


def main(ip, *arguments):
    namespace, place = None, 0
    while place < len(arguments) and arguments[place].startswith("-"):
        if arguments[place] in ("-n", "-netns"):
            place += 1
            namespace = arguments[place]
        place += 1
    words = list(arguments[place:])
    if words[:2] == ["link", "show"] and "-j" in arguments[:place]:
        return show(ip, namespace, arguments)
    if words[:1] == ["link"] and "type" in words[:-1] and words[words.index("type") + 1] in WORDS:
        return change(ip, namespace, arguments[:place], words)
    os.execv(ip, [ip, *arguments])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
