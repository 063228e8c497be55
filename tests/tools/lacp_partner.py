#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
r"""A partner for LACP that does what a test tells it.

Commands come from standard input, a line each:

  DEVICE open           makes the device a port of the partner; the first one has the number 1
  DEVICE tap            the same with the far end of a tap device, which it makes; its name lacks the p
                        of DEVICE
  DEVICE speed MBPS DUPLEX  what the tap device says of itself: half or full; -1 for no speed
  all close             forgets all ports; tap devices go away

  DEVICE NAME=VALUE...  what the port says of itself from now on (system, priority, key, port,
                        port_priority, state), each once in an LACPDU at once; or how it behaves:
                        every=MS sends an LACPDU each so many ms (0: none), answers=yes|no answers
                        an LACPDU that says something new, reflects=yes|no|wrong tells the other end
                        what it has said (wrong: with another key), xor=BITS changes these bits of
                        the state in that, changes=yes has it be another system in each LACPDU
  DEVICE raw HEX        sends this frame
  DEVICE frame HEX      sends a frame with this payload behind the addresses and the type 0x8809
  DEVICE flood COUNT    sends so many LACPDUs, each from another port than the one before

What is heard goes to standard output, a line for each LACPDU, with the time at which the kernel has
received it, in ms:

  TIME DEVICE SOURCE actor SYSTEM KEY PORT-PRIORITY PORT STATE partner SYSTEM KEY PORT-PRIORITY PORT STATE \
    SYSTEM-PRIORITY
  TIME DEVICE SOURCE other HEX
"""

import array
import fcntl
import os
import select
import socket
import struct
import sys
import time

from scapy.contrib.lacp import LACP, SlowProtocol
from scapy.layers.l2 import Ether

ETH_P_SLOW = 0x8809
SO_TIMESTAMPNS = 35
GROUP = "01:80:c2:00:00:02"
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 2, 0x1000
SIOCETHTOOL, ETHTOOL_SSET = 0x8946, 2
DEFAULTS = {"priority": 100, "key": 7, "port_priority": 200, "state": 0x3f, "every": 1000, "xor": 0,
            "answers": "yes", "reflects": "yes", "changes": "no"}


class Port:
    """One port: what it says, and what it has heard."""

    def __init__(self, device, number):
        self.device = self.name = device
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_SLOW))
        self.socket.bind((device, ETH_P_SLOW))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        with open(f"/sys/class/net/{device}/address", encoding="ascii") as file:
            self.address = file.read().strip()
        self.values = {**DEFAULTS, "system": "02:00:00:00:00:aa", "port": number}
        self.heard = None
        self.next = None

    def set(self, words):
        for word in words:
            name, value = word.split("=", 1)
            is_text = name in ("system", "answers", "reflects", "changes")
            self.values[name] = value if is_text else int(value, 0)
        self.send()

    def pdu(self):
        said = self.values
        partner = {}
        if self.heard and said["reflects"] != "no":
            heard = self.heard
            partner = {"partner_system_priority": heard.actor_system_priority, "partner_system": heard.actor_system,
                       "partner_key": heard.actor_key, "partner_port_priority": heard.actor_port_priority,
                       "partner_port_number": heard.actor_port_number,
                       "partner_state": heard.actor_state ^ said["xor"]}
            if said["reflects"] == "wrong":
                partner["partner_key"] ^= 1
        return LACP(actor_system_priority=said["priority"], actor_system=said["system"], actor_key=said["key"],
                    actor_port_priority=said["port_priority"], actor_port_number=said["port"],
                    actor_state=said["state"], **partner)

    def send(self, payload=None):
        if self.values["changes"] == "yes":
            head, last = self.values["system"].rsplit(":", 1)
            self.values["system"] = f"{head}:{(int(last, 16) + 1) % 256:02x}"
        payload = payload if payload is not None else bytes(SlowProtocol() / self.pdu())
        self.put(bytes(Ether(src=self.address, dst=GROUP, type=ETH_P_SLOW)) + payload)
        self.plan()

    def close(self):
        self.socket.close()

    def put(self, frame):
        self.socket.send(frame)

    def get(self):
        """A frame with the time of its arrival in ms; None if it is one of ours."""
        try:
            frame, stamps, _, address = self.socket.recvmsg(2048, 512)
        except OSError:
            # The device has gone down: what has arrived before can still be read.
            frame, stamps, _, address = self.socket.recvmsg(2048, 512, socket.MSG_DONTWAIT)
        seconds, nanoseconds = struct.unpack("qq", stamps[0][2])
        return None if address[2] == socket.PACKET_OUTGOING else (frame, seconds * 1000 + nanoseconds // 1000000)

    def plan(self):
        every = self.values["every"]
        self.next = time.monotonic() + every / 1000 if every else None

    def flood(self, count):
        own = self.values["port"]
        for number in range(count):
            self.values["port"] = 1000 + number
            self.send()
        self.values["port"] = own

    def receive(self):
        got = self.get()
        if not got:
            return
        frame, at = got
        head = f"{at} {self.device} {Ether(frame[:14]).src}"
        if frame[14] != 1 or len(frame) < 124:
            print(head, "other", frame[14:].hex(), flush=True)
            return
        pdu = LACP(frame[15:])
        print(head, "actor", pdu.actor_system, pdu.actor_key, pdu.actor_port_priority, pdu.actor_port_number,
              pdu.actor_state, "partner", pdu.partner_system, pdu.partner_key, pdu.partner_port_priority,
              pdu.partner_port_number, pdu.partner_state, pdu.actor_system_priority, flush=True)

        def said(it):
            return it and (it.actor_system, it.actor_key, it.actor_port_number, it.actor_port_priority, it.actor_state)
        is_new = said(pdu) != said(self.heard)
        self.heard = pdu
        if is_new and self.values["answers"] == "yes":
            self.send()


class Tap(Port):
    """The far end of a tap device, whose speed can be set."""

    def __init__(self, device, number):
        # pylint: disable=super-init-not-called
        self.device = device
        self.name = device.removesuffix("p")
        self.socket = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.socket, TUNSETIFF, struct.pack("16sH22x", self.name.encode(), IFF_TAP | IFF_NO_PI))
        self.address = f"02:00:00:00:fe:{number:02x}"
        self.values = {**DEFAULTS, "system": "02:00:00:00:00:aa", "port": number}
        self.heard = None
        self.next = None

    def close(self):
        os.close(self.socket)

    def put(self, frame):
        os.write(self.socket, frame)

    def get(self):
        frame = os.read(self.socket, 2048)
        return (frame, time.time_ns() // 1000000) if frame[12:14] == b"\x88\x09" else None

    def speed(self, speed, duplex):
        speed &= 0xffffffff
        # struct ethtool_cmd
        command = array.array("B", struct.pack("=IIIHBBBBBBIIHBBI8x", ETHTOOL_SSET, 0, 0, speed & 0xffff,
                                               ("half", "full").index(duplex), 0, 0, 0, 0, 0, 0, 0, speed >> 16,
                                               0, 0, 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, SIOCETHTOOL, struct.pack("16sP16x", self.name.encode(), command.buffer_info()[0]))


def main():
    ports = {}
    commands = b""
    while True:
        due = [port.next for port in ports.values() if port.next]
        wait = max(0, min(due) - time.monotonic()) if due else None
        readable, _, _ = select.select([0, *(port.socket for port in ports.values())], [], [], wait)
        for device, port in list(ports.items()):
            try:
                if port.socket in readable:
                    port.receive()
                if port.next and port.next <= time.monotonic():
                    port.send()
            except OSError:
                # The device is down, or gone.
                port.plan()
                if not os.path.exists(f"/sys/class/net/{port.name}"):
                    port.close()
                    del ports[device]
        if 0 in readable:
            chunk = sys.stdin.buffer.raw.read(65536)
            if not chunk:
                return
            *lines, commands = (commands + chunk).split(b"\n")
            for line in lines:
                device, *words = line.decode().split()
                if words[0] == "close":
                    for port in ports.values():
                        port.close()
                    ports = {}
                    continue
                if words[0] in ("open", "tap"):
                    ports[device] = (Port if words[0] == "open" else Tap)(device, len(ports) + 1)
                    print("0", device, "open", flush=True)
                    continue
                port = ports[device]
                if words[0] == "frame":
                    port.send(bytes.fromhex(words[1]))
                elif words[0] == "raw":
                    port.put(bytes.fromhex(words[1]))
                elif words[0] == "speed":
                    port.speed(int(words[1]), words[2])
                    print("0", device, *words, flush=True)
                elif words[0] == "flood":
                    port.flood(int(words[1]))
                else:
                    port.set(words)


if __name__ == "__main__":
    main()
