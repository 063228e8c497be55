# SPDX-License-Identifier: GPL-2.0
"""Values of the options, good and bad, for each interface that takes them."""

# Written where a number or a word is expected; none of these is one.
JUNK = ["", " ", "x", "-1", "+1", " 1", "1 ", "1 2", "1x", "0x1", "01", "off", "on", "default", "maxval", "minval",
        "4294967296", "4294967297", "99999999999999999999", "1\n\n", "\n", "1\x00", "%s", "none", "1,2", "1" * 40,
        "ä", "1\t"]

COUNT = ["0", "1", "2", "7", "254", "255"]
ADDRESSES = ["192.0.2.2", "192.0.2.3", "198.51.100.7", "10.0.0.1"]
BAD_ADDRESSES = ["192.0.2", "192.0.2.256", "0.0.0.0", "255.255.255.255", "192.0.2.2.2", "x", "", "1", "224.0.0.1"]

# Option of sysfs: good values, and bad ones of its own. DEVICE stands for a name.
SYSFS = {
    "mode": (["balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "0", "1", "2", "3", "4"],
             ["7", "802.3AD", "Active-Backup", "active-backup 1", "rr"]),
    "miimon": (["0", "20", "50", "100", "100", "100"], ["2147483648", "-100", "50ms"]),
    "updelay": (["0", "50", "100", "120", "200"], ["2147483648"]),
    "downdelay": (["0", "50", "100", "120", "200"], ["2147483648"]),
    "peer_notif_delay": (["0", "100", "150", "200"], ["300001"]),
    "use_carrier": (["1", "on"], ["2"]),
    "arp_interval": (["0", "60000", "120000"], ["2147483648"]),
    "arp_validate": (["none", "active", "backup", "all", "filter", "filter_active", "filter_backup", "0", "3", "6"],
                     ["7", "every"]),
    "arp_all_targets": (["any", "all", "0", "1"], ["2"]),
    "arp_missed_max": (["1", "2", "3", "255"], ["0", "256"]),
    "arp_ip_target": (["+" + a for a in ADDRESSES] + ["-" + a for a in ADDRESSES], ADDRESSES[:1] +
                      ["+" + a for a in BAD_ADDRESSES] + ["-" + a for a in BAD_ADDRESSES]),
    "primary": (["DEVICE", "DEVICE", "DEVICE", ""], ["nothing", "DEVICE x", "a-name-of-more-than-fifteen"]),
    "primary_reselect": (["always", "better", "failure", "0", "1", "2"], ["3", "worse"]),
    "active_slave": (["DEVICE", "DEVICE", "DEVICE", ""], ["nothing", "DEVICE x"]),
    "fail_over_mac": (["none", "active", "follow", "0", "1", "2"], ["3"]),
    "num_grat_arp": (COUNT, ["256"]),
    "num_unsol_na": (COUNT, ["256"]),
    "resend_igmp": (COUNT, ["256"]),
    "all_slaves_active": (["0", "1"], ["2"]),
    "min_links": (["0", "1", "2", "5"], ["2147483648"]),
    "packets_per_slave": (["0", "1", "2", "100", "65535"], ["65536"]),
    "queue_id": (["DEVICE:0", "DEVICE:1", "DEVICE:3", "DEVICE:15"], ["DEVICE:16", "DEVICE:-1", "DEVICE", "DEVICE:",
                                                                    ":1", "nothing:1", "DEVICE: 1", "DEVICE:1x"]),
    "slaves": (["+DEVICE", "-DEVICE"], ["DEVICE", "+", "-", "+nothing", "++DEVICE", "+DEVICE x", " +DEVICE", "+BOND",
                                        "+lo", "+a-name-of-more-than-fifteen"]),
    "xmit_hash_policy": (["layer2", "0", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac", "1", "2", "3",
                          "4", "5"], ["6", "layer4"]),
    "lp_interval": (["1", "2", "60", "2147483647"], ["0", "2147483648"]),
    # Options of 802.3ad and of the modes that are not built: the other modes refuse them, or accept
    # their current values.
    "lacp_rate": (["slow", "fast", "0", "1"], ["2"]),
    "lacp_active": (["on", "off", "0", "1"], ["2"]),
    "ad_select": (["stable", "bandwidth", "count", "actor_port_prio", "0", "1", "2", "3"], ["4", "fancy"]),
    "ad_actor_sys_prio": (["1", "7", "65535"], ["0", "65536"]),
    "ad_actor_system": (["02:00:00:00:00:01", "02:00:00:00:00:99", "00:00:00:00:00:00"],
                        ["x", "01:00:00:00:00:01", "ff:ff:ff:ff:ff:ff", "02:00:00:00:00", "2:0:0:0:0:1", "02-00-00-00-00-01",
                         "02:00:00:00:00:01:02"]),
    "ad_user_port_key": (["0", "1", "1023"], ["1024"]),
    "tlb_dynamic_lb": (["0", "1"], ["2"]),
    # Files to read.
    "mii_status": ([], ["up"]),
    "ad_aggregator": ([], ["1"]),
    "ad_partner_mac": ([], ["02:00:00:00:00:01"]),
}

# Number of a netlink attribute: kind, good values, bad values.
NETLINK = {
    "mode": (1, "u8", [0, 1, 1, 2, 3, 4], [7, 255]),
    "active_slave": (2, "index", ["DEVICE", "DEVICE", ""], ["BOND", "lo"]),
    "miimon": (3, "u32", [0, 20, 50, 100, 100, 100], [1 << 31, (1 << 32) - 1]),
    "updelay": (4, "u32", [0, 50, 100, 120, 200], [1 << 31]),
    "downdelay": (5, "u32", [0, 50, 100, 120, 200], [1 << 31]),
    "use_carrier": (6, "u8", [1], [2, 255]),
    "arp_interval": (7, "u32", [0, 60000], [1 << 31]),
    "arp_ip_target": (8, "list4", [[], ["192.0.2.2"], ["192.0.2.2", "192.0.2.3"]], []),
    "arp_validate": (9, "u32", [0, 1, 2, 3, 4, 5, 6], [7, 1 << 31]),
    "arp_all_targets": (10, "u32", [0, 1], [2]),
    "primary": (11, "index", ["DEVICE", "DEVICE", ""], ["BOND", "lo"]),
    "primary_reselect": (12, "u8", [0, 1, 2], [3]),
    "fail_over_mac": (13, "u8", [0, 1, 2], [3]),
    "xmit_hash_policy": (14, "u8", [0, 1, 2, 3, 4, 5], [6]),
    "resend_igmp": (15, "u32", [0, 1, 255], [256]),
    "num_peer_notif": (16, "u8", [0, 1, 3, 255], []),
    "all_slaves_active": (17, "u8", [0, 1], [2]),
    "min_links": (18, "u32", [0, 1, 3], [1 << 31]),
    "lp_interval": (19, "u32", [1, 5], [0, 1 << 31]),
    "packets_per_slave": (20, "u32", [0, 1, 2, 65535], [65536]),
    "ad_lacp_rate": (21, "u8", [0, 1], [2]),
    "ad_select": (22, "u8", [0, 1, 2, 3], [4]),
    "ad_info": (23, "raw", ["", "00000000"], []),
    "ad_actor_sys_prio": (24, "u16", [1, 7, 65535], [0]),
    "ad_user_port_key": (25, "u16", [0, 1, 1023], [1024]),
    "ad_actor_system": (26, "raw", ["020000000001", "020000000099", "000000000000"],
                        ["010000000001", "ffffffffffff", "0200", "02000000000102"]),
    "tlb_dynamic_lb": (27, "u8", [0, 1], [2]),
    "peer_notif_delay": (28, "u32", [0, 100, 150, 200], [300001]),
    "ad_lacp_active": (29, "u8", [0, 1], [2]),
    "missed_max": (30, "u8", [1, 2, 255], [0]),
    "ns_ip6_target": (31, "list6", [[], ["2001:db8::2"], ["2001:db8::2", "fe80::3"]], []),
    "coupled_control": (32, "u8", [0, 1], [2]),
    "broadcast_neighbor": (33, "u8", [0, 1], [2]),
    "lacp_strict": (34, "u8", [0, 1], [2]),
}
SLAVE_NETLINK = {
    "state": (1, "u8", [], [0]),
    "mii_status": (2, "u8", [], [0]),
    "queue_id": (5, "u16", [0, 1, 2, 15], [16, 65535]),
    "prio": (9, "s32", [0, 1, -1, 7, 2147483647, -2147483648], []),
    "actor_port_prio": (10, "u16", [0, 1, 255, 65535], []),
}

# The options of 802.3ad, by their names in netlink.
LACP = ["ad_select", "ad_lacp_rate", "ad_lacp_active", "lacp_strict", "min_links", "ad_actor_sys_prio", "ad_actor_system",
        "ad_user_port_key", "coupled_control", "broadcast_neighbor", "xmit_hash_policy"]

# Words of "ip link ... type bond", with its own spelling.
IP = {
    "mode": ["balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "0", "fancy"],
    "miimon": ["0", "100", "x"],
    "updelay": ["100", "150", "0"],
    "downdelay": ["100", "0"],
    "peer_notify_delay": ["100", "300001"],
    "num_grat_arp": ["1", "3", "256"],
    "num_unsol_na": ["2"],
    "resend_igmp": ["0", "256"],
    "primary": ["DEVICE", "nothing"],
    "active_slave": ["DEVICE", "BOND"],
    "primary_reselect": ["always", "better", "failure", "never"],
    "fail_over_mac": ["none", "active", "follow"],
    "min_links": ["0", "2"],
    "packets_per_slave": ["0", "5", "65536"],
    "all_slaves_active": ["0", "1", "2"],
    "arp_validate": ["none", "all", "filter_active", "some"],
    "arp_interval": ["0", "60000"],
    "arp_ip_target": ["192.0.2.2", "192.0.2.2,192.0.2.3", "x"],
    "arp_missed_max": ["2", "0"],
    "ns_ip6_target": ["2001:db8::1"],
    "lacp_rate": ["slow", "fast", "slower"],
    "lacp_active": ["on", "off"],
    "coupled_control": ["on", "off"],
    "ad_select": ["stable", "bandwidth", "count"],
    "ad_user_port_key": ["5", "1024"],
    "ad_actor_sys_prio": ["5", "0"],
    "ad_actor_system": ["02:00:00:00:00:05", "01:00:00:00:00:05"],
    "use_carrier": ["0", "1"],
}

# Module parameters.
PARAMETERS = {
    "max_bonds": ["0", "1", "2", "-1", "2147483648", "x"],
    "tx_queues": ["1", "2", "16", "255", "0", "256", "-1"],
    "mode": ["0", "1", "2", "3", "4", "balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "7", "rr", ""],
    "miimon": ["0", "100", "-1", "x", "2147483648"],
    "updelay": ["0", "100", "150", "-1"],
    "downdelay": ["0", "100", "150", "-1"],
    "use_carrier": ["0", "1", "2"],
    "primary": ["a0", "nothing", "a-name-of-more-than-fifteen"],
    "primary_reselect": ["always", "2", "3", "better"],
    "num_grat_arp": ["0", "3", "255", "256", "-1"],
    "num_unsol_na": ["0", "3", "255", "256", "-1"],
    "min_links": ["0", "2", "-1"],
    "resend_igmp": ["0", "255", "256", "-1"],
    "all_slaves_active": ["0", "1", "2"],
    "packets_per_slave": ["0", "1", "65535", "65536", "-1"],
    "fail_over_mac": ["none", "active", "2", "3"],
    "arp_interval": ["0", "60000", "-1"],
    "arp_ip_target": ["192.0.2.2", "192.0.2.2,192.0.2.3", "x", "", "0.0.0.0"],
    "arp_validate": ["none", "all", "3", "7"],
    "arp_all_targets": ["any", "all", "1", "2"],
    "lp_interval": ["1", "0", "-1", "5"],
    "lacp_rate": ["slow", "fast", "1", "2"],
    "ad_select": ["stable", "bandwidth", "actor_port_prio", "0", "2", "9"],
    "xmit_hash_policy": ["layer2", "layer3+4", "0", "9"],
    "nonsense": ["1"],
}
