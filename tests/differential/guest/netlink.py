# SPDX-License-Identifier: GPL-2.0
"""Just enough rtnetlink to set and read links, with attributes that are as good or as bad as a test
needs."""

import errno
import os
import socket
import struct

NETLINK_ROUTE = 0
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE = 1, 4, 0x200, 0x400
NLMSG_ERROR = 2
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200
NLMSGERR_ATTR_MSG, NLMSGERR_ATTR_OFFS, NLMSGERR_ATTR_MISS_TYPE, NLMSGERR_ATTR_MISS_NEST = 1, 2, 5, 6
NLA_F_NESTED, NLA_TYPE_MASK = 0x8000, 0x3fff
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_MASTER, IFLA_LINKINFO, IFLA_EXT_MASK = 1, 3, 4, 10, 18, 29
IFLA_NET_NS_FD, IFLA_LINK = 28, 5
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5
RTEXT_FILTER_SKIP_STATS = 8
RTNLGRP_LINK = 1
HEADER = struct.Struct("=IHHII")
IFINFO = struct.Struct("=BxHiII")


def attribute(number, payload):
    """One attribute, padded."""
    return struct.pack("=HH", 4 + len(payload), number) + payload + b"\0" * (-len(payload) % 4)


def nest(number, *attributes):
    return attribute(number | NLA_F_NESTED, b"".join(attributes))


def attributes(data):
    """Pairs of number and payload."""
    place = 0
    while place + 4 <= len(data):
        length, number = struct.unpack_from("=HH", data, place)
        if length < 4:
            break
        yield number & NLA_TYPE_MASK, data[place + 4:place + length]
        place += length + 3 & ~3


class Refused(Exception):
    """The kernel's answer to a request: the error's name, its message and the place of the attribute."""


class Socket:
    """A socket for requests, in the network namespace that the process is in when it is made."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE)
        self.socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self.socket.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        self.socket.bind((0, 0))
        self.sequence = 0

    def ask(self, kind, body, flags=0):
        """Send a request; return the body of the answer, or None for a mere acknowledgement."""
        self.sequence += 1
        flags |= NLM_F_REQUEST
        if kind != RTM_GETLINK:
            flags |= NLM_F_ACK
        self.socket.send(HEADER.pack(HEADER.size + len(body), kind, flags, self.sequence, 0) + body)
        while True:
            data = self.socket.recv(1 << 17)
            length, answer, answer_flags, sequence, _ = HEADER.unpack_from(data)
            if sequence != self.sequence:
                continue
            if answer != NLMSG_ERROR:
                return data[HEADER.size:length]
            code = struct.unpack_from("=i", data, HEADER.size)[0]
            text = message(data[HEADER.size + 4 + HEADER.size:length]) if answer_flags & NLM_F_ACK_TLVS else ""
            if code:
                raise Refused(error_name(-code) + text)
            return text or None


def error_name(code):
    # This number has two names.
    return "EOPNOTSUPP" if code == errno.EOPNOTSUPP else errno.errorcode.get(code, f"error {code}")


def message(data):
    """The text of an extended acknowledgement."""
    said = ""
    for number, payload in attributes(data):
        if number == NLMSGERR_ATTR_MSG:
            said += f" \"{payload.rstrip(bytes(1)).decode(errors='replace')}\""
        elif number == NLMSGERR_ATTR_OFFS:
            said += f" at {struct.unpack('=I', payload)[0]}"
        elif number in (NLMSGERR_ATTR_MISS_TYPE, NLMSGERR_ATTR_MISS_NEST):
            said += f" missing {struct.unpack('=I', payload)[0]}"
    return said


class Monitor:
    """Listens to netlink messages about links."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind((0, 1 << RTNLGRP_LINK - 1))
        self.socket.setblocking(False)

    def heard(self):
        """Pairs of kind and body."""
        while True:
            try:
                data = self.socket.recv(1 << 17)
            except BlockingIOError:
                return
            except OSError as error:
                yield None, error_name(error.errno).encode()
                continue
            length, kind, _, _, _ = HEADER.unpack_from(data)
            yield kind, data[HEADER.size:length]


def ifinfo(index=0, flags=0, change=0):
    return IFINFO.pack(0, 0, index, flags, change)


def in_namespace(path, action):
    """Call action in the network namespace at path, and return its result."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(path, os.O_RDONLY)
    os.setns(there, os.CLONE_NEWNET)
    try:
        return action()
    finally:
        os.setns(home, os.CLONE_NEWNET)
        os.close(there)
        os.close(home)
