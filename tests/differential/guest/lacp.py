# SPDX-License-Identifier: GPL-2.0
"""802.3ad, where much depends on time: the in-tree driver acts in ticks, ours at once, and both wait
for seconds for a partner. After an operation, what depends on it is left out. "agree" waits until
nothing changes any more, and shows it all."""

import re

MODE_8023AD = "4/1"
# Of a link that LACP sends through, or that is on top of one.
LEFT_OUT = re.compile(r"carrier|operstate|slave\.(state|mii_status)|"
                      r"(slave|bond)\.ad_(aggregator|actor_oper|partner|churn|info).*")
# IFF_RUNNING, IFF_LOWER_UP, IFF_DORMANT
FLAGS = 0x40 | 0x10000 | 0x20000
# Churn is not told even by "agree": it is judged 60 s after something that each driver did in its
# own time. tests/policy/lacp.rs has it.
CHURN = re.compile(r".*churn.*", re.I)
FILES = re.compile(r"(mii_status|state|"
                   r"ad_(aggregator|num_ports|actor_key|partner_key|partner_mac|.*_oper_port_state).*): .*")
PROC = re.compile(r"(Aggregator ID|Actor Churn|Partner Churn|Active Aggregator Info|details |    |\t|"
                  r"bond .* has no active aggregator|Carries no traffic: ).*")
# What the machines log when they act.
LATER = re.compile(r"No 802\.3ad response from the link partner|Removing an active aggregator|carries no traffic: |"
                   r"An illegal loopback occurred")
CARRIER = re.compile(r"\d (\S+): (active interface up|now running without any active interface)!")
# The number of an aggregator is that of the port that came first, which is a matter of time.
AGGREGATOR = re.compile(r"(.*(?:slave\.ad_aggregator_id |ad_info\.aggregator |ad_aggregator_id: |ad_aggregator: |"
                        r"Aggregator ID: ))([1-9]\d*)(.*)")


def is_lacp(link):
    return link.get("bond.mode") == MODE_8023AD


def touched(links):
    """The names of the links whose state follows LACP: bonds with slaves, their slaves, and what is
    on top of these."""
    found = {link["master"] for link in links.values() if is_lacp(links.get(link.get("master"), {}))}
    slaves = {name for name, link in links.items() if link.get("master") in found}
    while more := {name for name, link in links.items() if link.get("link") in found} | \
            {links[name]["master"] for name in found if links[name].get("master") in links}:
        if more <= found:
            break
        found |= more
    return found | slaves


def works(links, name):
    """Whether the link is such a bond that is up, or its slave."""
    bond = links.get(links[name].get("master") if not is_lacp(links[name]) else name, {})
    return is_lacp(bond) and int(bond["flags"], 16) & 1


def masked(link):
    found = {key: value for key, value in link.items() if not LEFT_OUT.fullmatch(key)}
    found["flags"] = f"{int(link['flags'], 16) & ~FLAGS:#x}"
    return found


def files(lines):
    return [line for line in lines if not FILES.fullmatch(line)]


def lists(lines):
    """The address of LACP. What else a device listens to depends on whether its bond has had carrier."""
    return [line for line in lines if line.endswith("0180c2000002")]


def proc(lines):
    """Without what LACP has decided; the first MII Status is the bond's carrier."""
    first = next((place for place, line in enumerate(lines) if line.startswith("MII Status")), None)
    return [line for place, line in enumerate(lines) if place != first and not PROC.fullmatch(line)]


def is_later(line, names):
    """Whether LACP can be the cause of a line of the kernel log; names are of what it touches."""
    found = CARRIER.match(line)
    return LATER.search(line) or found and found[1] in names


def with_links(lines):
    """The same lines without what LACP says of a slave that has no link: through that one nobody says
    anything. Our driver shows what was said last."""
    down = {line.split()[0] for line in lines if re.fullmatch(r"\S+ slave\.mii_status 2/1", line)}
    section = None
    for line in lines:
        if line.startswith(("Slave Interface: ", "Ethernet Channel Bonding Driver")):
            section = line.split()[-1]
        if (section in down and PROC.fullmatch(line)) or (line.split(" ")[0] in down and "ad_" in line):
            continue
        yield line


def numbered(lines):
    """The same lines, with the aggregators numbered in the order in which they appear."""
    numbers = {}
    for line in lines:
        found = AGGREGATOR.fullmatch(line)
        yield f"{found[1]}{numbers.setdefault(found[2], len(numbers) + 1)}{found[3]}" if found else line


def decided(links, name):
    """What LACP has decided about a link."""
    return [f"{name} {key} {value}" for key, value in sorted(links[name].items())
            if LEFT_OUT.fullmatch(key) and not CHURN.fullmatch(key)]
