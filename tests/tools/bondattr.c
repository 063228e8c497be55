// SPDX-License-Identifier: GPL-2.0
/*
 * Sets an attribute of a bond or a slave by netlink, for those that the distribution's ip does not know.
 *
 *   bondattr DEVICE bond|slave NUMBER BYTES VALUE     NUMBER is an IFLA_BOND_* or IFLA_BOND_SLAVE_*
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
	struct nlmsghdr head;
	struct ifinfomsg info;
	char attributes[128];
} request;

static struct rtattr *put(int type, const void *payload, int length)
{
	struct rtattr *attribute = (void *)&request + NLMSG_ALIGN(request.head.nlmsg_len);

	attribute->rta_type = type;
	attribute->rta_len = RTA_LENGTH(length);
	memcpy(RTA_DATA(attribute), payload, length);
	request.head.nlmsg_len = NLMSG_ALIGN(request.head.nlmsg_len) + RTA_LENGTH(length);
	return attribute;
}

static void end(struct rtattr *nest)
{
	nest->rta_len = (char *)&request + NLMSG_ALIGN(request.head.nlmsg_len) - (char *)nest;
}

int main(int argc, char **argv)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[1024];
	} answer;
	struct rtattr *info, *data;
	unsigned int value;
	int fd, slave;

	if (argc != 6)
		return 2;
	slave = !strcmp(argv[2], "slave");
	request.head.nlmsg_len = NLMSG_LENGTH(sizeof(request.info));
	request.head.nlmsg_type = RTM_NEWLINK;
	request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	request.info.ifi_index = if_nametoindex(argv[1]);
	info = put(IFLA_LINKINFO, NULL, 0);
	put(slave ? IFLA_INFO_SLAVE_KIND : IFLA_INFO_KIND, "bond", 5);
	data = put(slave ? IFLA_INFO_SLAVE_DATA : IFLA_INFO_DATA, NULL, 0);
	/* This is for little-endian machines only. */
	value = strtoul(argv[5], NULL, 0);
	put(atoi(argv[3]), &value, atoi(argv[4]) <= 4 ? atoi(argv[4]) : 4);
	end(data);
	end(info);
	request.head.nlmsg_len = NLMSG_ALIGN(request.head.nlmsg_len);

	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	if (fd < 0 || send(fd, &request, request.head.nlmsg_len, 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < 0) {
		perror("bondattr");
		return 1;
	}
	if (answer.head.nlmsg_type != NLMSG_ERROR || answer.error.error) {
		fprintf(stderr, "bondattr: %s: %s\n", argv[1], strerror(-answer.error.error));
		return 1;
	}
	return 0;
}
