#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A partner for LACP that does what a test tells it.

Commands come from standard input, a line each:

  DEVICE open           makes the device a port of the partner; the first one has the number 1
  all close             forgets all ports

  DEVICE NAME=VALUE...  what the port says of itself from now on (system, priority, key, port,
                        port_priority, state), each once in an LACPDU at once; or how it behaves:
                        every=MS sends an LACPDU each so many ms (0: none), answers=yes|no answers
                        an LACPDU that says something new, reflects=yes|no tells the other end what
                        it has said
  DEVICE frame HEX      sends a frame with this payload behind the addresses and the type 0x8809
  DEVICE flood COUNT    sends so many LACPDUs, each from another port than the one before

What is heard goes to standard output, a line for each LACPDU, with the time at which the kernel has
received it, in ms:

  TIME DEVICE SOURCE actor SYSTEM KEY PORT-PRIORITY PORT STATE partner SYSTEM KEY PORT-PRIORITY PORT STATE
  TIME DEVICE SOURCE other HEX
"""

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
DEFAULTS = {"priority": 100, "key": 7, "port_priority": 200, "state": 0x3f, "every": 1000,
            "answers": "yes", "reflects": "yes"}


class Port:
    """One port: what it says, and what it has heard."""

    def __init__(self, device, number):
        self.device = device
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
            is_text = name in ("system", "answers", "reflects")
            self.values[name] = value if is_text else int(value, 0)
        self.send()

    def pdu(self):
        said = self.values
        partner = {}
        if self.heard and said["reflects"] == "yes":
            heard = self.heard
            partner = {"partner_system_priority": heard.actor_system_priority, "partner_system": heard.actor_system,
                       "partner_key": heard.actor_key, "partner_port_priority": heard.actor_port_priority,
                       "partner_port_number": heard.actor_port_number, "partner_state": heard.actor_state}
        return LACP(actor_system_priority=said["priority"], actor_system=said["system"], actor_key=said["key"],
                    actor_port_priority=said["port_priority"], actor_port_number=said["port"],
                    actor_state=said["state"], **partner)

    def send(self, payload=None):
        payload = payload if payload is not None else bytes(SlowProtocol() / self.pdu())
        self.socket.send(bytes(Ether(src=self.address, dst=GROUP, type=ETH_P_SLOW)) + payload)
        self.plan()

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
        frame, stamps, _, address = self.socket.recvmsg(2048, 512)
        if address[2] == socket.PACKET_OUTGOING:
            return
        seconds, nanoseconds = struct.unpack("qq", stamps[0][2])
        head = f"{seconds * 1000 + nanoseconds // 1000000} {self.device} {Ether(frame[:14]).src}"
        if frame[14] != 1 or len(frame) < 124:
            print(head, "other", frame[14:].hex(), flush=True)
            return
        pdu = LACP(frame[15:])
        print(head, "actor", pdu.actor_system, pdu.actor_key, pdu.actor_port_priority, pdu.actor_port_number,
              pdu.actor_state, "partner", pdu.partner_system, pdu.partner_key, pdu.partner_port_priority,
              pdu.partner_port_number, pdu.partner_state, flush=True)

        def said(it):
            return it and (it.actor_system, it.actor_key, it.actor_port_number, it.actor_port_priority, it.actor_state)
        is_new = said(pdu) != said(self.heard)
        self.heard = pdu
        if is_new and self.values["answers"] == "yes":
            self.send()


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
                # The device is gone, or down.
                del ports[device]
        if 0 in readable:
            chunk = sys.stdin.buffer.raw.read(65536)
            if not chunk:
                return
            *lines, commands = (commands + chunk).split(b"\n")
            for line in lines:
                device, *words = line.decode().split()
                if words[0] == "close":
                    ports = {}
                    continue
                if words[0] == "open":
                    ports[device] = Port(device, len(ports) + 1)
                    print("0", device, "open", flush=True)
                    continue
                port = ports[device]
                if words[0] == "frame":
                    port.send(bytes.fromhex(words[1]))
                elif words[0] == "flood":
                    port.flood(int(words[1]))
                else:
                    port.set(words)


if __name__ == "__main__":
    main()
