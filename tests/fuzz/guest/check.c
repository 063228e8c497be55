// SPDX-License-Identifier: GPL-2.0
/*
 * What must hold at any time: netlink, sysfs and procfs say the same, the options can be set, and
 * the kernel does not complain. Values that change by themselves may differ for a moment.
 */
#include "fuzz.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_LINKS 512
#define MOST_INFO 4096
#define PATIENCE_MS 3000

struct link {
	int index, master;
	unsigned int flags;
	char name[IFNAMSIZ];
	bool is_bond, is_slave;
	unsigned char data[MOST_INFO];
	size_t len;
};

static struct link links[MOST_LINKS];
static unsigned int count;
static char text[1 << 17];

/*
 * What does not hold now, and has not held in any look so far. A value that changes by itself holds
 * in some look.
 */
static struct {
	char subject[64], reason[512];
	unsigned int look;
} doubts[64];
static unsigned int doubt_count, looks;

__attribute__((format(printf, 3, 4))) static void wrong(const char *what, const char *name,
							const char *format, ...)
{
	char subject[sizeof(doubts[0].subject)];
	va_list arguments;
	unsigned int i;

	snprintf(subject, sizeof(subject), "%s of %s", what, name);
	for (i = 0; i < doubt_count && strcmp(doubts[i].subject, subject); i++)
		;
	if (i == doubt_count) {
		if (looks > 1 || doubt_count == sizeof(doubts) / sizeof(doubts[0]))
			return;
		strcpy(doubts[doubt_count++].subject, subject);
	}
	doubts[i].look = looks;
	va_start(arguments, format);
	vsnprintf(doubts[i].reason, sizeof(doubts[i].reason), format, arguments);
	va_end(arguments);
}

static void look(const unsigned char *body, size_t len)
{
	const struct ifinfomsg *info = (const void *)body;
	const unsigned char *attrs = body + sizeof(*info), *payload, *kind, *data;
	struct link *link = &links[count];
	size_t size, room;

	if (count == MOST_LINKS)
		return;
	memset(link, 0, sizeof(*link));
	link->index = info->ifi_index;
	link->flags = info->ifi_flags;
	len -= sizeof(*info);
	payload = attribute(attrs, len, IFLA_IFNAME, &size);
	if (payload)
		strncpy(link->name, (const char *)payload, IFNAMSIZ - 1);
	payload = attribute(attrs, len, IFLA_MASTER, &size);
	if (size == 4)
		memcpy(&link->master, payload, 4);
	payload = attribute(attrs, len, IFLA_LINKINFO, &size);
	room = size;
	kind = attribute(payload, room, IFLA_INFO_KIND, &size);
	link->is_bond = kind && !strcmp((const char *)kind, "bond");
	kind = attribute(payload, room, IFLA_INFO_SLAVE_KIND, &size);
	link->is_slave = kind && !strcmp((const char *)kind, "bond");
	data = attribute(payload, room, link->is_bond ? IFLA_INFO_DATA : IFLA_INFO_SLAVE_DATA, &size);
	if (data && size <= sizeof(link->data)) {
		memcpy(link->data, data, size);
		link->len = size;
	}
	count++;
}

static const struct link *link_of(int index)
{
	for (unsigned int i = 0; i < count; i++)
		if (links[i].index == index)
			return &links[i];
	return NULL;
}

static unsigned long number(const unsigned char *payload, size_t size)
{
	uint32_t number = 0;

	memcpy(&number, payload, size < 4 ? size : 4);
	return number;
}

static const struct {
	unsigned int attribute;
	const char *file;
} numbers[] = {
	{ IFLA_BOND_MODE, "mode" },
	{ IFLA_BOND_MIIMON, "miimon" },
	{ IFLA_BOND_UPDELAY, "updelay" },
	{ IFLA_BOND_DOWNDELAY, "downdelay" },
	{ IFLA_BOND_USE_CARRIER, "use_carrier" },
	{ IFLA_BOND_ARP_INTERVAL, "arp_interval" },
	{ IFLA_BOND_ARP_VALIDATE, "arp_validate" },
	{ IFLA_BOND_ARP_ALL_TARGETS, "arp_all_targets" },
	{ IFLA_BOND_PRIMARY_RESELECT, "primary_reselect" },
	{ IFLA_BOND_FAIL_OVER_MAC, "fail_over_mac" },
	{ IFLA_BOND_XMIT_HASH_POLICY, "xmit_hash_policy" },
	{ IFLA_BOND_RESEND_IGMP, "resend_igmp" },
	{ IFLA_BOND_NUM_PEER_NOTIF, "num_grat_arp" },
	{ IFLA_BOND_NUM_PEER_NOTIF, "num_unsol_na" },
	{ IFLA_BOND_ALL_SLAVES_ACTIVE, "all_slaves_active" },
	{ IFLA_BOND_MIN_LINKS, "min_links" },
	{ IFLA_BOND_LP_INTERVAL, "lp_interval" },
	{ IFLA_BOND_PACKETS_PER_SLAVE, "packets_per_slave" },
	{ IFLA_BOND_AD_LACP_RATE, "lacp_rate" },
	{ IFLA_BOND_AD_SELECT, "ad_select" },
	{ IFLA_BOND_TLB_DYNAMIC_LB, "tlb_dynamic_lb" },
	{ IFLA_BOND_PEER_NOTIF_DELAY, "peer_notif_delay" },
	{ 30 /* IFLA_BOND_MISSED_MAX */, "arp_missed_max" },
};

static void check_numbers(const struct link *bond)
{
	const unsigned char *payload;
	const char *word;
	size_t size;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (read_text(text, sizeof(text), "/sys/class/net/%s/bonding/%s", bond->name,
			      numbers[i].file) < 0) {
			wrong(numbers[i].file, bond->name, "%s/bonding/%s cannot be read: %s", bond->name,
			      numbers[i].file, strerror(errno));
			continue;
		}
		payload = attribute(bond->data, bond->len, numbers[i].attribute, &size);
		if (!payload) {
			wrong(numbers[i].file, bond->name, "netlink does not tell %s of %s", numbers[i].file,
			      bond->name);
			continue;
		}
		word = strrchr(text, ' ');
		word = word ? word + 1 : text;
		if ((uint32_t)strtoul(word, NULL, 10) != number(payload, size))
			wrong(numbers[i].file, bond->name, "%s of %s is %lu by netlink, and \"%s\" by sysfs",
			      numbers[i].file, bond->name, number(payload, size), text);
	}
}

static void check_interface(const struct link *bond, unsigned int attr, const char *file)
{
	size_t size;
	const unsigned char *payload = attribute(bond->data, bond->len, attr, &size);
	const struct link *slave = payload ? link_of(number(payload, size)) : NULL;

	if (payload && !slave)
		wrong(file, bond->name, "%s of %s is interface %lu by netlink, which does not exist", file, bond->name,
		      number(payload, size));
	read_text(text, sizeof(text), "/sys/class/net/%s/bonding/%s", bond->name, file);
	if (strcmp(text, slave ? slave->name : ""))
		wrong(file, bond->name, "%s of %s is \"%s\" by netlink, and \"%s\" by sysfs", file, bond->name,
		      slave ? slave->name : "", text);
	if (slave && slave->master != bond->index)
		wrong(file, bond->name, "%s of %s is %s, which is not its slave", file, bond->name, slave->name);
}

static void check_targets(const struct link *bond)
{
	size_t size, len, at = 0;
	const unsigned char *nest = attribute(bond->data, bond->len, IFLA_BOND_ARP_IP_TARGET, &len);
	char told[512] = "", one[INET_ADDRSTRLEN];
	struct rtattr header;

	for (; nest && at + sizeof(header) <= len; at += RTA_ALIGN(header.rta_len)) {
		memcpy(&header, nest + at, sizeof(header));
		size = strlen(told);
		snprintf(told + size, sizeof(told) - size, "%s%s", size ? " " : "",
			 inet_ntop(AF_INET, nest + at + sizeof(header), one, sizeof(one)));
		if (header.rta_len != 8)
			wrong("a target", bond->name, "netlink tells a target of %s with %u bytes", bond->name,
			      header.rta_len);
		if (header.rta_len < 4)
			break;
	}
	read_text(text, sizeof(text), "/sys/class/net/%s/bonding/arp_ip_target", bond->name);
	if (strcmp(text, told))
		wrong("the targets", bond->name, "the targets of %s are \"%s\" by netlink, and \"%s\" by sysfs",
		      bond->name, told, text);
}

static void check_slave(const struct link *slave)
{
	static const struct {
		unsigned int attribute;
		const char *file, *texts[4];
	} files[] = {
		{ IFLA_BOND_SLAVE_STATE, "state", { "active", "backup" } },
		{ IFLA_BOND_SLAVE_MII_STATUS, "mii_status", { "up", "going down", "down", "going back" } },
		{ IFLA_BOND_SLAVE_LINK_FAILURE_COUNT, "link_failure_count", { NULL } },
		{ IFLA_BOND_SLAVE_QUEUE_ID, "queue_id", { NULL } },
	};
	const unsigned char *payload;
	size_t size;

	if (!(slave->flags & IFF_SLAVE))
		wrong("the flag", slave->name, "%s has a bond as its master, and not the flag SLAVE", slave->name);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const char *file = files[i].file;
		unsigned long told;
		bool same;

		payload = attribute(slave->data, slave->len, files[i].attribute, &size);
		if (!payload) {
			wrong(file, slave->name, "netlink does not tell %s of %s", file, slave->name);
			continue;
		}
		if (read_text(text, sizeof(text), "/sys/class/net/%s/bonding_slave/%s", slave->name, file) < 0)
			wrong(file, slave->name, "%s/bonding_slave/%s cannot be read: %s", slave->name, file,
			      strerror(errno));
		told = number(payload, size);
		if (files[i].texts[0])
			same = told < 4 && files[i].texts[told] && !strcmp(text, files[i].texts[told]);
		else if (files[i].attribute == IFLA_BOND_SLAVE_LINK_FAILURE_COUNT)
			same = strtoul(text, NULL, 10) >= told; /* netlink was asked earlier */
		else
			same = strtoul(text, NULL, 10) == told;
		if (!same)
			wrong(file, slave->name, "%s of %s is %lu by netlink, and \"%s\" by sysfs", file,
			      slave->name, told, text);
	}
}

static void check_slaves(const struct link *bond)
{
	unsigned int slaves = 0, listed = 0;
	char list[1024];

	read_text(text, sizeof(text), "/sys/class/net/%s/bonding/slaves", bond->name);
	for (unsigned int i = 0; i < count; i++) {
		if (links[i].master != bond->index)
			continue;
		slaves++;
		if (!links[i].is_slave)
			wrong("master", links[i].name, "%s has master %s, and netlink says nothing of a slave",
			      links[i].name, bond->name);
		if (!has_word(text, links[i].name))
			wrong("bonding/slaves", links[i].name, "%s has master %s, and is not in bonding/slaves (\"%s\")",
			      links[i].name, bond->name, text);
	}
	strncpy(list, text, sizeof(list) - 1);
	for (char *word = strtok(list, " "); word; word = strtok(NULL, " "))
		listed++;
	if (listed != slaves)
		wrong("bonding/slaves", bond->name, "%s has %u slaves, and bonding/slaves has \"%s\"", bond->name, slaves, text);
	for (unsigned int i = 0; i < count; i++)
		if (links[i].master == bond->index)
			check_slave(&links[i]);

	if (read_text(text, sizeof(text), "/proc/net/bonding/%s", bond->name) < 0) {
		wrong("proc", bond->name, "/proc/net/bonding/%s cannot be read: %s", bond->name, strerror(errno));
		return;
	}
	if (!strstr(text, "\nBonding Mode: "))
		wrong("the mode in proc", bond->name, "/proc/net/bonding/%s tells no mode", bond->name);
	listed = 0;
	for (char *at = text; (at = strstr(at, "\nSlave Interface: ")); at++)
		listed++;
	if (listed != slaves)
		wrong("the slaves in proc", bond->name, "/proc/net/bonding/%s has %u slaves, and there are %u", bond->name,
		      listed, slaves);
}

static unsigned int entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned int entries = 0;

	while (dir && (entry = readdir(dir)))
		entries += entry->d_name[0] != '.' || (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."));
	if (dir)
		closedir(dir);
	return entries;
}

static void check_state(void)
{
	unsigned int bonds = 0;

	count = 0;
	looks++;
	netlink_links(look);
	for (unsigned int i = 0; i < count; i++) {
		const struct link *bond = &links[i];

		if (!bond->is_bond)
			continue;
		bonds++;
		if (!(bond->flags & IFF_MASTER))
			wrong("the flag", bond->name, "%s has not the flag MASTER", bond->name);
		check_numbers(bond);
		check_interface(bond, IFLA_BOND_ACTIVE_SLAVE, "active_slave");
		check_interface(bond, IFLA_BOND_PRIMARY, "primary");
		check_targets(bond);
		check_slaves(bond);
		read_text(text, sizeof(text), "/sys/class/net/bonding_masters");
		if (!has_word(text, bond->name))
			wrong("bonding_masters", bond->name, "%s is not in bonding_masters (\"%.100s\")", bond->name, text);
	}
	if (entries("/proc/net/bonding") != bonds)
		wrong("files", "proc", "there are %u bonds, and %u files in /proc/net/bonding", bonds,
		      entries("/proc/net/bonding"));
}

/* Sets an option that every bond accepts at any time, first by sysfs and then by netlink. */
static void check_setting(const struct link *bond)
{
	static unsigned char value;
	unsigned char body[256] = { 0 }, options[MOST_INFO];
	struct ifinfomsg info = { .ifi_index = bond->index };
	/* LINKINFO { KIND "bond", DATA { RESEND_IGMP } } */
	struct {
		struct rtattr linkinfo, kind;
		char name[8];
		struct rtattr data, option;
		uint32_t value;
	} request = {
		{ sizeof(request), IFLA_LINKINFO }, { 9, IFLA_INFO_KIND }, "bond",
		{ 12, IFLA_INFO_DATA }, { 8, IFLA_BOND_RESEND_IGMP }, 0,
	};
	const unsigned char *payload;
	char path[128];
	size_t size;
	long len;
	int error;

	snprintf(path, sizeof(path), "/sys/class/net/%s/bonding/resend_igmp", bond->name);
	len = snprintf(text, sizeof(text), "%u\n", ++value);
	if (write_file(path, text, len) != len)
		found("%s cannot be set to %u any more: %s", path, value, strerror(errno));
	len = bond_options(bond->name, options, sizeof(options));
	payload = attribute(options, len < 0 ? 0 : len, IFLA_BOND_RESEND_IGMP, &size);
	if (!payload || number(payload, size) != value)
		found("%s was set to %u, and netlink does not say so", path, value);
	request.value = ++value;
	memcpy(body, &info, sizeof(info));
	memcpy(body + sizeof(info), &request, sizeof(request));
	error = netlink_ask(HERE, RTM_NEWLINK, 0, body, sizeof(info) + sizeof(request));
	if (error)
		found("resend_igmp of %s cannot be set by netlink any more: %s", bond->name, strerror(-error));
	if (read_text(text, sizeof(text), "%s", path) < 0 || strtoul(text, NULL, 10) != value)
		found("%s is \"%s\", and was set to %u by netlink", path, text, value);
}

/* Looks once more; true if a doubt remains. */
static bool is_in_doubt(void)
{
	unsigned int kept = 0;

	check_state();
	for (unsigned int i = 0; i < doubt_count; i++)
		if (doubts[i].look == looks)
			doubts[kept++] = doubts[i];
	doubt_count = kept;
	return kept;
}

void check(void)
{
	uint64_t deadline = now_ms() + PATIENCE_MS;

	doubt_count = looks = 0;
	while (is_in_doubt()) {
		if (now_ms() > deadline)
			found("%s", doubts[0].reason);
		pause_ms(20);
	}
	for (unsigned int i = 0; i < count; i++)
		if (links[i].is_bond)
			check_setting(&links[i]);
	check_log();
}

/* -- the kernel log ----------------------------------------------------------------------- */

static int kmsg = -1;

void check_open(void)
{
	kmsg = open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0 || lseek(kmsg, 0, SEEK_END) < 0)
		broken("/dev/kmsg");
}

/* scripts/guest checks more thoroughly; this says which operation it was. */
void check_log(void)
{
	static const char *const splats[] = {
		"BUG: ", "kernel BUG at ", "WARNING: ", "Oops: ", "general protection fault", "UBSAN: ",
		"KASAN: ", "KFENCE: ", "refcount_t: ", "suspicious RCU usage", "INFO: task ", " stall",
		"possible circular locking", "possible recursive locking", "scheduling while atomic",
		"list_add corruption", "list_del corruption", "ref_tracker: ", "unregister_netdevice: waiting",
		"rust_kernel: panicked",
	};
	static char record[16384];
	ssize_t len;

	for (;;) {
		len = read(kmsg, record, sizeof(record) - 1);
		if (len < 0 && errno == EPIPE)
			continue; /* overwritten: scripts/guest has it */
		if (len < 0)
			return;
		record[len] = 0;
		for (size_t i = 0; i < sizeof(splats) / sizeof(splats[0]); i++)
			if (strstr(record, splats[i]))
				found("the kernel says: %.300s", strchr(record, ';') ? strchr(record, ';') + 1 : record);
	}
}
