// SPDX-License-Identifier: GPL-2.0
/* rtnetlink requests, as good or as bad as the script needs them. */
#include "fuzz.h"
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_S 20

static int sockets[2] = { -1, -1 }, raw = -1;
static unsigned int sequence;
static unsigned char answer[1 << 18];

static int open_socket(int seconds)
{
	struct sockaddr_nl us = { .nl_family = AF_NETLINK };
	struct timeval patience = { .tv_sec = seconds };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int on = 1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&us, sizeof(us)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)))
		broken("netlink socket");
	return fd;
}

void netlink_open(enum where where)
{
	sockets[where] = open_socket(PATIENCE_S);
	if (where == HERE)
		raw = open_socket(1);
}

static void send_request(int fd, unsigned int type, unsigned int flags, const void *body, size_t len)
{
	static unsigned char message[NLMSG_HDRLEN + MOST_BYTES];
	struct nlmsghdr header = {
		.nlmsg_len = NLMSG_HDRLEN + len,
		.nlmsg_type = type,
		.nlmsg_flags = flags | NLM_F_REQUEST,
		.nlmsg_seq = ++sequence,
	};

	memcpy(message, &header, sizeof(header));
	memcpy(message + NLMSG_HDRLEN, body, len);
	if (send(fd, message, NLMSG_HDRLEN + len, 0) < 0)
		broken("netlink request");
}

int netlink_ask(enum where where, unsigned int type, unsigned int flags, const void *body, size_t len)
{
	struct nlmsghdr *header;
	ssize_t got;

	send_request(sockets[where], type, flags | NLM_F_ACK, body, len);
	for (;;) {
		got = recv(sockets[where], answer, sizeof(answer), 0);
		if (got < (ssize_t)sizeof(*header))
			found("rtnetlink does not answer a request within %d s (%s)", PATIENCE_S,
			      strerror(errno));
		for (header = (struct nlmsghdr *)answer; NLMSG_OK(header, got);
		     header = NLMSG_NEXT(header, got)) {
			if (header->nlmsg_seq != sequence)
				continue;
			if (header->nlmsg_type == NLMSG_ERROR)
				return ((struct nlmsgerr *)NLMSG_DATA(header))->error;
			if (header->nlmsg_type == NLMSG_DONE) /* its flags asked for a list */
				return 0;
		}
	}
}

/* Bytes that need not form a message: the answers, if any, do not matter. */
void netlink_raw(const void *message, size_t len)
{
	send(raw, message, len, 0);
	while (recv(raw, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
}

void netlink_links(void (*each)(const unsigned char *body, size_t len))
{
	struct {
		struct ifinfomsg info;
		struct rtattr header;
		uint32_t mask;
	} request = {
		.header = { .rta_len = RTA_LENGTH(4), .rta_type = IFLA_EXT_MASK },
		.mask = RTEXT_FILTER_SKIP_STATS,
	};
	struct nlmsghdr *header;
	ssize_t len;

	send_request(sockets[HERE], RTM_GETLINK, NLM_F_DUMP, &request, sizeof(request));
	for (;;) {
		len = recv(sockets[HERE], answer, sizeof(answer), 0);
		if (len <= 0)
			found("the list of links does not come to its end (%s)", strerror(errno));
		for (header = (struct nlmsghdr *)answer; NLMSG_OK(header, len);
		     header = NLMSG_NEXT(header, len)) {
			if (header->nlmsg_seq != sequence)
				continue;
			if (header->nlmsg_type == NLMSG_DONE) {
				int error;

				memcpy(&error, NLMSG_DATA(header), sizeof(error));
				if (error)
					found("the list of links ends with %s", strerror(-error));
				return;
			}
			if (header->nlmsg_type == NLMSG_ERROR)
				found("the links cannot be listed: %s",
				      strerror(-((struct nlmsgerr *)NLMSG_DATA(header))->error));
			each(NLMSG_DATA(header), header->nlmsg_len - NLMSG_HDRLEN);
		}
	}
}

const unsigned char *attribute(const void *attrs, size_t len, unsigned int number, size_t *size)
{
	const unsigned char *at = attrs;
	struct rtattr header;

	while (at && len >= sizeof(header)) {
		memcpy(&header, at, sizeof(header));
		if (header.rta_len < sizeof(header) || header.rta_len > len)
			break;
		if ((header.rta_type & NLA_TYPE_MASK) == number) {
			*size = header.rta_len - sizeof(header);
			return at + sizeof(header);
		}
		if (RTA_ALIGN(header.rta_len) >= len)
			break;
		len -= RTA_ALIGN(header.rta_len);
		at += RTA_ALIGN(header.rta_len);
	}
	*size = 0;
	return NULL;
}

static size_t name_attribute(unsigned char *at, const char *name)
{
	struct rtattr header = { .rta_len = RTA_LENGTH(strlen(name) + 1), .rta_type = IFLA_IFNAME };

	memcpy(at, &header, sizeof(header));
	memset(at + sizeof(header), 0, RTA_ALIGN(header.rta_len) - sizeof(header));
	memcpy(at + sizeof(header), name, strlen(name));
	return RTA_ALIGN(header.rta_len);
}

int set_link(enum where where, const char *name, int up)
{
	struct ifinfomsg info = { .ifi_flags = up ? IFF_UP : 0, .ifi_change = IFF_UP };
	unsigned char body[sizeof(info) + 32];

	memcpy(body, &info, sizeof(info));
	return netlink_ask(where, RTM_NEWLINK, 0, body,
			   sizeof(info) + name_attribute(body + sizeof(info), name));
}

static int active_changes(unsigned int number)
{
	/* The active slave, and what 802.3ad says about its partner. */
	return number == 2 || number == 23;
}

long bond_options(const char *name, unsigned char *buf, size_t size)
{
	struct ifinfomsg info = { 0 };
	unsigned char body[sizeof(info) + 32];
	struct nlmsghdr *header = (struct nlmsghdr *)answer;
	const unsigned char *attrs, *data;
	size_t len, at = 0, used = 0;
	struct rtattr one;

	memcpy(body, &info, sizeof(info));
	send_request(sockets[HERE], RTM_GETLINK, 0, body,
		     sizeof(info) + name_attribute(body + sizeof(info), name));
	do {
		if (recv(sockets[HERE], answer, sizeof(answer), 0) < (ssize_t)sizeof(*header))
			found("rtnetlink does not answer a question about %s", name);
	} while (header->nlmsg_seq != sequence);
	if (header->nlmsg_type != RTM_NEWLINK)
		return -1;
	attrs = (unsigned char *)NLMSG_DATA(header) + sizeof(info);
	attrs = attribute(attrs, header->nlmsg_len - NLMSG_HDRLEN - sizeof(info), IFLA_LINKINFO, &len);
	data = attribute(attrs, len, IFLA_INFO_DATA, &len);
	while (data && at + sizeof(one) <= len) {
		memcpy(&one, data + at, sizeof(one));
		if (one.rta_len < sizeof(one) || at + one.rta_len > len)
			break;
		if (!active_changes(one.rta_type & NLA_TYPE_MASK) && used + RTA_ALIGN(one.rta_len) <= size) {
			memset(buf + used, 0, RTA_ALIGN(one.rta_len));
			memcpy(buf + used, data + at, one.rta_len);
			used += RTA_ALIGN(one.rta_len);
		}
		at += RTA_ALIGN(one.rta_len);
	}
	return used;
}
