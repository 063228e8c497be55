# SPDX-License-Identifier: GPL-2.0
"""A partner for LACP at the far ends of the cables: always the same, and in agreement with whatever
it hears."""

import select
import socket
import struct
import threading
import time

import netlink

ETH_P_SLOW = 0x8809
GROUP = bytes.fromhex("0180c2000002")
# System priority, system, key, port priority, port, state
INFORMATION = struct.Struct(">H6sHHHB")
# Active, short timeout, aggregatable, in sync, collecting, distributing
AGREES = 0x3f
EVERY = 1


class Port:
    def __init__(self, device, number):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_SLOW))
        self.socket.bind((device, ETH_P_SLOW))
        self.socket.setblocking(False)
        self.address = self.socket.getsockname()[4]
        self.number = number
        self.heard = bytes(15)
        self.system = self.key = 0

    def send(self):
        own = INFORMATION.pack(100, bytes([2, 0, 0, 0, 0x70, self.system]), self.key, 200, self.number, AGREES)
        pdu = b"\1\1\1\x14" + own + bytes(3) + b"\2\x14" + self.heard + bytes(3) + b"\3\x10" + bytes(14 + 52)
        try:
            self.socket.send(GROUP + self.address + struct.pack(">H", ETH_P_SLOW) + pdu)
        except OSError:
            self.heard = bytes(15)  # the link is down

    def receive(self):
        try:
            frame, address = self.socket.recvfrom(2048)
        except OSError:
            return  # the link is down
        if address[2] != socket.PACKET_OUTGOING and frame[14:15] == b"\1" and frame[18:33] != self.heard:
            self.heard = frame[18:33]
            self.send()


class Partner(threading.Thread):
    """All ports, in a thread of their own."""

    def __init__(self, far):
        super().__init__(daemon=True)
        self.far = far
        self.ports = {}
        self.lock = threading.Lock()
        self.start()

    def set(self, name, system, key):
        """From now on, the far end of the cable of this name says that."""
        with self.lock:
            if name not in self.ports:
                self.ports[name] = netlink.in_namespace(self.far, lambda: Port(f"{name}p", ord(name[1])))
            port = self.ports[name]
            port.system, port.key = system, key
            port.send()

    def end(self):
        with self.lock:
            for port in self.ports.values():
                port.socket.close()
            self.ports = {}

    def run(self):
        due = time.monotonic()
        while True:
            with self.lock:
                ports = list(self.ports.values())
                if time.monotonic() >= due:
                    due = time.monotonic() + EVERY
                    for port in ports:
                        port.send()
            sockets = [port.socket for port in ports]
            try:
                ready, _, _ = select.select(sockets, [], [], 0.25)
            except (OSError, ValueError):
                continue  # closed meanwhile
            with self.lock:
                for port in self.ports.values():
                    if port.socket in ready:
                        port.receive()
