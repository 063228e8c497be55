# SPDX-License-Identifier: GPL-2.0
"""What rtnetlink reports about a link, as names and values by which two guests can be compared."""

import socket
import struct

from netlink import IFINFO, attributes

# Attributes that have no meaning outside one guest, change by themselves, or do not concern the
# bond: statistics, the counts of carrier changes (a wanted difference), IPv6's times, and random
# values of netdevsim.
IGNORED = {7, 14, 23, 26, 35, 36, 37, 42, 47, 48, 62}
LINK_TEXT = {3: "name", 6: "qdisc", 20: "alias", 52: "alternative", 34: "port", 56: "parent", 57: "bus"}
LINK_NUMBER = {4: "mtu", 13: "txqlen", 16: "operstate", 17: "linkmode", 27: "group", 30: "promiscuity",
               31: "txqueues", 32: "rxqueues", 40: "gso_max_segs", 41: "gso_max_size", 58: "gro_max_size",
               59: "tso_max_size", 60: "tso_max_segs", 61: "allmulti", 50: "min_mtu", 51: "max_mtu",
               63: "gso_ipv4_max_size", 64: "gro_ipv4_max_size", 39: "proto_down", 33: "carrier"}
LINK_INDEX = {5: "link", 10: "master"}
LINK_ADDRESS = {1: "address", 2: "broadcast", 54: "permanent"}
INFO_DATA, INFO_SLAVE_DATA = 2, 5
BOND = {1: "mode", 2: "active_slave", 3: "miimon", 4: "updelay", 5: "downdelay", 6: "use_carrier",
        7: "arp_interval", 8: "arp_ip_target", 9: "arp_validate", 10: "arp_all_targets", 11: "primary",
        12: "primary_reselect", 13: "fail_over_mac", 14: "xmit_hash_policy", 15: "resend_igmp",
        16: "num_peer_notif", 17: "all_slaves_active", 18: "min_links", 19: "lp_interval",
        20: "packets_per_slave", 21: "ad_lacp_rate", 22: "ad_select", 23: "ad_info", 24: "ad_actor_sys_prio",
        25: "ad_user_port_key", 26: "ad_actor_system", 27: "tlb_dynamic_lb", 28: "peer_notif_delay",
        29: "ad_lacp_active", 30: "missed_max", 31: "ns_ip6_target", 32: "coupled_control",
        33: "broadcast_neighbor", 34: "lacp_strict"}
BOND_INDEX, BOND_IPV4, BOND_AD_INFO, BOND_IPV6 = {2, 11}, 8, 23, 31
AD_INFO = {1: "aggregator", 2: "num_ports", 3: "actor_key", 4: "partner_key", 5: "partner_mac"}
BOND_SLAVE = {1: "state", 2: "mii_status", 3: "link_failure_count", 4: "perm_hwaddr", 5: "queue_id",
              6: "ad_aggregator_id", 7: "ad_actor_oper_port_state", 8: "ad_partner_oper_port_state", 9: "prio",
              10: "actor_port_prio", 11: "ad_churn_actor_state", 12: "ad_churn_partner_state"}
INTEGERS = {1: "=B", 2: "=H", 4: "=i", 8: "=q"}


def number(payload):
    form = INTEGERS.get(len(payload))
    return str(struct.unpack(form, payload)[0]) if form else payload.hex()


def bond(data, name_of):
    """The options of a bond as netlink reports them, with the attributes' lengths where these
    matter."""
    for key, payload in attributes(data):
        label = BOND.get(key, f"attribute {key}")
        if key in BOND_INDEX:
            yield label, name_of(struct.unpack("=I", payload)[0])
        elif key == BOND_AD_INFO:
            for inner, value in attributes(payload):
                yield f"{label}.{AD_INFO.get(inner, inner)}", f"{number(value)}/{len(value)}"
        elif key == BOND_IPV4:
            yield label, " ".join(f"{n}:{socket.inet_ntop(socket.AF_INET, a)}" for n, a in attributes(payload))
        elif key == BOND_IPV6:
            yield label, " ".join(f"{n}:{socket.inet_ntop(socket.AF_INET6, a)}" for n, a in attributes(payload))
        else:
            yield label, f"{number(payload)}/{len(payload)}"


def slave(data, normal):
    for key, payload in attributes(data):
        label = BOND_SLAVE.get(key, f"attribute {key}")
        yield label, normal(payload) if key == 4 else f"{number(payload)}/{len(payload)}"


def link_info(data, name_of, normal):
    kind = slave_kind = b""
    inner = {}
    for key, payload in attributes(data):
        if key == 1:
            kind = payload
            yield "kind", payload.rstrip(b"\0").decode()
        elif key == 4:
            slave_kind = payload
            yield "slave_kind", payload.rstrip(b"\0").decode()
        else:
            inner[key] = payload
    for key, payload in inner.items():
        if key == INFO_DATA and kind.startswith(b"bond"):
            for label, value in bond(payload, name_of):
                yield "bond." + label, value
        elif key == INFO_SLAVE_DATA and slave_kind.startswith(b"bond"):
            for label, value in slave(payload, normal):
                yield "slave." + label, value
        elif key not in (INFO_DATA, INFO_SLAVE_DATA, 3):
            yield f"info {key}", payload.hex()


def link(body, name_of, normal):
    """One link as a dictionary. name_of: from index to name; normal: from a hardware address to text."""
    _, kind, _, flags, _ = IFINFO.unpack_from(body)
    found = {"type": str(kind), "flags": f"{flags:#x}"}
    for key, payload in attributes(body[IFINFO.size:]):
        if key in IGNORED:
            continue
        if key in LINK_TEXT:
            found[LINK_TEXT[key]] = payload.rstrip(b"\0").decode(errors="replace")
        elif key in LINK_NUMBER:
            found[LINK_NUMBER[key]] = number(payload)
        elif key in LINK_INDEX:
            found[LINK_INDEX[key]] = name_of(struct.unpack("=I", payload)[0])
        elif key in LINK_ADDRESS:
            found[LINK_ADDRESS[key]] = normal(payload)
        elif key == 18:
            found.update(link_info(payload, name_of, normal))
        else:
            found[f"attribute {key}"] = payload.hex()
    return found
