# SPDX-License-Identifier: GPL-2.0
"""The verbs of a script. Each returns the lines that it read, or raises the kernel's answer."""

import fcntl
import os
import re
import socket
import struct
import subprocess

import lacp
import netlink
from netlink import attribute, ifinfo, nest
from world import FAR, read, write

NET = "/sys/class/net"
IFF = {"up": 1, "noarp": 0x80, "promisc": 0x100, "allmulti": 0x200, "multicast": 0x1000}
# Name to numbers; the second one is from before Linux 2.4.
IOCTLS = {"enslave": (0x8990, 0x89f0), "release": (0x8991, 0x89f1), "setaddress": (0x8992, 0x89f2),
          "slave": (0x8993, 0x89fb), "info": (0x8994, 0x89fc), "activate": (0x8995, 0x89fd)}
SIOCETHTOOL, SIOCGMIIPHY, SIOCGMIIREG = 0x8946, 0x8947, 0x8948
ETHTOOL_GDRVINFO, ETHTOOL_GLINK, ETHTOOL_GSET = 0x3, 0xa, 0x1
# What only one of the two drivers has, and what is compared by its own file (the version of the kernel
# is the same in both).
PROGRAMS = {"ip", "ethtool", "cat", "modinfo"}


class Operations:
    """Carries out operations in a world that an observer watches."""

    def __init__(self, world, observer):
        self.world = world
        self.observer = observer
        self.datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    # -- the world ----------------------------------------------------------------------

    def episode(self, _title, devices):
        self.world.begin(devices)
        self.observer.forget()

    def load(self, parameters, events):
        self.world.remove_module()
        self.world.load_module(parameters, events)

    def unload(self):
        self.world.remove_module()

    # -- netlink ---------------------------------------------------------------------------

    def value(self, kind, value):
        if kind == "index":
            try:
                return struct.pack("=I", self.world.index(value))
            except netlink.Refused:
                return struct.pack("=I", 9999)
        if kind == "list4":
            return b"".join(attribute(n, socket.inet_aton(a)) for n, a in enumerate(value))
        if kind == "list6":
            return b"".join(attribute(n, socket.inet_pton(socket.AF_INET6, a)) for n, a in enumerate(value))
        if kind == "raw":
            return bytes.fromhex(value)
        return struct.pack("=" + {"u8": "B", "u16": "H", "u32": "I", "s32": "i", "u64": "Q"}[kind], value)

    def data(self, number, options):
        return nest(number, *(attribute(key, self.value(kind, value)) for key, kind, value in options))

    def request(self, name, *more, flags=0, change=0):
        said = self.world.home.ask(netlink.RTM_NEWLINK,
                                   ifinfo(self.world.index(name), flags, change) + b"".join(more))
        return [f"warned{said}"] if said else []

    def add(self, name, address, options):
        more = attribute(netlink.IFLA_ADDRESS, bytes.fromhex(address)) if address else b""
        body = ifinfo() + attribute(netlink.IFLA_IFNAME, name.encode("latin-1") + b"\0") + more
        body += nest(netlink.IFLA_LINKINFO, attribute(netlink.IFLA_INFO_KIND, b"bond"),
                     self.data(netlink.IFLA_INFO_DATA, options))
        said = self.world.home.ask(netlink.RTM_NEWLINK, body, netlink.NLM_F_CREATE | netlink.NLM_F_EXCL)
        return [f"warned{said}"] if said else []

    def delete(self, name):
        self.world.home.ask(netlink.RTM_DELLINK, ifinfo(self.world.index(name)))

    def set(self, name, options):
        return self.request(name, nest(netlink.IFLA_LINKINFO, attribute(netlink.IFLA_INFO_KIND, b"bond"),
                                       self.data(netlink.IFLA_INFO_DATA, options)))

    def slaveset(self, name, options):
        return self.request(name, nest(netlink.IFLA_LINKINFO, attribute(netlink.IFLA_INFO_SLAVE_KIND, b"bond"),
                                       self.data(netlink.IFLA_INFO_SLAVE_DATA, options)))

    def master(self, name, bond):
        index = self.world.index(bond) if bond else 0
        return self.request(name, attribute(netlink.IFLA_MASTER, struct.pack("=I", index)))

    def flag(self, name, flag, on):
        bit = IFF[flag]
        return self.request(name, flags=bit if on else 0, change=bit)

    def address(self, name, address):
        return self.request(name, attribute(netlink.IFLA_ADDRESS, bytes.fromhex(address)))

    def mtu(self, name, mtu):
        return self.request(name, attribute(netlink.IFLA_MTU, struct.pack("=I", mtu)))

    def rename(self, name, other):
        return self.request(name, attribute(netlink.IFLA_IFNAME, other.encode() + b"\0"))

    def away(self, name):
        """Move a device to the other namespace."""
        far = os.open(FAR, os.O_RDONLY)
        try:
            return self.request(name, attribute(netlink.IFLA_NET_NS_FD, struct.pack("=I", far)))
        finally:
            os.close(far)

    def back(self, name):
        """Move a device back from the other namespace."""
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            self.world.far.ask(netlink.RTM_NEWLINK, ifinfo(self.world.index(name, self.world.far)) +
                               attribute(netlink.IFLA_NET_NS_FD, struct.pack("=I", home)))
        finally:
            os.close(home)

    def vlan(self, name, on, tag):
        link = attribute(netlink.IFLA_LINK, struct.pack("=I", self.world.index(on)))
        self.world.make(name, "vlan", attribute(1, struct.pack("=H", tag)), more=link)

    def macvlan(self, name, on):
        link = attribute(netlink.IFLA_LINK, struct.pack("=I", self.world.index(on)))
        # A macvlan in bridge mode, with a known address.
        self.world.make(name, "macvlan", attribute(1, struct.pack("=I", 4)), more=link +
                        attribute(netlink.IFLA_ADDRESS, bytes([2, 0, 0, 0, 0x6d, int(name[1:])])))

    def carrier(self, name, on):
        """Switch the carrier of a device, given by its original name; what carries it is
        outside."""
        if name[0] == "a":
            self.world.far.ask(netlink.RTM_NEWLINK, ifinfo(self.world.index(f"{name}p", self.world.far), int(on), 1))
        elif name[0] == "n":
            self.world.cable(name, on)
        else:
            write(f"{NET}/{name}/carrier", str(int(on)))

    # -- LACP ------------------------------------------------------------------------------

    def partner(self, name, system, key):
        """The other end of a cable, given by its original name, speaks LACP."""
        self.world.partner.set(name, system, key)

    def agree(self):
        """Both ends have had the time to agree: everything about it is shown."""
        found = self.observer.agreed()
        for name in sorted(self.observer.working):
            for folder in ("bonding", "bonding_slave"):
                if os.path.isdir(f"{NET}/{name}/{folder}"):
                    found += [f"{name} {line}" for line in self.files(f"{NET}/{name}/{folder}") if lacp.FILES.fullmatch(line)]
            if os.path.exists(f"/proc/net/bonding/{name}"):
                found += [line for line in self.show_proc(name) if not lacp.CHURN.fullmatch(line)]
        return [self.observer.normal_text(line) for line in lacp.numbered(lacp.with_links(found))]

    # -- sysfs -----------------------------------------------------------------------------

    def masters(self, text):
        write(f"{NET}/bonding_masters", text)

    def sysfs(self, name, option, text):
        write(f"{NET}/{name}/bonding/{option}", text)

    def slavefile(self, name, option, text):
        write(f"{NET}/{name}/bonding_slave/{option}", text)

    def parameter(self, name, text):
        write(f"/sys/module/bonding/parameters/{name}", text)

    # -- ioctls ----------------------------------------------------------------------------

    def ioctl(self, call, old, bond, argument):
        number = IOCTLS[call][old]
        name = bond.encode("latin-1")[:15]
        if call in ("info", "slave"):
            size = 12 if call == "info" else 28
            data = bytearray(size)
            if call == "slave":
                struct.pack_into("=i", data, 0, argument)
            return self.pointer_ioctl(number, name, data, lambda: self.slave_info(call, data))
        fcntl.ioctl(self.datagram, number, struct.pack("=16s24s", name, argument.encode("latin-1")[:15]))
        return None

    def slave_info(self, call, data):
        if call == "info":
            return ["mode {} slaves {} miimon {}".format(*struct.unpack("=iii", data))]
        _, name, link, state, failures = struct.unpack("=i16sbbxxI", data)
        name = name.rstrip(bytes(1)).decode()
        state = "later" if name in self.observer.lacp else state
        return [f"{name} link {link} state {state} failures {failures}"]

    def pointer_ioctl(self, number, name, data, result):
        """An ioctl whose request holds a pointer to the data."""
        import ctypes
        buffer = (ctypes.c_char * len(data)).from_buffer(data)
        request = struct.pack("=16sQ16x", name, ctypes.addressof(buffer))
        fcntl.ioctl(self.datagram, number, request)
        return result()

    def mii(self, bond, phy, register):
        request = struct.pack("=16sHHHH16x", bond.encode(), phy, register, 0, 0)
        first = struct.unpack_from("=HHHH", fcntl.ioctl(self.datagram, SIOCGMIIPHY, request), 16)
        second = struct.unpack_from("=HHHH", fcntl.ioctl(self.datagram, SIOCGMIIREG, request), 16)
        return [f"phy {first[0]}"] + ([] if bond in self.observer.lacp else [f"register {second[3]:#x}"])

    def ethtool(self, name):
        data = bytearray(struct.pack("=I", ETHTOOL_GDRVINFO) + bytes(192))

        def driver_information():
            fields = struct.unpack_from("=32s32s32s32s32s", data, 4)
            return [" ".join(field.split(b"\0")[0].decode() or "-" for field in fields)]
        found = self.pointer_ioctl(SIOCETHTOOL, name.encode(), data, driver_information)
        link = bytearray(struct.pack("=II", ETHTOOL_GLINK, 0))
        found += self.pointer_ioctl(SIOCETHTOOL, name.encode(), link,
                                    lambda: [f"link {struct.unpack('=II', link)[1]}"])
        if name in self.observer.lacp:
            return found[:1]
        setting = bytearray(struct.pack("=I", ETHTOOL_GSET) + bytes(40))
        return found + self.pointer_ioctl(SIOCETHTOOL, name.encode(), setting, lambda: [setting.hex()])

    # -- programs ---------------------------------------------------------------------------

    def run(self, *command):
        assert command[0] in PROGRAMS, command
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False)
        if "show" in command and command[-1] in self.observer.lacp:
            return [f"status {done.returncode}"]
        lines = [self.without_indexes(line) for line in done.stdout.decode(errors="replace").splitlines()]
        return [f"status {done.returncode}"] + lines

    def without_indexes(self, line):
        line = re.sub(r"^\d+: ", "N: ", line)
        line = re.sub(r'"(ifindex|link_index)":\d+', r'"\1":N', line)
        line = re.sub(r'(link-netnsid |"link_netnsid":)\d+', r"\1N", line)
        line = re.sub(r'(switchid |"phys_switch_id":")[0-9a-f]+', r"\1X", line)
        return self.observer.normal_text(re.sub(r'(@|"link":")if\d+', r"\1ifN", line))

    # -- reads ------------------------------------------------------------------------------

    def show(self, what, name):
        lines = list(getattr(self, "show_" + what)(name))
        if name in self.observer.lacp:
            lines = {"sysfs": lacp.files, "slave": lacp.files, "proc": lacp.proc, "lists": lacp.lists}.get(what, list)(lines)
        return [self.observer.normal_text(line) for line in lines]

    def show_sysfs(self, name):
        return self.files(f"{NET}/{name}/bonding")

    def show_slave(self, name):
        return self.files(f"{NET}/{name}/bonding_slave")

    def show_modes(self, name):
        """The access modes of the files."""
        for folder in (f"{NET}/{name}/bonding", f"{NET}/{name}/bonding_slave"):
            if os.path.isdir(folder):
                for file in sorted(os.listdir(folder)):
                    status = os.stat(f"{folder}/{file}")
                    yield f"{file} {status.st_mode:o} {status.st_uid} {status.st_size}"

    def show_masters(self, _name):
        return read(f"{NET}/bonding_masters").splitlines()

    def show_proc(self, name):
        return read(f"/proc/net/bonding/{name}").splitlines()

    def show_list(self, _name):
        yield from sorted(os.listdir("/proc/net/bonding"))
        yield f"references {read('/sys/module/bonding/refcnt').strip()}"

    def show_parameters(self, _name):
        return self.files("/sys/module/bonding/parameters")

    def show_links(self, name):
        """Symbolic links between master, slaves, lower and upper devices."""
        for file in sorted(os.listdir(f"{NET}/{name}")):
            if file == "master" or file.startswith(("lower_", "upper_", "slave_")):
                yield f"{file} {os.path.basename(os.readlink(f'{NET}/{name}/{file}'))}"

    def show_lists(self, name):
        """The addresses that the device listens to."""
        for line in read("/proc/net/dev_mcast").splitlines():
            fields = line.split()
            if fields[1] == name:
                yield " ".join(fields[2:])

    def files(self, folder):
        for file in sorted(os.listdir(folder)):
            try:
                text = read(f"{folder}/{file}")
                yield f"{file}: {text[:-1] if text.endswith(chr(10)) else text + ' (no newline)'}"
            except OSError as error:
                yield f"{file}: {netlink.error_name(error.errno)}"
