# SPDX-License-Identifier: GPL-2.0
"""The module, and the devices of an episode: made afresh for each."""

import ctypes
import os
import struct
import subprocess

import netlink
from netlink import attribute, ifinfo, nest
from partner import Partner

FAR = "/run/netns/far"
NETDEVSIM = "/sys/bus/netdevsim"
SYS_FINIT_MODULE, SYS_DELETE_MODULE = 313, 176
O_NONBLOCK = os.O_NONBLOCK
libc = ctypes.CDLL(None, use_errno=True)

# A device's address is made of the first byte of its name, and its number.
KINDS = {"a": "veth", "d": "dummy", "n": "netdevsim", "r": "bridge", "t": "ipip", "c": "vcan", "g": "gre"}


def address_of(name):
    return bytes([2, 0, 0, 0, ord(name[0]), int(name[1:])])


def write(path, text):
    """One write(2)."""
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, text.encode("latin-1") if isinstance(text, str) else text)
    finally:
        os.close(file)


def read(path):
    file = os.open(path, os.O_RDONLY)
    try:
        found = []
        while data := os.read(file, 1 << 16):
            found.append(data)
        return b"".join(found).decode("latin-1")
    finally:
        os.close(file)


class World:
    """Both namespaces, the pool of devices, and the bonding module."""

    def __init__(self, module):
        self.ours = module == "ours"
        subprocess.run(["modprobe", "-a", "netdevsim", "veth", "dummy", "bridge", "8021q", "macvlan", "ipip",
                        "ip_gre", "tls", "bonding"], check=True)
        # The kernels with checkers have no vcan: there it is a device that cannot be made.
        subprocess.run(["modprobe", "-q", "vcan"], check=False)
        self.path = subprocess.run(["modinfo", "-n", "bonding"], check=True, stdout=subprocess.PIPE,
                                   text=True).stdout.strip()
        for name in ("default", "all"):
            write(f"/proc/sys/net/ipv6/conf/{name}/accept_dad", "0")
            write(f"/proc/sys/net/ipv6/conf/{name}/addr_gen_mode", "1")
        self.home = netlink.Socket()
        self.partner = Partner(FAR)
        self.known = set()       # hardware addresses that are not random
        self.simulators = {}     # netdevsim device: its number on the bus
        self.carriers = {}
        self.count = 0
        self.remove_module()

    # -- the module --------------------------------------------------------------------

    def remove_module(self):
        if os.path.isdir("/sys/module/bonding") and libc.syscall(SYS_DELETE_MODULE, b"bonding", O_NONBLOCK):
            raise OSError(ctypes.get_errno(), "delete_module")

    def load_module(self, parameters, events):
        if self.ours and not events:
            parameters = parameters + ["link_events=off"]
        file = os.open(self.path, os.O_RDONLY)
        try:
            if libc.syscall(SYS_FINIT_MODULE, file, " ".join(parameters).encode("latin-1"), 0):
                raise OSError(ctypes.get_errno(), "finit_module")
        finally:
            os.close(file)

    # -- devices ------------------------------------------------------------------------

    def index(self, name, there=None):
        body = ifinfo() + attribute(netlink.IFLA_IFNAME, name.encode() + b"\0")
        return struct.unpack_from("=i", (there or self.home).ask(netlink.RTM_GETLINK, body), 4)[0]

    def exists(self, name):
        return os.path.exists(f"/sys/class/net/{name}")

    def names(self):
        return sorted(name for name in os.listdir("/sys/class/net") if name != "bonding_masters")

    def end(self):
        """Remove everything, whatever the episode left."""
        self.remove_module_at_last()
        self.partner.end()
        for number in self.simulators.values():
            if os.path.isdir(f"{NETDEVSIM}/devices/netdevsim{number}"):
                write(f"{NETDEVSIM}/del_device", f"{number}")
        self.simulators = {}
        if os.path.exists(FAR):
            subprocess.run(["ip", "netns", "delete", "far"], check=True)
        for _ in range(2):
            for name in self.names():
                if name not in ("lo", "tunl0", "gre0", "gretap0", "erspan0"):
                    try:
                        self.home.ask(netlink.RTM_DELLINK, ifinfo(self.index(name)))
                    except netlink.Refused:
                        pass  # it disappeared with another one

    def remove_module_at_last(self):
        # A device on top of a bond holds no reference to the module: it is removed with the bond.
        self.remove_module()

    def begin(self, devices):
        self.end()
        subprocess.run(["ip", "netns", "add", "far"], check=True)
        self.far = netlink.in_namespace(FAR, netlink.Socket)
        self.far.ask(netlink.RTM_NEWLINK, ifinfo(self.index("lo", self.far), 1, 1))
        for sysctl, value in (("accept_dad", "0"), ("addr_gen_mode", "1")):
            netlink.in_namespace(FAR, lambda: write(f"/proc/sys/net/ipv6/conf/default/{sysctl}", value))
        self.known = set()
        self.carriers = {}
        for name in devices:
            self.known.add(address_of(name))
            getattr(self, "make_" + KINDS[name[0]])(name)

    def make(self, name, kind, *data, there=None, more=b""):
        body = ifinfo() + attribute(netlink.IFLA_IFNAME, name.encode() + b"\0") + more
        body += nest(netlink.IFLA_LINKINFO, attribute(netlink.IFLA_INFO_KIND, kind.encode()),
                     *([nest(netlink.IFLA_INFO_DATA, *data)] if data else []))
        (there or self.home).ask(netlink.RTM_NEWLINK, body, netlink.NLM_F_CREATE | netlink.NLM_F_EXCL)

    def make_veth(self, name):
        far = os.open(FAR, os.O_RDONLY)
        peer = ifinfo() + attribute(netlink.IFLA_IFNAME, f"{name}p".encode() + b"\0") + \
            attribute(netlink.IFLA_NET_NS_FD, struct.pack("=I", far))
        self.make(name, "veth", attribute(1, peer),
                  more=attribute(netlink.IFLA_ADDRESS, address_of(name)))
        os.close(far)
        self.far.ask(netlink.RTM_NEWLINK, ifinfo(self.index(f"{name}p", self.far), 1, 1))

    def make_dummy(self, name):
        self.make(name, "dummy", more=attribute(netlink.IFLA_ADDRESS, address_of(name)))

    def make_bridge(self, name):
        self.make(name, "bridge", more=attribute(netlink.IFLA_ADDRESS, address_of(name)))

    def make_vcan(self, name):
        self.make(name, "vcan")

    def make_ipip(self, name):
        # IFLA_IPTUN_LOCAL, IFLA_IPTUN_REMOTE
        self.make(name, "ipip", attribute(2, bytes([192, 0, 2, 1])), attribute(3, bytes([192, 0, 2, int(name[1:]) + 9])))

    def make_gre(self, name):
        # IFLA_GRE_LOCAL, IFLA_GRE_REMOTE
        self.make(name, "gre", attribute(6, bytes([192, 0, 2, 1])), attribute(7, bytes([192, 0, 2, int(name[1:]) + 9])))

    def make_netdevsim(self, name):
        for end in (name, f"{name}p"):
            self.count += 1
            number = 10 + self.count
            write(f"{NETDEVSIM}/new_device", f"{number} 1")
            self.simulators[end] = number
            device, = os.listdir(f"{NETDEVSIM}/devices/netdevsim{number}/net")
            body = ifinfo(self.index(device)) + attribute(netlink.IFLA_IFNAME, end.encode() + b"\0")
            body += attribute(netlink.IFLA_ADDRESS, address_of(name)[:5] + bytes([number & 127]) if end != name
                              else address_of(name))
            self.home.ask(netlink.RTM_NEWLINK, body)
        far = os.open(FAR, os.O_RDONLY)
        self.home.ask(netlink.RTM_NEWLINK, ifinfo(self.index(f"{name}p")) +
                      attribute(netlink.IFLA_NET_NS_FD, struct.pack("=I", far)))
        os.close(far)
        self.far.ask(netlink.RTM_NEWLINK, ifinfo(self.index(f"{name}p", self.far), 1, 1))
        self.cable(name, True)

    def cable(self, name, on):
        """Plug or pull the cable of a netdevsim device, wherever that is called so."""
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        far = os.open(FAR, os.O_RDONLY)
        try:
            here = f"{home}:{self.index(name)}"
            if on:
                write(f"{NETDEVSIM}/link_device", f"{here} {far}:{self.index(name + 'p', self.far)}")
            else:
                write(f"{NETDEVSIM}/unlink_device", here)
        finally:
            os.close(home)
            os.close(far)
