# SPDX-License-Identifier: GPL-2.0
"""Generate scripts of operations for the two guests: the same seed and count make the same
script."""

import random

from values import IP, JUNK, LACP, NETLINK, PARAMETERS, SLAVE_NETLINK, SYSFS

# Roughly how many operations an episode has.
LENGTH = 36
BONDS = ["b0", "b1", "b2"]
# Devices that a bond of Ethernet devices accepts; then other devices.
PLAIN = ["a0", "a1", "a2", "d0", "d1", "n0", "n1"]
ODD = ["r0", "t0", "t1", "c0", "g0"]


class Episode:
    """A script that begins with nothing but devices. It tracks roughly what it has made."""

    def __init__(self, scene, rng):
        self.rng = rng
        self.scene = scene
        self.script = []
        self.bonds = []
        self.slaves = {}   # device to bond, as far as we know
        self.tops = []
        self.gone = []     # devices in the other namespace
        self.polls = True  # miimon stays on: link events are acted on at once
        self.devices = self.choose_devices()

    def choose_devices(self):
        rng = self.rng
        if self.scene.devices:
            return self.scene.devices
        plain = rng.sample(PLAIN, rng.randint(2, 4))
        return plain + (rng.sample(ODD, rng.randint(1, 3)) if self.scene.odd else [])

    def add(self, *operation):
        self.script.append(list(operation))

    def chance(self, percent):
        return self.rng.randrange(100) < percent

    def bond(self):
        return self.rng.choice(self.bonds if self.bonds and not self.chance(2) else BONDS)

    def device(self):
        return self.rng.choice(self.devices)

    def slave(self):
        return self.rng.choice(list(self.slaves)) if self.slaves and self.chance(85) else self.device()

    def fill(self, value):
        """Fill in DEVICE and BOND in a value."""
        if isinstance(value, str):
            return value.replace("DEVICE", self.slave()).replace("BOND", self.bond())
        return value

    # -- the whole -----------------------------------------------------------------------

    def write(self, length):
        self.add("episode", self.scene.name, self.devices)
        self.scene.begin(self)
        makers = list(self.scene.weights)
        weights = [self.scene.weights[name] for name in makers]
        while len(self.script) < length:
            getattr(self, self.rng.choices(makers, weights)[0])()
        for bond in self.bonds:
            for what in ("sysfs", "proc", "links", "lists"):
                self.add("show", what, bond)
        for slave in self.slaves:
            self.add("show", "slave", slave)
            self.add("show", "lists", slave)
        self.add("show", "list", "")
        self.add("unload")
        return self.script

    def load(self, *parameters):
        self.add("load", list(parameters), self.scene.events)

    # -- bonds ---------------------------------------------------------------------------

    def new_bond(self):
        name = self.rng.choice([b for b in BONDS if b not in self.bonds] or BONDS)
        way = self.rng.randrange(10)
        if way < 6 or self.scene.events:
            address = f"0200000000b{name[1]}" if self.chance(50) else ""
            self.add("add", name, address, self.some_options(self.rng.choice([0, 1, 1, 2, 3])))
        elif way < 8:
            self.add("masters", f"+{name}\n")
        else:
            word = self.rng.choice([word for word in IP if not self.avoided(word, "")])
            self.add("run", "ip", "link", "add", name, "type", "bond", word, self.fill(self.rng.choice(IP[word])))
        if name not in self.bonds:
            self.bonds.append(name)

    def bad_bond(self):
        text = self.rng.choice(["b0", "+", "-", "+b0 b1", "+lo", "-lo", "-nothing", "+a/b", "+.", "+..", "+a b", "",
                                "+a-name-of-more-than-fifteen", "+bond%d", " +b5", "+a:b",
                                "+" + "x" * 15, "-" + self.device(), "+" + self.device(), "++b5", "+b5\t"])
        self.add("masters", text + self.rng.choice(["\n", "\n", "", "\n\n"]))

    def delete_bond(self):
        name = self.bond()
        self.add(*(("delete", name) if self.chance(60) else ("masters", f"-{name}\n")))
        if name in self.bonds:
            self.bonds.remove(name)
        self.slaves = {slave: bond for slave, bond in self.slaves.items() if bond != name}

    # -- options -------------------------------------------------------------------------

    def avoided(self, option, value):
        """Whether one of the two drivers would act without a poll, or on a carrier with the ARP
        monitor."""
        return (option == "arp_interval" and "carrier" in self.scene.weights) or self.scene.events and (option == "arp_interval" or
                                      (option == "miimon" and value not in ("20", "50", "100", 20, 50, 100)))

    def some_options(self, count):
        """Options for a new bond, which has no slave that could be active."""
        found = []
        if self.scene.events:
            found.append([3, "u32", 100])
        for option in self.rng.sample(list(NETLINK), count):
            number, kind, good, bad = NETLINK[option]
            if self.avoided(option, 0) or (count > 1 and option == "active_slave"):
                continue
            if good and (count > 1 or not bad or self.chance(75)):
                found.append([number, kind, self.fill(self.rng.choice(good))])
            elif bad:
                found.append([number, kind, self.fill(self.rng.choice(bad))])
        if self.scene.name in ("links", "events") and not any(number == 1 for number, _, _ in found):
            found.insert(0, [1, "u8", 1])
        elif len(found) < 2 and self.chance(35):
            found.insert(0, [1, "u8", 4])
        return found

    def option_by_sysfs(self):
        option = self.rng.choice(list(SYSFS))
        good, bad = SYSFS[option]
        kind = self.rng.randrange(100)
        pool = good if good and kind < 65 else bad if bad and kind < 85 else JUNK
        value = self.fill(self.rng.choice(pool))
        if self.avoided(option, value) or (option == "slaves" and value[:1] == "-" and self.chance(50)):
            return
        self.add("sysfs", self.bond(), option, value + ("" if self.chance(8) else "\n"))

    def option_by_netlink(self):
        name = self.rng.choice(list(NETLINK))
        number, kind, good, bad = NETLINK[name]
        value = self.fill(self.rng.choice(bad if bad and self.chance(25) else good))
        if self.avoided(name, value):
            return
        if self.chance(6):
            kind, value = "raw", self.rng.choice(["", "01", "0100", "010000", "01000000", "0100000000"])
            if self.scene.events and name == "miimon":
                return
        self.add("set", self.bond(), [[number, kind, value]])

    def options_together(self):
        """Several good options; with a bad one among them, one of the drivers would refuse only a
        part."""
        found = []
        for name in self.rng.sample(list(NETLINK), 3):
            number, kind, good, _ = NETLINK[name]
            value = self.fill(self.rng.choice(good))
            if not self.avoided(name, value):
                found.append([number, kind, value])
        self.add("set", self.bond(), found)

    def option_by_ip(self):
        word = self.rng.choice(list(IP))
        value = self.rng.choice(IP[word])
        if not self.avoided(word, value):
            self.add("run", "ip", "link", "set", "dev", self.bond(), "type", "bond", word, self.fill(value))

    def option_of_slave(self):
        number, kind, good, bad = self.rng.choice(list(SLAVE_NETLINK.values()))
        value = self.rng.choice(bad if not good or (bad and self.chance(25)) else good)
        self.add("slaveset", self.slave(), [[number, kind, value]])

    def parameter(self):
        self.add("parameter", self.rng.choice(["num_grat_arp", "num_unsol_na"]), self.rng.choice(["1", "5", "256", "x"]))

    # -- members ---------------------------------------------------------------------------

    def enslave(self):
        bond = self.bond()
        device = self.rng.choice([d for d in self.devices if d not in self.slaves] or self.devices)
        if self.chance(4):
            device = self.rng.choice(["lo", self.bond(), "nothing"])
        if self.chance(90) and device in self.devices:
            self.add("flag", device, "up", False)
        way = self.rng.randrange(10)
        if way < 6:
            self.add("master", device, bond)
        elif way < 9:
            self.add("sysfs", bond, "slaves", f"+{device}\n")
        else:
            self.add("ioctl", "enslave", self.chance(50), bond, device)
        if device in self.devices:
            self.slaves.setdefault(device, bond)

    def release(self):
        if not self.slaves:
            return
        device = self.rng.choice(list(self.slaves))
        bond = self.slaves.pop(device) if not self.chance(10) else self.bond()
        way = self.rng.randrange(10)
        if way < 5:
            self.add("master", device, "")
        elif way < 8:
            self.add("sysfs", bond, "slaves", f"-{device}\n")
        else:
            self.add("ioctl", "release", self.chance(50), bond, device)

    def change_by_ioctl(self):
        self.add("ioctl", self.rng.choice(["activate", "setaddress"]), self.chance(50), self.bond(), self.slave())

    # -- links ---------------------------------------------------------------------------------

    def carrier(self):
        device = self.slave()
        if device[0] in "adn":
            self.add("carrier", device, self.chance(50))

    def bond_up(self):
        self.add("flag", self.bond(), "up", self.chance(75))

    def slave_up(self):
        self.add("flag", self.slave(), "up", self.chance(65))

    def flag(self):
        self.add("flag", self.rng.choice([self.bond(), self.slave()]),
                 self.rng.choice(["promisc", "allmulti", "noarp", "multicast"]), self.chance(60))

    def address(self):
        device = self.bond() if self.chance(50) else self.slave()
        self.add("address", device, self.rng.choice([f"0200000000{self.rng.randrange(16, 32):02x}"] * 6 +
                                                    ["010000000001", "000000000000", "ffffffffffff", "0200"]))

    def mtu(self):
        device = self.bond() if self.chance(60) else self.slave()
        self.add("mtu", device, self.rng.choice([1400, 1500, 1500, 576, 68, 67, 9000, 65535, 65536, 0]))

    def rename(self):
        # The far end of a cable is found by the device's name, so do not rename a device with a
        # cable.
        device = self.rng.choice([d for d in self.devices if d[0] in "dt"] or [self.bond()])
        if device in self.devices:
            other = device[0] + str(int(device[1:]) + 5) if int(device[1:]) < 5 else device[0] + str(int(device[1:]) - 5)
            self.add("rename", device, other)
            self.devices = [other if d == device else d for d in self.devices]
            if device in self.slaves:
                self.slaves[other] = self.slaves.pop(device)

    def rename_bond(self):
        if not self.bonds:
            return
        name = self.rng.choice(self.bonds)
        other = self.rng.choice(BONDS + ["renamed"])
        self.add("rename", name, other)
        if other not in self.bonds:
            self.bonds[self.bonds.index(name)] = other
            self.slaves = {s: other if b == name else b for s, b in self.slaves.items()}

    def move(self):
        if self.gone and self.chance(60):
            device = self.gone.pop()
            self.add("back", device)
            self.devices.append(device)
            return
        device = self.bond() if self.chance(15) else self.slave()
        self.add("away", device)
        if device in self.devices and len(self.devices) > 2 and device[0] in "ad":
            self.devices.remove(device)
            self.slaves.pop(device, None)
            self.gone.append(device)

    def delete_device(self):
        device = self.slave()
        if len(self.devices) > 2 and device in self.devices:
            self.add("delete", device)
            self.devices.remove(device)
            self.slaves.pop(device, None)

    def top(self):
        """A device on top of a bond or of a slave."""
        if self.tops and self.chance(30):
            self.add("delete", self.tops.pop())
            return
        on = self.bond() if self.chance(70) else self.slave()
        number = len(self.script) % 90
        if self.chance(65):
            self.add("vlan", f"v{number}", on, self.rng.choice([1, 5, 4094]))
            self.tops.append(f"v{number}")
        else:
            self.add("macvlan", f"m{number}", on)
            self.tops.append(f"m{number}")
        if self.chance(50):
            self.add("flag", self.tops[-1], "up", True)

    # -- LACP ------------------------------------------------------------------------------------

    def partner(self):
        """The system that all cables lead to becomes another one, or its ports get another key. Were there two, the
        choice between them would depend on time."""
        system, key = self.rng.choice([1, 2]), self.rng.choice([7, 8])
        for device in self.devices:
            self.add("partner", device, system, key)

    def lacp_option(self):
        """An option of 802.3ad, set while the bond is down as most of them want. Not the key that a user gives: the
        in-tree driver takes it at the next enslave, ours at once, and all keys would differ until then."""
        if self.chance(60):
            self.add("flag", self.bonds[0], "up", False)
        name = self.rng.choice([name for name in LACP if name != "ad_user_port_key"])
        file = name if name in SYSFS else name.removeprefix("ad_")
        if file in SYSFS and self.chance(50):
            good, bad = SYSFS[file]
            self.add("sysfs", self.bonds[0], file, self.rng.choice(bad if self.chance(20) else good) + "\n")
        else:
            number, kind, good, bad = NETLINK[name]
            self.add("set", self.bonds[0], [[number, kind, self.rng.choice(bad if bad and self.chance(20) else good)]])
        if self.chance(80):
            self.add("flag", self.bonds[0], "up", True)

    def port_priority(self):
        number, kind, good, _ = SLAVE_NETLINK["actor_port_prio"]
        self.add("slaveset", self.slave(), [[number, kind, self.rng.choice(good)]])

    def agree(self):
        self.add("agree")

    # -- reads ----------------------------------------------------------------------------------

    def look(self):
        what = self.rng.randrange(12)
        if what < 2:
            self.add("show", "sysfs", self.bond())
        elif what < 5:
            self.add("show", "proc", self.bond())
        elif what < 6:
            self.add("show", "slave", self.slave())
        elif what < 7:
            self.add("show", self.rng.choice(["masters", "list", "parameters"]), "")
        elif what < 8:
            self.add("show", self.rng.choice(["links", "lists", "modes"]), self.rng.choice([self.bond(), self.slave()]))
        elif what < 9:
            self.add("ioctl", "info", self.chance(30), self.bond(), 0)
        elif what < 10:
            self.add("ioctl", "slave", self.chance(30), self.bond(), self.rng.choice([0, 0, 1, 2, 9, -1]))
        elif what < 11:
            self.add(*(("mii", self.bond(), self.rng.choice([0, 0, 1]), self.rng.choice([0, 1, 2]))
                       if self.chance(50) else ("ethtool", self.bond())))
        else:
            self.look_by_program()

    def look_by_program(self):
        device = self.rng.choice([self.bond(), self.slave()])
        # A file system's block is what "ip" waits for: it is the slowest of all.
        if self.chance(70):
            self.add("run", "ip", *self.rng.choice([("-d",), ("-d", "-j")]), "link", "show", "dev", device)
        else:
            self.add("run", "ethtool", "-k", device)


class Scene:
    """What an episode is about: how likely each operation is."""

    odd = False
    devices = None  # these, and no others
    events = False  # act on link events at once, which is our driver's default

    def begin(self, episode):
        episode.load("max_bonds=0")
        episode.new_bond()


class Options(Scene):
    name = "options"
    weights = {"option_by_sysfs": 34, "option_by_netlink": 24, "options_together": 3, "option_by_ip": 3, "new_bond": 3,
               "bad_bond": 1, "delete_bond": 2, "enslave": 4, "release": 2, "bond_up": 4, "option_of_slave": 3,
               "look": 6, "parameter": 1}


class Members(Scene):
    name = "members"
    odd = True
    weights = {"enslave": 30, "release": 16, "new_bond": 5, "bad_bond": 3, "delete_bond": 4, "bond_up": 6, "look": 10,
               "option_by_sysfs": 6, "address": 4, "mtu": 4, "carrier": 4, "change_by_ioctl": 4, "option_of_slave": 3,
               "top": 4, "slave_up": 2}


class Links(Scene):
    name = "links"
    weights = {"carrier": 30, "enslave": 8, "release": 4, "bond_up": 6, "slave_up": 8, "look": 10, "option_by_sysfs": 6,
               "option_by_netlink": 6, "change_by_ioctl": 6, "option_of_slave": 4, "mtu": 2, "address": 2}

    def begin(self, episode):
        episode.load("max_bonds=0")
        episode.new_bond()
        for _ in range(2):
            episode.enslave()
        episode.add("flag", episode.bonds[0], "up", True)


class Events(Links):
    """Like our driver with its defaults: the final state that a user sees is the same."""
    name = "events"
    events = True


class Lacp(Scene):
    """802.3ad with a partner at the other ends of the cables."""
    name = "lacp"
    devices = ["a0", "a1", "a2"]
    weights = {"lacp_option": 14, "agree": 14, "carrier": 10, "enslave": 5, "release": 4, "bond_up": 4, "slave_up": 4,
               "partner": 6, "port_priority": 6, "look": 8, "address": 2, "option_of_slave": 2}

    def begin(self, episode):
        episode.load("max_bonds=0")
        episode.bonds = ["b0"]
        options = [[1, "u8", 4]]
        for name in episode.rng.sample(LACP, episode.rng.choice([0, 1, 2])):
            number, kind, good, _ = NETLINK[name]
            options.append([number, kind, episode.rng.choice(good)])
        episode.add("add", "b0", "0200000000b0" if episode.chance(50) else "", options)
        for device in self.devices:
            episode.add("partner", device, 1, 7)
        for _ in range(2):
            episode.enslave()
        episode.add("flag", "b0", "up", True)
        episode.add("agree")


class Balance(Links):
    """balance-tlb and balance-alb, over links whose speed is known: without it, the in-tree driver takes no link up."""
    name = "balance"
    devices = ["a0", "a1", "a2"]

    def begin(self, episode):
        episode.load("max_bonds=0")
        episode.bonds = ["b0"]
        options = [[1, "u8", episode.rng.choice([5, 6])]]
        if episode.chance(30):
            options.append([27, "u8", episode.rng.choice([0, 1])])
        episode.add("add", "b0", "0200000000b0" if episode.chance(50) else "", options)
        for _ in range(2):
            episode.enslave()
        episode.add("flag", "b0", "up", True)


class Devices(Scene):
    name = "devices"
    weights = {"enslave": 14, "release": 3, "mtu": 9, "address": 9, "rename": 6, "rename_bond": 3, "move": 6,
               "delete_device": 3, "top": 10, "flag": 10, "carrier": 6, "bond_up": 6, "slave_up": 4, "look": 12,
               "new_bond": 3, "delete_bond": 2, "option_by_sysfs": 4}


class Parameters(Scene):
    name = "parameters"
    weights = {"look": 20, "new_bond": 10, "enslave": 8, "option_by_sysfs": 8, "reload": 14, "bond_up": 4,
               "parameter": 3, "delete_bond": 3}

    def begin(self, episode):
        self.reload(episode)

    @staticmethod
    def reload(episode):
        names = episode.rng.sample(list(PARAMETERS), episode.rng.choice([1, 1, 2, 3]))
        words = [f"{name}={episode.rng.choice(PARAMETERS[name])}" for name in names]
        if "max_bonds" not in names and episode.chance(60):
            words.append("max_bonds=1")
        episode.load(*words)
        episode.bonds = ["bond0"]
        episode.slaves = {}
        episode.add("show", "list", "")
        episode.add("show", "sysfs", "bond0")
        episode.add("show", "proc", "bond0")


Episode.reload = Parameters.reload
SCENES = [Options, Members, Links, Events, Devices, Parameters, Lacp, Balance]


def script(seed, operations, scenes=None):
    """Episodes, each a list of operations, with roughly that many operations in total."""
    chosen = [scene for scene in SCENES if not scenes or scene.name in scenes]
    episodes = []
    count = 0
    while count < operations:
        # Seed each episode separately, so that one can be made again alone.
        number = len(episodes)
        rng = random.Random(f"{seed}/{number}")
        episodes.append(Episode(chosen[number % len(chosen)](), rng).write(LENGTH))
        count += len(episodes[-1])
    return episodes
