# SPDX-License-Identifier: GPL-2.0
"""What is not left to chance: each attribute with each length, each file with each kind of junk,
and each kind of frame cut at every length."""

import struct

import netlink as nl
from frames import BOND_ADDRESS, v4, v6
from values import JUNK, NETLINK, SLAVE_NETLINK, SYSFS

FAR_ADDRESS = bytes([2, 0, 0, 0, 0, 0x22])
TARGET4, OUR4 = v4("192.0.2.2"), v4("192.0.2.1")
TARGET6, OUR6 = v6("2001:db8::2"), v6("2001:db8::1")
SIZES = {"u8": 1, "u16": 2, "u32": 4, "index": 4}
LENGTHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 300]


def attributes(scene):
    """Each attribute of a bond, and of a slave, with each length."""
    scene.bond("f0", nl.attribute(1, b"\1"))
    scene.enslave("f0", "e0")
    shortest = {number: SIZES.get(kind, 0) for number, kind, _, _ in NETLINK.values()}
    for number in list(range(len(NETLINK) + 3)) + [0x3fff]:
        for length in LENGTHS:
            scene.add("refuse" if length < shortest.get(number, 0) else "set", "f0", scene.body("f0", [nl.attribute(number, bytes([1] * length))]))
        scene.add("set", "f0", scene.body("f0", [nl.nest(number, nl.attribute(0, b"\1"), nl.attribute(0, b"\1" * 4))]))
    for number in range(len(SLAVE_NETLINK) + 9):
        for length in LENGTHS:
            scene.add("nl", nl.RTM_NEWLINK, 0, (nl.ifinfo() + nl.attribute(nl.IFLA_IFNAME, b"e0\0") + nl.nest(
                nl.IFLA_LINKINFO, nl.attribute(nl.IFLA_INFO_SLAVE_KIND, b"bond\0"),
                nl.nest(nl.IFLA_INFO_SLAVE_DATA, nl.attribute(number, bytes([1] * length))))).hex())


def targets(scene):
    """Lists that are too long, members that are too short, and the largest possible answer."""
    scene.bond("f0", nl.attribute(1, b"\1"))
    for number, length in ((8, 4), (31, 16)):
        for count in (1, 15, 16, 17, 60):
            members = [nl.attribute(place, bytes([0x20, 1, 2, place + 1]) + bytes(length - 4)) for place in range(count)]
            scene.add("set", "f0", scene.body("f0", [nl.nest(number, *members)]))
            scene.add("check")
        for size in range(length + 3):
            scene.add("set", "f0", scene.body("f0", [nl.nest(number, nl.attribute(0, b"\1" * size))]))
        for size in (0, 1, 2, 3, 5, 7, 0xffff):
            scene.add("set", "f0", scene.body("f0", [nl.nest(number, struct.pack("=HH", size, 0) + b"\1" * 16)]))


def texts(scene):
    """Each file with each kind of junk."""
    scene.bond("f0", nl.attribute(1, b"\1"))
    scene.enslave("f0", "e0")
    junk = [text.encode("latin-1") for text in JUNK] + [b"x" * size for size in (15, 16, 32, 33, 4095, 4096, 4097)] + \
        [b"\xff\xfe\x80", b"1\0x", b" " * 4000 + b"1", bytes(range(1, 256))]
    for option in sorted(SYSFS):
        for text in junk:
            for end in (b"", b"\n"):
                scene.add("write", f"f0/bonding/{option}", (text + end).hex() or "-")
    for sign in (b"", b"+", b"-"):
        for text in junk:
            # "+1" and the like are valid names.
            scene.add("write", "bonding_masters", (sign + text).hex() or "-")
    scene.add("world")


def arp(operation, sender, target):
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + FAR_ADDRESS + sender + BOND_ADDRESS + target


def ipv4(protocol, body):
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0) + TARGET4 + OUR4 + body


def ipv6(protocol, body):
    return struct.pack("!IHBB", 0x60000000, len(body), protocol, 255) + TARGET6 + OUR6 + body


def ethernet(kind, payload):
    return BOND_ADDRESS + FAR_ADDRESS + struct.pack("!H", kind) + payload


def tagged(frame, *tags):
    return frame[:12] + b"".join(struct.pack("!HH", tag, 5) for tag in tags) + frame[12:]


def frames():
    """One frame of each kind that a bond looks into."""
    udp = struct.pack("!HHHH", 1000, 4789, 60, 0)
    tcp = struct.pack("!HHIIBBHHH", 1000, 80, 1, 1, 0x50, 2, 1, 0, 0)
    inner = ethernet(0x0800, ipv4(17, udp))
    discovery = bytes([136, 0, 0, 0, 0x60, 0, 0, 0]) + TARGET6 + bytes([2, 1]) + FAR_ADDRESS
    lacpdu = bytes([1, 1]) + b"".join(bytes([kind, size]) + bytes(size - 2) for kind, size in ((1, 20), (2, 20), (3, 16)))
    return [
        ethernet(0x0806, arp(2, TARGET4, OUR4)),
        ethernet(0x0806, arp(1, OUR4, TARGET4)),
        ethernet(0x86dd, ipv6(58, discovery)),
        ethernet(0x86dd, ipv6(58, bytes([135]) + discovery[1:])),
        ethernet(0x8809, lacpdu + bytes(52)),
        ethernet(0x0800, ipv4(6, tcp)),
        ethernet(0x0800, bytes([0x4f]) + ipv4(6, bytes(40) + tcp)[1:]),
        ethernet(0x0800, ipv4(1, bytes([3, 1, 0, 0, 0, 0, 0, 0]) + ipv4(17, udp))),
        ethernet(0x0800, ipv4(1, bytes([8, 0, 0, 0, 1, 2, 0, 1]))),
        ethernet(0x0800, ipv4(4, ipv4(6, tcp))),
        ethernet(0x0800, ipv4(41, ipv6(17, udp))),
        ethernet(0x0800, ipv4(47, b"\x20\0\x65\x58" + b"\0\0\0\1" + inner)),
        ethernet(0x0800, ipv4(17, udp + b"\x08\0\0\0\0\0\1\0" + inner)),
        ethernet(0x0800, ipv4(51, bytes([6, 4]) + bytes(22) + tcp)),
        ethernet(0x0800, ipv4(50, bytes(16))),
        ethernet(0x0800, ipv4(2, bytes([0x16, 0, 0, 0, 224, 0, 0, 5]))),
        ethernet(0x86dd, ipv6(6, tcp)),
        ethernet(0x86dd, ipv6(0, bytes([43, 0]) + bytes(6) + bytes([44, 0]) + bytes(6) + bytes([17, 0]) + bytes(6) + udp)),
        ethernet(0x86dd, ipv6(58, bytes([1, 0]) + bytes(6) + ipv6(6, tcp))),
        ethernet(0x88cc, bytes(40)),
        ethernet(0x0026, bytes(38)),
    ]


def received(scene):
    """Each frame, with and without tags, in one piece and in two, cut at every length."""
    members = [nl.attribute(8, nl.attribute(0, TARGET4)), nl.attribute(31, nl.attribute(0, TARGET6))]
    scene.bond("f0", nl.attribute(1, b"\1"), nl.attribute(7, struct.pack("=I", 1000)), nl.attribute(9, struct.pack("=I", 3)),
               *members)
    scene.enslave("f0", "a0", "b0")
    scene.address("f0")
    for frame in frames():
        for tags in ((), (0x8100,), (0x88a8, 0x8100)):
            for linear in (14, 1000):
                scene.add("rx", "a0p", "cut", 0, 1, linear, tagged(frame, *tags).hex())
            scene.add("rx", "b0p", "cut", 0, 1, 1000, tagged(frame, *tags).hex())


def sent(scene):
    """Each frame through each hash."""
    scene.bond("f1", nl.attribute(1, b"\2"), nl.attribute(3, struct.pack("=I", 100)))
    scene.enslave("f1", "e0", "e1")
    scene.add("pause", 200)
    for policy in range(6):
        scene.add("set", "f1", scene.body("f1", [nl.attribute(14, bytes([policy]))]))
        for frame in frames():
            scene.add("tx", "f1", "cut", 0, 1, 14, frame.hex())
        for frame in frames()[::4]:
            scene.add("tx", "f1", "cut", 0, 1, 1000, tagged(frame, 0x8100, 0x88a8).hex())


def write(scene):
    for part in (attributes, targets, texts, received, sent):
        scene.script.lines.append(f"# {part.__name__}")
        scene.add("world")
        part(scene)
        scene.script.lines.append("check")
