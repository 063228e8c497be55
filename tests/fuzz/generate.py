#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Print a script of operations for tests/fuzz/guest/fuzz.c, from a seed.

  generate.py SEED [OPERATIONS]
  generate.py basics              what need not be left to chance

The same seed and number give the same script everywhere, as long as this generator stays as it is; so
what was found is kept as a script, in tests/fuzz/corpus.
"""

import os
import random
import socket
import struct
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
OTHERS = os.path.join(os.path.dirname(HERE), "differential")
sys.path[:0] = [HERE, OTHERS, os.path.join(OTHERS, "guest")]
sys.dont_write_bytecode = True

import basics  # noqa: E402
import netlink as nl  # noqa: E402
from frames import BOND_ADDRESS, Frames  # noqa: E402
from values import JUNK, NETLINK, PARAMETERS, SLAVE_NETLINK, SYSFS  # noqa: E402

BONDS = ["f0", "f1", "f2"]
SLAVES = ["a0", "b0", "c0", "d0", "e0", "e1"]
FAR = ["a0p", "b0p", "c0p", "d0p"]
# Interface numbers of the bonds: requests can name them before they exist.
INDEX = {"f0": 2000, "f1": 2001, "f2": 2002, "lo": 1}
RTM_NEWADDR, RTM_SETLINK = 20, 19
IFLA_TXQLEN, IFLA_LINK_NETNSID, IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES = 13, 37, 31, 32
EPISODE = 90
BETWEEN_CHECKS = 18
BONDING_IOCTLS = [0x8990, 0x8991, 0x8992, 0x8993, 0x8994, 0x8995, 0x89f0, 0x89f1, 0x89f2, 0x89fb, 0x89fc, 0x89fd,
                  0x8947, 0x8948, 0x8949]
BOND_FILES = sorted(SYSFS) + ["ad_num_ports", "ad_actor_key", "ad_partner_key"]
SLAVE_FILES = ["state", "mii_status", "link_failure_count", "perm_hwaddr", "queue_id", "ad_aggregator_id",
               "ad_actor_oper_port_state", "ad_partner_oper_port_state"]
POLICIES = ["layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac"]


def hexed(data):
    return data.hex() or "-"


class Script:
    """The operations, and the state that makes most of them meaningful."""

    def __init__(self, seed):
        self.rng = random.Random(f"fuzz {seed}")
        self.frames = Frames(self.rng)
        self.lines = []
        self.operations = 0

    def add(self, *words):
        self.lines.append(" ".join(str(word) for word in words))
        self.operations += 1
        if self.operations % BETWEEN_CHECKS == 0:
            self.lines.append("check")

    def chance(self, percent):
        return self.rng.randrange(100) < percent

    def write(self, operations):
        scenes = [Options, Options, Members, Receive, Transmit, Requests]
        number = 0
        while self.operations < operations:
            scene = scenes[number % len(scenes)](self)
            end = min(self.operations + EPISODE, operations)
            self.lines.append(f"# {type(scene).__name__}")
            self.add("world")
            scene.begin()
            while self.operations < end:
                self.rng.choices(list(scene.weights), list(scene.weights.values()))[0](scene)
            self.lines.append("check")
            number += 1
        return self.lines


class Scene:
    """What all episodes can do."""

    def __init__(self, script):
        self.script = script
        self.rng = script.rng
        self.add = script.add
        self.chance = script.chance
        self.frames = script.frames
        self.cut = 0

    # -- good requests, to begin with -----------------------------------------------------

    def bond(self, name, *options):
        self.add("nl", nl.RTM_NEWLINK, nl.NLM_F_CREATE | nl.NLM_F_EXCL, hexed(self.bond_body(
            name, options, nl.ifinfo(INDEX[name]), nl.attribute(nl.IFLA_ADDRESS, BOND_ADDRESS[:5] + bytes([int(name[1])])))))
        self.up(name)

    def body(self, name, options):
        return hexed(self.bond_body(name, options))

    def bond_body(self, name, options, head=None, *more):
        return (head or nl.ifinfo()) + nl.attribute(nl.IFLA_IFNAME, name.encode() + b"\0") + b"".join(more) + \
            nl.nest(nl.IFLA_LINKINFO, nl.attribute(nl.IFLA_INFO_KIND, b"bond\0"), nl.nest(nl.IFLA_INFO_DATA, *options))

    def up(self, name, up=True):
        self.add("nl", nl.RTM_NEWLINK, 0, hexed(nl.ifinfo(0, int(up), 1) + nl.attribute(nl.IFLA_IFNAME, name.encode() + b"\0")))

    def enslave(self, bond, *slaves):
        for slave in slaves:
            self.add("nl", nl.RTM_NEWLINK, 0, hexed(nl.ifinfo() + nl.attribute(nl.IFLA_IFNAME, slave.encode() + b"\0") +
                                                    nl.attribute(nl.IFLA_MASTER, struct.pack("=I", INDEX[bond]))))

    def address(self, bond):
        for family, text, length in ((socket.AF_INET, "192.0.2.1", 24), (socket.AF_INET6, "2001:db8::1", 64)):
            address = socket.inet_pton(family, text)
            # The address is not tentative: nobody else has it.
            body = struct.pack("=BBBBI", family, length, 2, 0, INDEX[bond]) + \
                nl.attribute(2, address) + nl.attribute(1, address)
            self.add("nl", RTM_NEWADDR, nl.NLM_F_CREATE, hexed(body))

    # -- values -----------------------------------------------------------------------------

    def any_bond(self):
        return self.rng.choice(BONDS)

    def any_slave(self):
        return self.rng.choice(SLAVES)

    def fill(self, value):
        if isinstance(value, str):
            value = value.replace("DEVICE", self.any_slave()).replace("BOND", self.any_bond())
        return value

    def payload(self, kind, value):
        """A valid payload of an attribute."""
        value = self.fill(value)
        if kind == "index":
            return struct.pack("=I", INDEX.get(value, self.rng.choice([0, 3, 4, 5, 6, 7, 8, 9, 10, 99999])))
        if kind in ("list4", "list6"):
            family = socket.AF_INET if kind == "list4" else socket.AF_INET6
            return b"".join(nl.attribute(number, socket.inet_pton(family, text)) for number, text in enumerate(value))
        if kind == "raw":
            return bytes.fromhex(value)
        form = {"u8": "=B", "u16": "=H", "u32": "=I", "s32": "=i"}[kind]
        return struct.pack(form, value & (1 << 8 * struct.calcsize(form)) - 1 if form != "=i" else value)

    def option(self, table=NETLINK, odd=35):
        """One attribute of a bond or a slave."""
        number, kind, good, bad = self.rng.choice(list(table.values()))
        if not self.chance(odd):
            pool = bad if not good or bad and self.chance(20) else good
            return nl.attribute(number | (nl.NLA_F_NESTED if kind.startswith("list") and self.chance(50) else 0),
                                self.payload(kind, self.rng.choice(pool)))
        what = self.rng.randrange(9)
        if what == 0:
            return nl.attribute(number, self.rng.randbytes(self.rng.choice([0, 1, 2, 3, 4, 5, 8, 16, 64, 300])))
        if what == 1:
            return nl.attribute(number, struct.pack("=I", self.rng.choice([0, 1, 2, 6, 0x7fffffff, 0x80000000, 0xffffffff])))
        if what == 2:
            return nl.attribute(self.rng.choice([0, 23, 35, 36, 50, 51, 60, 255, 0x3fff]), self.rng.randbytes(4))
        if what == 3:
            return nl.attribute(number | self.rng.choice([0x8000, 0x4000, 0xc000]), self.rng.randbytes(4))
        if what == 4:
            return self.targets()
        if what == 5:
            one = nl.attribute(number, self.payload(kind, self.rng.choice(good or bad)))
            return one * self.rng.choice([2, 3, 40])
        if what == 6:
            inner = b""
            for _ in range(self.rng.choice([1, 5, 60])):
                inner = nl.nest(number, inner)
            return inner
        if what == 7:
            length = self.rng.choice([0, 1, 3, 4, 5, 7, 8, 12, 0x100, 0xffff])
            return struct.pack("=HH", length, number) + self.rng.randbytes(self.rng.choice([0, 4, 8, 12]))
        return nl.attribute(number, bytes(self.rng.choice([0, 1, 7, 4000])))

    def targets(self):
        """Lists of targets with odd lengths and odd members."""
        number, length = self.rng.choice([(8, 4), (31, 16)])
        members = b""
        for place in range(self.rng.choice([0, 1, 2, 15, 16, 17, 40])):
            size = length if self.chance(93) else self.rng.choice([0, 1, 3, 5, 15, 17, 40])
            member = self.rng.choice([bytes(size), b"\xff" * size, self.rng.randbytes(size), self.rng.randbytes(size),
                                      self.rng.randbytes(size)])
            members += nl.attribute(place if self.chance(80) else self.rng.getrandbits(16), member)
        if self.chance(15):
            members = self.broken(members)
        return nl.attribute(number | (nl.NLA_F_NESTED if self.chance(50) else 0), members)

    def broken(self, data, first=0):
        """Change some bytes, or cut off the end."""
        data = bytearray(data)
        for _ in range(self.rng.choice([1, 1, 2, 4])):
            if len(data) > first:
                data[self.rng.randrange(first, len(data))] = self.rng.choice([0, 1, 4, 0x7f, 0x80, 0xff, self.rng.getrandbits(8)])
        if self.chance(25):
            del data[self.rng.randrange(first, len(data) + 1):]
        return bytes(data)

    # -- operations -----------------------------------------------------------------------

    def set_options(self):
        bond = self.any_bond()
        options = [self.option() for _ in range(self.rng.choice([1, 1, 1, 2, 3, 6]))]
        self.add("set", bond, self.body(bond, options))

    def good_option(self):
        bond = self.any_bond()
        self.add("set", bond, self.body(bond, [self.option(odd=0)]))

    def set_slave(self):
        options = [self.option(SLAVE_NETLINK, 50) for _ in range(self.rng.choice([1, 1, 2, 4]))]
        body = nl.ifinfo() + nl.attribute(nl.IFLA_IFNAME, self.any_slave().encode() + b"\0") + nl.nest(
            nl.IFLA_LINKINFO, nl.attribute(nl.IFLA_INFO_SLAVE_KIND, b"bond\0"), nl.nest(nl.IFLA_INFO_SLAVE_DATA, *options))
        self.add("nl", nl.RTM_NEWLINK, 0, hexed(body))

    def odd_request(self):
        """A request for a bond, any part of which may be wrong."""
        name = self.rng.choice(BONDS + BONDS + SLAVES)
        kind = self.rng.choice([b"bond\0"] * 8 + [b"bond", b"", b"bond\0bond\0", b"b" * 60, b"\0", b"Bond\0"])
        options = [self.option() for _ in range(self.rng.choice([0, 1, 2, 3, 20]))]
        parts = [nl.attribute(nl.IFLA_INFO_KIND, kind), nl.nest(nl.IFLA_INFO_DATA, *options)]
        if self.chance(30):
            parts += [nl.attribute(nl.IFLA_INFO_SLAVE_KIND, kind),
                      nl.nest(nl.IFLA_INFO_SLAVE_DATA, *[self.option(SLAVE_NETLINK) for _ in range(2)])]
        if self.chance(10):
            self.rng.shuffle(parts)
        if self.chance(10):
            parts.pop(self.rng.randrange(len(parts)))
        more = []
        while self.chance(30):
            more.append(self.rng.choice([
                lambda: nl.attribute(nl.IFLA_ADDRESS, self.rng.choice([BOND_ADDRESS, bytes(6), b"\xff" * 6,
                                                                       self.rng.randbytes(self.rng.randrange(40))])),
                lambda: nl.attribute(nl.IFLA_MTU, struct.pack("=I", self.rng.choice([0, 67, 68, 576, 1500, 9000, 65535, 65536,
                                                                                    0xffffffff]))),
                lambda: nl.attribute(nl.IFLA_MASTER, struct.pack("=I", self.rng.choice(list(INDEX.values()) + [0, 99999]))),
                lambda: nl.attribute(IFLA_NUM_TX_QUEUES, struct.pack("=I", self.rng.choice([0, 1, 16, 4096, 4097, 0xffffffff]))),
                lambda: nl.attribute(IFLA_NUM_RX_QUEUES, struct.pack("=I", self.rng.choice([0, 1, 16, 4097]))),
                lambda: nl.attribute(IFLA_TXQLEN, struct.pack("=I", self.rng.choice([0, 1, 1000, 0xffffffff]))),
            ])())
        head = nl.ifinfo(INDEX.get(name, 0) if self.chance(50) else 0, self.rng.choice([0, 1, 0x1003]),
                         self.rng.choice([0, 1, 0x381]))
        body = head + nl.attribute(nl.IFLA_IFNAME, name.encode() + b"\0") + b"".join(more) + nl.nest(nl.IFLA_LINKINFO, *parts)
        if self.chance(25):
            # Leave the head, and the name after it, intact: they keep other devices out of this.
            body = self.broken(body, len(head) + 8)
        flags = self.rng.choice([0, 0, nl.NLM_F_CREATE, nl.NLM_F_CREATE | nl.NLM_F_EXCL, 0x100])
        kind = self.rng.choice([nl.RTM_NEWLINK] * 4 + [RTM_SETLINK, nl.RTM_GETLINK])
        if self.chance(8):
            message = nl.HEADER.pack(nl.HEADER.size + len(body) + self.rng.choice([-20, -1, 0, 1, 400]), kind,
                                     flags | nl.NLM_F_REQUEST | nl.NLM_F_ACK, 1, 0) + body
            self.add("raw", hexed(message))
        else:
            self.add("nl", kind, flags, hexed(body[:60000]))

    def delete(self):
        name = self.any_bond()
        self.add("nl", nl.RTM_DELLINK, 0, hexed(self.bond_body(name, [self.option()] if self.chance(20) else [])))

    def new_bond(self):
        name = self.any_bond()
        self.bond(name, *[self.option(odd=10) for _ in range(self.rng.choice([0, 1, 3]))])

    def text(self, option):
        """The bytes to write to a file."""
        good, bad = SYSFS.get(option, ([], []))
        pool = self.rng.choice([good or JUNK, good or JUNK, good or JUNK, bad or JUNK, JUNK])
        text = self.fill(self.rng.choice(pool)).encode("latin-1") + (b"" if self.chance(10) else b"\n")
        what = self.rng.randrange(20)
        if what == 0:
            text = text[:1] * self.rng.choice([2, 16, 17, 4095, 4096, 4097, 9000])
        elif what == 1:
            text = self.rng.randbytes(self.rng.choice([1, 2, 8, 40, 4096]))
        elif what == 2:
            place = self.rng.randrange(len(text) + 1)
            text = text[:place] + self.rng.choice([b"\0", b" ", b"\t", b"\n", b"\xa0", b":", b"+", b"%n"]) + text[place:]
        elif what == 3 and text:
            text = self.broken(text)
        elif what == 4:
            text = self.rng.choice([b" ", b"\n", b"\t \n"]) * self.rng.choice([1, 3, 2000]) + text
        elif what == 5:
            text = text + text
        return text

    def write_option(self):
        option = self.rng.choice(BOND_FILES)
        self.add("write", f"{self.any_bond()}/bonding/{option}", hexed(self.text(option)))

    def write_slave(self):
        self.add("write", f"{self.any_slave()}/bonding_slave/{self.rng.choice(SLAVE_FILES)}", hexed(self.text("queue_id")))

    def write_masters(self):
        # A bond with another name would stay for the rest of the episode; a few of those are
        # welcome.
        name = self.rng.choice([name.encode() for name in BONDS] * 3 +
                               [b"lo", b"a0", b"", b".", b"..", b"a/b", b"x:y", b"f%d", b"%s%s", b"all", b"x" * 15, b"x" * 16,
                                b"\xff\xfe", b"a\0b", b"nothing", b"f0 f1", b"x" * 4000, b"bonding_masters"])
        text = self.rng.choice([b"+", b"-", b"-", b"", b"++", b" +", b"+-"]) + name + self.rng.choice([b"\n", b"", b"\n\n", b" "])
        self.add("write", "bonding_masters", hexed(text))

    def write_parameter(self):
        name = self.rng.choice(["num_grat_arp", "num_unsol_na", "mode", "arp_ip_target"])
        self.add("write", f"/sys/module/bonding/parameters/{name}", hexed(self.text("num_grat_arp")))

    def read(self):
        path = self.rng.choice(["/proc/net/bonding/" + self.any_bond(), "bonding_masters",
                                f"{self.any_bond()}/bonding/{self.rng.choice(BOND_FILES)}",
                                f"{self.any_slave()}/bonding_slave/{self.rng.choice(SLAVE_FILES)}",
                                "/sys/kernel/debug/bonding/" + self.any_bond()])
        self.add("read", path, self.rng.choice([1, 7, 100, 4096, 65536]))

    def ioctl(self):
        number = self.rng.choice(BONDING_IOCTLS)
        slave = self.rng.choice(SLAVES + ["lo", "nothing", "x" * 15]).encode()
        if number in (0x8993, 0x8994, 0x89fb, 0x89fc):
            self.add("ioctlp", number, self.any_bond(),
                     hexed(struct.pack("=i", self.rng.choice([0, 1, 2, -1, 1 << 30, -1 << 31])) + bytes(self.rng.choice([0, 28]))))
        elif self.chance(85):
            self.add("ioctl", number, self.any_bond(), hexed(slave + b"\0"))
        else:
            self.add("ioctl", number, self.any_bond(), hexed(self.rng.randbytes(self.rng.choice([0, 8, 16, 24]))))

    def member(self):
        bond, slave = self.any_bond(), self.any_slave()
        way = self.rng.randrange(10)
        if way < 4:
            self.up(slave, False)
            self.enslave(bond, slave)
        elif way < 7:
            self.add("write", f"{bond}/bonding/slaves", hexed(b"+%s\n" % slave.encode()))
        elif way < 9:
            self.add("write", f"{bond}/bonding/slaves", hexed(b"-%s\n" % slave.encode()))
        else:
            self.add("nl", nl.RTM_NEWLINK, 0, hexed(nl.ifinfo() + nl.attribute(nl.IFLA_IFNAME, slave.encode() + b"\0") +
                                                    nl.attribute(nl.IFLA_MASTER, bytes(4))))

    def flag(self):
        name = self.rng.choice(BONDS + SLAVES)
        flag = self.rng.choice([1, 1, 1, 0x100, 0x200, 0x80])
        self.add("nl", nl.RTM_NEWLINK, 0, hexed(nl.ifinfo(0, flag if self.chance(60) else 0, flag) +
                                                nl.attribute(nl.IFLA_IFNAME, name.encode() + b"\0")))

    def carrier(self):
        """Mend cut links more often than not, so that there is a way for frames."""
        if self.cut > 1 or self.cut and self.chance(60):
            for far in FAR:
                self.add("link", far, 1)
            self.cut = 0
        else:
            self.add("link", self.rng.choice(FAR), 0)
            self.cut += 1

    def pause(self):
        self.add("pause", self.rng.choice([1, 5, 20, 60]))

    def linear(self, frame):
        return self.rng.choice([len(frame), len(frame), 14, 18, 34, 54, self.rng.randrange(14, 120)])

    def send(self, way, device):
        frame = self.frames.frame()
        how = self.rng.choice(["once", "once", "once", "flip", "flip", "cut"])
        if how == "cut" and len(frame) > 150:
            frame = frame[:150]
        self.add(way, device, how, self.rng.getrandbits(32) if how == "flip" else 0, 12 if how == "flip" else 1,
                 self.linear(frame), hexed(frame))

    def receive(self):
        self.send("rx", self.rng.choice(FAR))

    def transmit(self):
        self.send("tx", self.any_bond())

    def segments(self):
        """A large packet that the device must segment."""
        frame = BOND_ADDRESS + BOND_ADDRESS + b"\x08\0" + self.frames.ipv4()[:20] + bytes(20)
        frame = frame.ljust(54, b"\0") + bytes(self.rng.choice([0, 100, 3000, 20000]))
        kind = self.rng.choice([1, 1, 3, 4, 5, 0x81])
        self.add(self.rng.choice(["tx f1", "tx f1", "rx c0p"]), "gso", kind, self.rng.choice([1, 500, 1448]),
                 self.rng.choice([54, 66, 34, 14, 100]), hexed(frame))


class Options(Scene):
    """Options of bonds with and without slaves, by netlink and sysfs."""

    weights = {Scene.set_options: 30, Scene.write_option: 34, Scene.good_option: 10, Scene.set_slave: 8, Scene.member: 6,
               Scene.write_slave: 2, Scene.write_parameter: 1, Scene.read: 5, Scene.flag: 4, Scene.receive: 2}

    def begin(self):
        mode = self.rng.choice([0, 1, 1, 1, 2, 3, 4, 4, 5, 6, 6])
        self.bond("f0", nl.attribute(1, bytes([mode])))
        self.bond("f1", nl.attribute(1, b"\1"), nl.attribute(3, struct.pack("=I", 100)))
        self.up("f1", False)
        self.enslave("f0", "a0", "b0", "e0")


class Members(Scene):
    """Bonds and slaves that come and go, in every way."""

    weights = {Scene.member: 30, Scene.write_masters: 14, Scene.delete: 4, Scene.new_bond: 8, Scene.ioctl: 16, Scene.flag: 8,
               Scene.odd_request: 8, Scene.write_option: 6, Scene.set_slave: 4, Scene.read: 4, Scene.carrier: 4,
               Scene.pause: 1}

    def begin(self):
        if self.chance(40):
            # Load the module with parameters that nobody in his right mind would use.
            words = [f"{name}={self.rng.choice(PARAMETERS[name])}"
                     for name in self.rng.sample(list(PARAMETERS), self.rng.choice([1, 2, 5]))]
            line = " ".join(words).encode("latin-1")
            self.add("load", hexed(self.broken(line) if self.chance(30) else line))
            self.add("world")
        for bond in BONDS:
            self.bond(bond, nl.attribute(1, bytes([self.rng.choice([0, 1, 1, 2, 3, 4, 5, 6])])))


class Requests(Scene):
    """Netlink messages, any part of which may be wrong."""

    weights = {Scene.odd_request: 60, Scene.set_options: 20, Scene.set_slave: 10, Scene.delete: 3, Scene.new_bond: 4,
               Scene.member: 6}

    def begin(self):
        self.bond("f0", nl.attribute(1, b"\1"))
        self.enslave("f0", "a0", "e0")


class Receive(Scene):
    """Received frames, all of which the ARP monitor looks at, or balance-alb, for what they tell of clients."""

    weights = {Scene.receive: 70, Scene.carrier: 6, Scene.write_option: 6, Scene.good_option: 4, Scene.pause: 6, Scene.read: 3,
               Scene.segments: 3}

    def begin(self):
        targets = nl.attribute(8, nl.attribute(0, bytes([192, 0, 2, 2])) + nl.attribute(1, bytes([192, 0, 2, 3])))
        targets6 = nl.nest(31, nl.attribute(0, socket.inet_pton(socket.AF_INET6, "2001:db8::2")))
        interval = struct.pack("=I", self.rng.choice([10, 20, 100, 1000]))
        self.bond("f0", nl.attribute(1, b"\1"), nl.attribute(7, interval), targets, targets6,
                  nl.attribute(9, struct.pack("=I", 3 if self.chance(80) else 6)))
        self.enslave("f0", "a0", "b0")
        self.address("f0")
        mode = self.rng.choice([0, 1, 2, 3, 6, 6])
        if mode == 6:
            self.bond("f1", nl.attribute(1, bytes([mode])), nl.attribute(3, struct.pack("=I", 100)))
        else:
            self.bond("f1", nl.attribute(1, bytes([mode])), nl.attribute(7, interval), targets)
        self.enslave("f1", "c0", "d0")

    def write_option(self):
        option = self.rng.choice(["arp_validate", "arp_all_targets", "arp_missed_max", "arp_ip_target", "arp_interval",
                                  "all_slaves_active", "primary", "active_slave"])
        self.add("write", f"{self.any_bond()}/bonding/{option}", hexed(self.text(option)))

    weights[Scene.write_option] = 0
    weights[write_option] = 6


class Transmit(Scene):
    """Transmitted frames, through each hash."""

    weights = {Scene.transmit: 60, Scene.segments: 10, Scene.carrier: 5, Scene.receive: 5}

    def begin(self):
        self.bond("f1", nl.attribute(1, b"\2"), nl.attribute(14, bytes([self.rng.randrange(6)])),
                  nl.attribute(3, struct.pack("=I", 50)))
        self.enslave("f1", "c0", "d0", "e0")
        self.bond("f0", nl.attribute(1, bytes([self.rng.choice([0, 1, 3])])), nl.attribute(3, struct.pack("=I", 50)))
        self.enslave("f0", "a0", "b0")
        # A VLAN device puts its tags beside the packets.
        self.add("nl", nl.RTM_NEWLINK, nl.NLM_F_CREATE | nl.NLM_F_EXCL, hexed(
            nl.ifinfo(0, 1, 1) + nl.attribute(nl.IFLA_IFNAME, b"f1v\0") +
            nl.attribute(nl.IFLA_LINK, struct.pack("=I", INDEX["f1"])) +
            nl.nest(nl.IFLA_LINKINFO, nl.attribute(nl.IFLA_INFO_KIND, b"vlan\0"),
                    nl.nest(nl.IFLA_INFO_DATA, nl.attribute(1, struct.pack("=H", 5))))))
        self.add("pause", 60)

    def transmit(self):
        self.send("tx", self.rng.choice(["f1", "f1", "f1", "f0", "f1v"]))

    def policy(self):
        self.add("write", "f1/bonding/xmit_hash_policy", hexed(self.rng.choice(POLICIES).encode() + b"\n"))

    weights[Scene.transmit] = 0
    weights.update({transmit: 60, policy: 12})


def script(seed, operations):
    made = Script(seed)
    if seed == "basics":
        basics.write(Scene(made))
        return made.lines
    return made.write(operations)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    print("\n".join(script(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 540)))
