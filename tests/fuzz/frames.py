# SPDX-License-Identifier: GPL-2.0
"""Frames of all kinds that a bond looks into, most of them nearly right."""

import socket
import struct

OURS4, TARGETS4 = "192.0.2.1", ["192.0.2.2", "192.0.2.3", "192.0.2.77", "0.0.0.0", "255.255.255.255", "224.0.0.1"]
OURS6, TARGETS6 = "2001:db8::1", ["2001:db8::2", "fe80::2", "ff02::1", "ff02::1:ff00:2", "::", "2001:db8::1"]
BOND_ADDRESS = bytes([2, 0, 0, 0, 0x0f, 0])
ADDRESSES = [BOND_ADDRESS] * 6 + [b"\xff" * 6, bytes([2, 0, 0, 0, 0, 10]), bytes([2, 0, 0, 0, 0, 0x22]), bytes(6),
                                  bytes.fromhex("0180c2000002"), bytes.fromhex("0180c2000000"),
                                  bytes.fromhex("01005e000001"), bytes.fromhex("333300000001"),
                                  bytes.fromhex("3333ff000001")]
TAGS = [0x8100, 0x88a8]


def v4(text):
    return socket.inet_pton(socket.AF_INET, text)


def v6(text):
    return socket.inet_pton(socket.AF_INET6, text)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Frames:
    """Makes frames from a source of random numbers."""

    def __init__(self, rng):
        self.rng = rng

    def chance(self, percent):
        return self.rng.randrange(100) < percent

    def junk(self, most):
        return self.rng.randbytes(self.rng.randrange(most + 1))

    def number(self, bits, *likely):
        return self.rng.choice(likely) if likely and self.chance(85) else self.rng.getrandbits(bits)

    # -- link layer ----------------------------------------------------------------------

    def frame(self):
        """Any kind of frame, behind zero, one or more tags."""
        kinds = [(self.arp, 0x0806, 22), (self.discovery, 0x86dd, 22), (self.ipv4, 0x0800, 20), (self.ipv6, 0x86dd, 16),
                 (self.lacpdu, 0x8809, 6), (self.other, None, 6)]
        make, kind, _ = self.rng.choices(kinds, [weight for _, _, weight in kinds])[0]
        payload = make()
        if kind is None:
            kind, payload = payload
        destination = bytes.fromhex("0180c2000002") if kind == 0x8809 and self.chance(80) else self.rng.choice(ADDRESSES)
        return self.ethernet(kind, payload, destination)

    def ethernet(self, kind, payload, destination=BOND_ADDRESS):
        tags = self.rng.choice([0] * 7 + [1, 1, 1, 2, 2, 3, 33, 40])
        head = b""
        for _ in range(tags):
            head += struct.pack("!HH", self.number(16, *TAGS), self.rng.getrandbits(16))
        frame = destination + self.rng.choice(ADDRESSES) + head + struct.pack("!H", kind) + payload
        return frame + b"\0" * max(0, 60 - len(frame)) if self.chance(50) else frame

    def other(self):
        """A type, and the bytes that follow it."""
        kind = self.rng.choice([0x8847, 0x8864, 0x88cc, 0x8035, 0x0004, 0x0026, 0x05dc, 0x88e5, 0x8906, 0xffff, 0, 0x8902])
        return kind, self.junk(80)

    def lacpdu(self):
        body = bytes([self.number(8, 1, 2), self.number(8, 1)])
        for kind, length in ((1, 20), (2, 20), (3, 16), (0, 0)):
            body += bytes([self.number(8, kind), self.number(8, length)]) + self.rng.randbytes(max(0, length - 2))
        return body + bytes(self.rng.choice([0, 50, 52, 100]))

    # -- what the ARP monitor reads ---------------------------------------------------------

    def arp(self):
        sender, target = self.rng.choice(TARGETS4), OURS4
        if self.chance(40):
            sender, target = target, sender
        length = self.number(8, 6, 6, 6, 6, 0, 20, 255)
        real = length if self.chance(70) else 6
        return struct.pack("!HHBBH", self.number(16, 1, 1, 1, 32), self.number(16, 0x0800), length,
                           self.number(8, 4), self.number(16, 1, 2)) + \
            self.rng.randbytes(real) + v4(sender) + self.rng.randbytes(real) + v4(target)

    def discovery(self):
        source, destination = self.rng.choice(TARGETS6), OURS6
        if self.chance(40):
            source, destination = destination, source
        kind = self.number(8, 135, 136, 136, 133, 134, 137)
        body = bytes([kind, self.number(8, 0)]) + bytes(2) + struct.pack("!I", self.rng.getrandbits(32)) + \
            v6(self.rng.choice(TARGETS6))
        while self.chance(60) and len(body) < 600:
            length = self.number(8, 1, 1, 0)
            body += bytes([self.number(8, 1, 2, 3, 5), length]) + self.rng.randbytes(6)
        return self.ipv6_header(58, self.checked6(source, destination, 58, body, 2), source, destination,
                                hops=self.number(8, 255))

    def checked6(self, source, destination, protocol, body, place):
        if self.chance(15):
            return body
        total = checksum(v6(source) + v6(destination) + struct.pack("!II", len(body), protocol) + body)
        return body[:place] + struct.pack("!H", total) + body[place + 2:]

    # -- what hashes are made of --------------------------------------------------------------

    def ipv4(self, depth=0):
        protocol, body = self.transport(depth, 4)
        options = bytes(self.rng.choice([0] * 6 + [4, 8, 40]))
        words = self.number(4, 5 + len(options) // 4)
        fragment = self.rng.choice([0] * 6 + [0x4000, 0x2000, 0x0001, 0x2005, 0x1fff, 0x8000])
        source, destination = self.rng.choice(TARGETS4 + [OURS4]), self.rng.choice(TARGETS4 + [OURS4])
        length = self.number(16, 20 + len(options) + len(body))
        header = struct.pack("!BBHHHBBH4s4s", 0x40 | words if self.chance(95) else self.rng.getrandbits(8), 0, length,
                             1, fragment, 64, protocol, 0, v4(source), v4(destination)) + options
        if self.chance(85):
            header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
        return header + body

    def ipv6_header(self, protocol, body, source, destination, hops=64):
        length = self.number(16, len(body))
        return struct.pack("!IHBB", 0x60000000 | self.number(20, 0), length, protocol, hops) + \
            v6(source) + v6(destination) + body

    def ipv6(self, depth=0):
        protocol, body = self.transport(depth, 6)
        chain = [self.rng.choice([0, 43, 44, 60, 51, 135, 139, 59]) for _ in range(self.rng.choice([0, 0, 1, 2, 7, 30]))]
        for kind in reversed(chain):
            if kind == 44:
                head = bytes([protocol, 0]) + struct.pack("!HI", self.number(16, 0, 1, 8), self.rng.getrandbits(32))
            else:
                words = self.number(8, 0, 0, 1, 255)
                head = bytes([protocol, words]) + self.rng.randbytes(6 + (8 * words if self.chance(70) else 0))
            protocol, body = kind, head + body
        return self.ipv6_header(protocol, body[:8000], self.rng.choice(TARGETS6), self.rng.choice(TARGETS6))

    def transport(self, depth, version):
        """A protocol, and the bytes that follow it."""
        ports = struct.pack("!HH", self.number(16, 0, 53, 4789, 6081), self.number(16, 0, 80, 4789, 6081))
        kinds = [6, 17, 17, 1, 58, 47, 4, 41, 50, 51, 132, 33, 136, 2, 255]
        kind = self.rng.choice(kinds)
        if depth > 3 and kind in (47, 4, 41):
            kind = 17
        if kind == 6:
            return kind, ports + struct.pack("!IIBBHHH", 1, 1, self.number(8, 0x50), 2, 1, 0, 0) + self.junk(40)
        if kind in (17, 136):
            body = self.tunnel_of_udp(depth) if depth < 4 and self.chance(40) else self.junk(40)
            return kind, ports + struct.pack("!HH", self.number(16, len(body) + 8), self.number(16, 0)) + body
        if kind in (1, 58):
            inner = (self.ipv4(depth + 1) if version == 4 else self.ipv6(depth + 1)) if depth < 4 and self.chance(60) \
                else self.junk(40)
            types = (0, 3, 4, 5, 8, 11, 12, 13) if kind == 1 else (1, 2, 3, 4, 128, 129, 130, 135)
            return kind, bytes([self.number(8, *types), self.number(8, 0)]) + self.rng.randbytes(6) + inner
        if kind == 47:
            return kind, self.gre(depth)
        if kind == 4:
            return kind, self.ipv4(depth + 1)
        if kind == 41:
            return kind, self.ipv6(depth + 1)
        if kind == 51:
            return kind, bytes([self.number(8, 6, 17), self.number(8, 4)]) + self.rng.randbytes(self.rng.choice([6, 10, 22]))
        return kind, ports + self.junk(30)

    def gre(self, depth):
        flags = self.number(16, 0, 0x2000, 0x3000, 0xb000, 0x2001, 0x4000)
        kind = self.number(16, 0x0800, 0x86dd, 0x6558, 0x880b)
        head = struct.pack("!HH", flags, kind)
        for bit in (0x8000, 0x2000, 0x1000):
            head += self.rng.randbytes(4) if flags & bit else b""
        return head + self.inside(kind, depth)

    def tunnel_of_udp(self, depth):
        """VXLAN or Geneve."""
        return self.rng.choice([b"\x08\0\0\0", b"\0\0\x65\x58", b"\x02\0\x65\x58"]) + self.rng.randbytes(4) + \
            self.inside(0x6558, depth)

    def inside(self, kind, depth):
        if kind == 0x0800:
            return self.ipv4(depth + 1)
        if kind == 0x86dd:
            return self.ipv6(depth + 1)
        if kind == 0x6558:
            return self.ethernet(0x0800, self.ipv4(depth + 1)) if self.chance(50) else \
                self.ethernet(0x86dd, self.ipv6(depth + 1))
        return self.junk(40)
