#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Set the mode of a team (linux/if_team.h), which ip cannot: team_mode.py DEVICE MODE"""

import errno
import socket
import struct
import sys

NETLINK_GENERIC, GENL_ID_CTRL, NLM_F_REQUEST_ACK = 16, 16, 5
CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 3, 1, 2
TEAM_CMD_OPTIONS_SET, TEAM_ATTR_TEAM_IFINDEX, TEAM_ATTR_LIST_OPTION, TEAM_ATTR_ITEM_OPTION = 1, 1, 2, 1
TEAM_ATTR_OPTION_NAME, TEAM_ATTR_OPTION_TYPE, TEAM_ATTR_OPTION_DATA = 1, 3, 4
NLA_STRING = 5


def attribute(number, payload, nested=False):
    length = 4 + len(payload)
    return struct.pack("HH", length, number | (0x8000 if nested else 0)) + payload + bytes(-length % 4)


def ask(sock, family, command, payload):
    message = struct.pack("BBH", command, 1, 0) + payload
    sock.send(struct.pack("IHHII", 16 + len(message), family, NLM_F_REQUEST_ACK, 1, 0) + message)
    while True:
        answer = sock.recv(65536)
        kind = struct.unpack_from("H", answer, 4)[0]
        if kind == 2:  # NLMSG_ERROR
            error = struct.unpack_from("i", answer, 16)[0]
            # The mode is set, but nobody listens to the team driver's notification, which the
            # driver treats as an error.
            if error and not (command == TEAM_CMD_OPTIONS_SET and -error == errno.ESRCH):
                sys.exit(f"team_mode.py: error {-error}")
            return None
        if command == CTRL_CMD_GETFAMILY:
            return answer[20:]


def attributes(data):
    while len(data) >= 4:
        length, number = struct.unpack_from("HH", data)
        yield number, data[4:length]
        data = data[(length + 3) & ~3:]


def main(device, mode):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) as sock:
        name = attribute(CTRL_ATTR_FAMILY_NAME, b"team\0")
        found = dict(attributes(ask(sock, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, name)))
        family = struct.unpack("H", found[CTRL_ATTR_FAMILY_ID])[0]
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) as sock:
        option = (attribute(TEAM_ATTR_OPTION_NAME, b"mode\0")
                  + attribute(TEAM_ATTR_OPTION_TYPE, bytes([NLA_STRING]))
                  + attribute(TEAM_ATTR_OPTION_DATA, mode.encode() + b"\0"))
        options = attribute(TEAM_ATTR_ITEM_OPTION, option, True)
        ask(sock, family, TEAM_CMD_OPTIONS_SET,
            attribute(TEAM_ATTR_TEAM_IFINDEX, struct.pack("I", socket.if_nametoindex(device)))
            + attribute(TEAM_ATTR_LIST_OPTION, options, True))


main(*sys.argv[1:])
