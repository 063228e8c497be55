// SPDX-License-Identifier: GPL-2.0
/*
 * Handles many network devices at once, over rtnetlink, and measures what that costs.
 *
 *   links add KIND PREFIX COUNT [MIIMON [802.3ad]]   PREFIX0, PREFIX1, ...; a bond is active-backup, or in this
 *                                                    mode; the floor has as many queues as a bond
 *   links enslave LOWER UPPER COUNT          LOWER0 into UPPER0, ...
 *   links up PREFIX COUNT
 *   links delete PREFIX COUNT
 *
 * Prints the instructions for one of them: it reads /proc/busy before the first one and, to include
 * deferred work, a second after the last one. Idle time costs nothing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "busy.h"

#define ACTIVE_BACKUP	1
#define IEEE8023AD	4
#define BOND_QUEUES	16
#define REST_US		1000000

struct message {
	struct nlmsghdr head;
	struct ifinfomsg link;
	char room[512];
};

static int kernel;

static struct rtattr *put(struct message *m, int type, const void *data, size_t size)
{
	struct rtattr *attr = (void *)((char *)m + NLMSG_ALIGN(m->head.nlmsg_len));

	attr->rta_type = type;
	attr->rta_len = RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(attr), data, size);
	m->head.nlmsg_len = NLMSG_ALIGN(m->head.nlmsg_len) + RTA_ALIGN(attr->rta_len);
	return attr;
}

static void close_nest(struct message *m, struct rtattr *nest)
{
	nest->rta_len = (char *)m + m->head.nlmsg_len - (char *)nest;
}

static void begin(struct message *m, int type, int flags)
{
	memset(m, 0, sizeof(*m));
	m->head.nlmsg_len = NLMSG_LENGTH(sizeof(m->link));
	m->head.nlmsg_type = type;
	m->head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
}

static void ask(struct message *m, const char *name)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char room[1024];
	} answer;
	ssize_t size;

	if (send(kernel, m, m->head.nlmsg_len, 0) < 0)
		die(name);
	size = recv(kernel, &answer, sizeof(answer), 0);
	if (size < (ssize_t)sizeof(answer.head) || answer.head.nlmsg_type != NLMSG_ERROR)
		die(name);
	if (answer.error.error) {
		errno = -answer.error.error;
		die(name);
	}
}

static int index_of(const char *prefix, int number)
{
	char name[IFNAMSIZ];
	int index;

	snprintf(name, sizeof(name), "%s%d", prefix, number);
	index = if_nametoindex(name);
	if (!index)
		die(name);
	return index;
}

static void add(struct message *m, const char *kind, const char *prefix, int number, uint32_t miimon,
		uint8_t mode)
{
	struct rtattr *info, *data;
	uint32_t queues = BOND_QUEUES;
	char name[IFNAMSIZ];

	snprintf(name, sizeof(name), "%s%d", prefix, number);
	begin(m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	put(m, IFLA_IFNAME, name, strlen(name) + 1);
	if (!strcmp(kind, "floor")) {
		put(m, IFLA_NUM_TX_QUEUES, &queues, sizeof(queues));
		put(m, IFLA_NUM_RX_QUEUES, &queues, sizeof(queues));
	}
	info = put(m, IFLA_LINKINFO, NULL, 0);
	put(m, IFLA_INFO_KIND, kind, strlen(kind));
	if (!strcmp(kind, "bond")) {
		data = put(m, IFLA_INFO_DATA, NULL, 0);
		put(m, IFLA_BOND_MODE, &mode, sizeof(mode));
		put(m, IFLA_BOND_MIIMON, &miimon, sizeof(miimon));
		close_nest(m, data);
	}
	close_nest(m, info);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct message *messages;
	uint64_t before, after;
	int count;

	if (argc < 4)
		goto usage;
	count = atoi(argv[!strcmp(what, "add") || !strcmp(what, "enslave") ? 4 : 3]);
	messages = calloc(count, sizeof(*messages));
	if (count < 1 || !messages)
		goto usage;
	kernel = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	if (kernel < 0)
		die("netlink");
	/* Do everything that is not the kernel's work before the measurement. */
	for (int i = 0; i < count; i++) {
		struct message *m = &messages[i];
		uint32_t master;

		if (!strcmp(what, "add")) {
			add(m, argv[2], argv[3], i, argc > 5 ? atoi(argv[5]) : 0,
			    argc > 6 && !strcmp(argv[6], "802.3ad") ? IEEE8023AD : ACTIVE_BACKUP);
		} else if (!strcmp(what, "enslave")) {
			begin(m, RTM_NEWLINK, 0);
			m->link.ifi_index = index_of(argv[2], i);
			master = index_of(argv[3], i);
			put(m, IFLA_MASTER, &master, sizeof(master));
		} else if (!strcmp(what, "up")) {
			begin(m, RTM_NEWLINK, 0);
			m->link.ifi_index = index_of(argv[2], i);
			m->link.ifi_flags = m->link.ifi_change = IFF_UP;
		} else if (!strcmp(what, "delete")) {
			begin(m, RTM_DELLINK, 0);
			m->link.ifi_index = index_of(argv[2], i);
		} else {
			goto usage;
		}
	}
	before = busy();
	for (int i = 0; i < count; i++)
		ask(&messages[i], what);
	usleep(REST_US);
	after = busy();
	printf("%llu\n", (unsigned long long)(after - before) / count);
	return 0;

usage:
	fprintf(stderr, "usage: links add KIND PREFIX COUNT [MIIMON [802.3ad]] | links enslave LOWER UPPER COUNT | "
		"links up|delete PREFIX COUNT\n");
	return 2;
}
