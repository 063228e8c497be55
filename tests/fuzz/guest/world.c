// SPDX-License-Identifier: GPL-2.0
/*
 * What an episode begins with: no bond, and slaves-to-be a0 to d0 (veth, whose far ends a0p to d0p are
 * ports of a bridge in namespace peer, see tests/guest/fuzz.sh) and e0, e1 (dummy).
 */
#define _GNU_SOURCE
#include "fuzz.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const slaves[] = { "a0", "b0", "c0", "d0", "e0", "e1" };
#define VETHS 4
#define SLAVES 6
/* IFF_*, whose header cannot be mixed with others */
#define MULTICAST 0x1000
#define UP_AND_MODES 0x381 /* UP, NOARP, PROMISC, ALLMULTI */

static int namespaces[2];
static char doomed[512][NAME_SIZE];
static unsigned int dooms, seen;

void set_netns(const char *path)
{
	namespaces[HERE] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	namespaces[PEER] = open(path, O_RDONLY | O_CLOEXEC);
	if (namespaces[HERE] < 0 || namespaces[PEER] < 0)
		broken(path);
}

int set_namespace(enum where where)
{
	if (setns(namespaces[where], CLONE_NEWNET))
		broken("setns");
	return 0;
}

static void look(const unsigned char *body, size_t len)
{
	const unsigned char *attrs = body + sizeof(struct ifinfomsg), *name, *kind;
	size_t size;

	len -= sizeof(struct ifinfomsg);
	name = attribute(attrs, len, IFLA_IFNAME, &size);
	for (unsigned int i = 0; name && i < SLAVES; i++)
		if (!strcmp((const char *)name, slaves[i]))
			seen |= 1 << i;
	kind = attribute(attrs, len, IFLA_LINKINFO, &size);
	kind = attribute(kind, size, IFLA_INFO_KIND, &size);
	if (name && kind && (!strcmp((const char *)kind, "bond") || !strcmp((const char *)kind, "vlan")) &&
	    dooms < sizeof(doomed) / sizeof(doomed[0]))
		strncpy(doomed[dooms++], (const char *)name, NAME_SIZE - 1);
}

struct request {
	struct ifinfomsg info;
	unsigned char attrs[128];
	size_t len;
};

static void put(struct request *request, unsigned int type, const void *payload, size_t len)
{
	struct rtattr header = { .rta_len = RTA_LENGTH(len), .rta_type = type };

	memcpy(request->attrs + request->len, &header, sizeof(header));
	memcpy(request->attrs + request->len + sizeof(header), payload, len);
	request->len += RTA_ALIGN(header.rta_len);
}

static int ask(struct request *request, unsigned int type, unsigned int flags)
{
	return netlink_ask(HERE, type, flags, request, sizeof(request->info) + request->len);
}

static void make_dummy(const char *name)
{
	struct request request = { 0 };

	put(&request, IFLA_IFNAME, name, strlen(name) + 1);
	put(&request, IFLA_LINKINFO, "\x0a\0\1\0dummy\0\0\0", 12);
	if (ask(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL))
		broken("no dummy device can be made");
}

void world(void)
{
	for (int round = 0; round < 8; round++) {
		dooms = seen = 0;
		netlink_links(look);
		for (unsigned int i = 0; i < dooms; i++) {
			struct request request = { 0 };

			put(&request, IFLA_IFNAME, doomed[i], strlen(doomed[i]) + 1);
			ask(&request, RTM_DELLINK, 0);
		}
		if (!dooms)
			break;
	}
	if (dooms)
		found("%s cannot be deleted", doomed[0]);
	for (unsigned int i = 0; i < SLAVES; i++) {
		unsigned char address[6] = { 2, 0, 0, 0, 0, 0x0a + i };
		uint32_t mtu = 1500, none = 0;
		struct request request = {
			.info = { .ifi_flags = MULTICAST, .ifi_change = UP_AND_MODES | MULTICAST },
		};
		char far[NAME_SIZE];

		if (!(seen & 1 << i) && i < VETHS)
			broken("a veth device of the world is gone");
		if (!(seen & 1 << i))
			make_dummy(slaves[i]);
		put(&request, IFLA_IFNAME, slaves[i], strlen(slaves[i]) + 1);
		put(&request, IFLA_MASTER, &none, sizeof(none));
		put(&request, IFLA_ADDRESS, address, sizeof(address));
		put(&request, IFLA_MTU, &mtu, sizeof(mtu));
		if (ask(&request, RTM_NEWLINK, 0))
			found("%s cannot be set to what it was: is it still a slave?", slaves[i]);
		if (i >= VETHS)
			continue;
		snprintf(far, sizeof(far), "%sp", slaves[i]);
		if (set_link(PEER, far, 1))
			broken("the far end of a veth device is gone");
	}
}

/* Unloads the module, and loads it with these parameters, or without any if it rejects them. */
void load(const char *parameters)
{
	const char *path = getenv("FUZZ_MODULE");
	int fd;

	if (!path)
		return;
	if (syscall(SYS_delete_module, "bonding", O_NONBLOCK) && errno != ENOENT)
		found("the module cannot be unloaded: %s", strerror(errno));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		broken(path);
	if (syscall(SYS_finit_module, fd, parameters, 0) &&
	    syscall(SYS_finit_module, fd, "max_bonds=0", 0))
		found("the module cannot be loaded any more: %s", strerror(errno));
	close(fd);
}

/* Starts a process that sends through each bond and each far end until its parent dies. */
void traffic(void)
{
	static const unsigned char out[64] = {
		2, 0, 0, 0, 0, 0x22, 2, 0, 0, 0, 0, 0x0f, 8, 0, 0x45, 0, 0, 50, 0, 1, 0, 0, 64, 17, 0, 0,
		192, 0, 2, 1, 192, 0, 2, 2, 0x12, 0x34, 0x56, 0x78, 0, 30,
	};
	static const unsigned char in[64] = {
		2, 0, 0, 0, 0x0f, 0, 2, 0, 0, 0, 0, 0x22, 8, 0, 0x45, 0, 0, 50, 0, 1, 0, 0, 64, 17, 0, 0,
		192, 0, 2, 2, 192, 0, 2, 1, 0x56, 0x78, 0x12, 0x34, 0, 30,
	};
	static const char *const bonds[] = { "f0", "f1", "f2" };
	static const char *const far[] = { "a0p", "b0p", "c0p", "d0p" };
	pid_t parent = getpid(), child = fork();

	if (child < 0)
		broken("fork");
	if (child)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned int round = 0; getppid() == parent; round++) {
		frames_send(HERE, bonds[round % 3], "once", 0, 0, 64, out, sizeof(out));
		frames_send(PEER, far[round % 4], "once", 0, 0, 64, in, sizeof(in));
		pause_ms(2);
	}
	_exit(0);
}
