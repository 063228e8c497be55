// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration of hardware time stamps, on both ways that lead to it.
 *
 *   hwstamp ioctl DEVICE [TX RX FLAGS]      SIOCGHWTSTAMP, SIOCSHWTSTAMP
 *   hwstamp netlink DEVICE [TX RX]          ETHTOOL_MSG_TSCONFIG_GET, _SET
 *
 * All numbers are those of linux/net_tstamp.h. Prints what the device has then:
 * "tx 1 rx 1 flags 1". The headers of the system are older than the messages.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/net_tstamp.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MSG_TSCONFIG_GET = 46, MSG_TSCONFIG_SET = 47 };
enum { TSCONFIG_HEADER = 1, TSCONFIG_TX_TYPES = 3, TSCONFIG_RX_FILTERS = 4, TSCONFIG_FLAGS = 5 };
enum { HEADER_DEV_NAME = 2, HEADER_FLAGS = 3, FLAG_COMPACT_BITSETS = 1 };
enum { BITSET_NOMASK = 1, BITSET_SIZE = 2, BITSET_VALUE = 4 };

struct message {
	struct nlmsghdr nl;
	struct genlmsghdr genl;
	char attrs[4096];
};

static void die(const char *what)
{
	fprintf(stderr, "hwstamp: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *end_of(struct message *message)
{
	return (char *)message + message->nl.nlmsg_len;
}

static struct nlattr *put(struct message *message, int type, const void *data, size_t len)
{
	struct nlattr *attr = end_of(message);

	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + len;
	memcpy((char *)attr + NLA_HDRLEN, data, len);
	message->nl.nlmsg_len += NLA_ALIGN(attr->nla_len);
	return attr;
}

static void put_u32(struct message *message, int type, uint32_t value)
{
	put(message, type, &value, sizeof(value));
}

static struct nlattr *nest(struct message *message, int type)
{
	return put(message, type | NLA_F_NESTED, "", 0);
}

static void unnest(struct message *message, struct nlattr *attr)
{
	attr->nla_len = (char *)end_of(message) - (char *)attr;
}

static void put_bit(struct message *message, int type, int bit)
{
	struct nlattr *bits = nest(message, type);

	put(message, BITSET_NOMASK, "", 0);
	put_u32(message, BITSET_SIZE, bit + 1);
	put_u32(message, BITSET_VALUE, 1u << bit);
	unnest(message, bits);
}

static const struct nlattr *find(const void *attrs, size_t len, int type)
{
	const struct nlattr *attr = attrs;

	while (len >= NLA_HDRLEN && attr->nla_len >= NLA_HDRLEN && attr->nla_len <= len) {
		size_t step = NLA_ALIGN(attr->nla_len);

		if ((attr->nla_type & NLA_TYPE_MASK) == type)
			return attr;
		if (step >= len)
			break;
		len -= step;
		attr = (const void *)((const char *)attr + step);
	}
	return NULL;
}

static const void *payload(const struct nlattr *attr)
{
	return (const char *)attr + NLA_HDRLEN;
}

/* The 32 bits of a compact bitset; none if it is not there. */
static uint32_t bitset(const struct message *reply, int type)
{
	size_t len = reply->nl.nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN;
	const struct nlattr *set = find(reply->attrs, len, type), *value = NULL;

	if (set)
		value = find(payload(set), set->nla_len - NLA_HDRLEN, BITSET_VALUE);
	return value ? *(const uint32_t *)payload(value) : 0;
}

static void request(int fd, struct message *message)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t len;

	if (sendto(fd, message, message->nl.nlmsg_len, 0, (void *)&kernel, sizeof(kernel)) < 0)
		die("send");
	len = recv(fd, message, sizeof(*message), 0);
	if (len < (ssize_t)NLMSG_HDRLEN)
		die("recv");
	if (message->nl.nlmsg_type == NLMSG_ERROR) {
		errno = -((struct nlmsgerr *)NLMSG_DATA(&message->nl))->error;
		die("netlink");
	}
}

static void start(struct message *message, int family, int command)
{
	memset(message, 0, sizeof(*message));
	message->nl.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN;
	message->nl.nlmsg_type = family;
	message->nl.nlmsg_flags = NLM_F_REQUEST;
	message->genl.cmd = command;
	message->genl.version = 1;
}

static void start_tsconfig(struct message *message, int family, int command, const char *device)
{
	struct nlattr *header;

	start(message, family, command);
	header = nest(message, TSCONFIG_HEADER);
	put(message, HEADER_DEV_NAME, device, strlen(device) + 1);
	put_u32(message, HEADER_FLAGS, FLAG_COMPACT_BITSETS);
	unnest(message, header);
}

static void by_netlink(const char *device, char **numbers)
{
	static struct message message;
	const struct nlattr *id;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC), family;

	if (fd < 0)
		die("socket");
	start(&message, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	put(&message, CTRL_ATTR_FAMILY_NAME, "ethtool", sizeof("ethtool"));
	request(fd, &message);
	id = find(message.attrs, message.nl.nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN,
		  CTRL_ATTR_FAMILY_ID);
	if (!id)
		die("the family ethtool");
	family = *(const uint16_t *)payload(id);

	if (numbers) {
		start_tsconfig(&message, family, MSG_TSCONFIG_SET, device);
		put_bit(&message, TSCONFIG_TX_TYPES, atoi(numbers[0]));
		put_bit(&message, TSCONFIG_RX_FILTERS, atoi(numbers[1]));
		request(fd, &message);
	}
	start_tsconfig(&message, family, MSG_TSCONFIG_GET, device);
	request(fd, &message);
	printf("tx %d rx %d flags %u\n", ffs(bitset(&message, TSCONFIG_TX_TYPES)) - 1,
	       ffs(bitset(&message, TSCONFIG_RX_FILTERS)) - 1, bitset(&message, TSCONFIG_FLAGS));
}

static void by_ioctl(const char *device, char **numbers)
{
	struct hwtstamp_config config = {};
	struct ifreq ifr = {};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strncpy(ifr.ifr_name, device, IFNAMSIZ - 1);
	ifr.ifr_data = (void *)&config;
	if (numbers) {
		config.tx_type = atoi(numbers[0]);
		config.rx_filter = atoi(numbers[1]);
		config.flags = atoi(numbers[2]);
	}
	if (ioctl(fd, numbers ? SIOCSHWTSTAMP : SIOCGHWTSTAMP, &ifr))
		die(numbers ? "SIOCSHWTSTAMP" : "SIOCGHWTSTAMP");
	printf("tx %d rx %d flags %d\n", config.tx_type, config.rx_filter, config.flags);
}

int main(int argc, char **argv)
{
	if ((argc == 3 || argc == 6) && !strcmp(argv[1], "ioctl"))
		by_ioctl(argv[2], argc == 6 ? argv + 3 : NULL);
	else if ((argc == 3 || argc == 5) && !strcmp(argv[1], "netlink"))
		by_netlink(argv[2], argc == 5 ? argv + 3 : NULL);
	else
		return 2;
	return 0;
}
