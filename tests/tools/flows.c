// SPDX-License-Identifier: GPL-2.0
/*
 * Frames of many kinds, always the same ones for the same seed: which link did each take?
 *
 *   flows list SEED COUNT                         prints "KIND HEX" for each frame
 *   flows send SEED COUNT DEVICE NETNS COPIES [KIND...]
 *   flows sockets COUNT SOURCE DESTINATION DEVICE NETNS
 *
 * COUNT is for each kind. "send" writes the frames to DEVICE one by one, and looks on which devices
 * of network namespace NETNS (a path) each arrives: it waits for COPIES of them. Prints one line for
 * each kind: the devices that got the frames, without the last letter of their names; "-" for none,
 * "a0+b0" for two. "sockets" does the same with datagrams of UDP sockets, from an address of DEVICE,
 * whose ports are fixed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_BYTES 9000
#define JUMBO 5000 /* more than a page: the packet is not in one piece */
#define PATIENCE_MS 500

struct frame {
	unsigned char bytes[MOST_BYTES];
	size_t len;
};

static void die(const char *what)
{
	fprintf(stderr, "flows: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* -- pseudo-random numbers: splitmix64 --------------------------------------------- */

static uint64_t state;

static uint32_t draw(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return (z ^ (z >> 31)) >> 16;
}

static uint32_t below(uint32_t limit)
{
	return draw() % limit;
}

/* -- parts of frames ----------------------------------------------------------------- */

static void put8(struct frame *f, unsigned int value)
{
	if (f->len < MOST_BYTES)
		f->bytes[f->len++] = value;
}

static void put16(struct frame *f, unsigned int value)
{
	put8(f, value >> 8);
	put8(f, value & 0xff);
}

static void put32(struct frame *f, uint32_t value)
{
	put16(f, value >> 16);
	put16(f, value & 0xffff);
}

static void put_random(struct frame *f, unsigned int count)
{
	while (count--)
		put8(f, draw());
}

static void put_zeros(struct frame *f, unsigned int count)
{
	while (count--)
		put8(f, 0);
}

static void ether(struct frame *f, unsigned int type)
{
	put8(f, 2);
	put_random(f, 5);
	put8(f, 2);
	put_random(f, 5);
	put16(f, type);
}

/* The header has `words` words, whatever ihl says. */
static void ipv4_header(struct frame *f, unsigned int protocol, unsigned int fragment,
			unsigned int ihl, unsigned int words)
{
	put8(f, 0x40 | ihl);
	put8(f, 0);
	put16(f, 200);
	put16(f, draw());
	put16(f, fragment);
	put8(f, 64);
	put8(f, protocol);
	put16(f, draw());
	put8(f, 10);
	put_random(f, 3);
	put8(f, 172);
	put_random(f, 3);
	while (words-- > 5)
		put32(f, 0x01010101);
}

static void ipv4(struct frame *f, unsigned int protocol)
{
	ipv4_header(f, protocol, below(2) << 14, 5, 5); /* maybe "don't fragment" */
}

static void ipv6(struct frame *f, unsigned int next)
{
	put32(f, 0x60000000 | (below(2) ? below(1 << 20) : 0));
	put16(f, 200);
	put8(f, next);
	put8(f, 64);
	put32(f, 0x20010db8);
	put_random(f, 12);
	put32(f, 0x20010db8);
	put_random(f, 12);
}

enum { ICMP = 1, IPIP = 4, TCP = 6, UDP = 17, DCCP = 33, SIXIN4 = 41, ROUTING = 43, FRAGMENT = 44,
       GRE = 47, ESP = 50, AH = 51, ICMPV6 = 58, DSTOPTS = 60, SCTP = 132, UDPLITE = 136 };

static void tcp(struct frame *f)
{
	put_random(f, 12);
	put16(f, 0x5018);
	put_random(f, 6);
}

static void udp(struct frame *f)
{
	put_random(f, 4);
	put16(f, 16);
	put16(f, 0);
	put_random(f, 8);
}

/* A header that begins with ports or an SPI. */
static void other(struct frame *f)
{
	put_random(f, 24);
}

static void ah(struct frame *f)
{
	put8(f, UDP);
	put8(f, 4);
	put16(f, 0);
	put_random(f, 16);
	udp(f);
}

#define ANY -1

static void icmp(struct frame *f, int type, int id)
{
	put8(f, type == ANY ? draw() : type);
	put8(f, below(4));
	put16(f, draw());
	put16(f, id == ANY ? draw() & 0xffff : id);
	put16(f, draw());
}

static unsigned int one_of(const unsigned char *values, unsigned int count)
{
	return values[below(count)];
}

static unsigned int an_error4(void)
{
	return one_of((const unsigned char[]){ 3, 4, 5, 11, 12 }, 5);
}

/* An extension header of IPv6, 8 or 16 bytes. */
static void extension(struct frame *f, unsigned int next)
{
	unsigned int more = below(2);

	put8(f, next);
	put8(f, more);
	put8(f, 1);
	put8(f, 4 + 8 * more);
	put_zeros(f, 4 + 8 * more);
}

static void gre(struct frame *f, unsigned int flags, unsigned int type)
{
	put16(f, flags);
	put16(f, type);
	if (flags & 0x8000) /* checksum */
		put32(f, draw());
	if (flags & 0x2000) /* key */
		put32(f, draw());
	if (flags & 0x1000) /* sequence number */
		put32(f, draw());
}

static void vlan(struct frame *f, unsigned int next)
{
	put16(f, draw());
	put16(f, next);
}

static void arp(struct frame *f)
{
	put32(f, 0x00010800);
	put32(f, 0x06040001);
	put_random(f, 20);
}

static void cut(struct frame *f, size_t len)
{
	if (f->len > len)
		f->len = len;
}

/* -- kinds of frames -------------------------------------------------------------------- */

#define IP4(protocol) (ether(f, ETH_P_IP), ipv4(f, protocol))
#define IP6(next) (ether(f, ETH_P_IPV6), ipv6(f, next))
#define KINDS(X)                                                                                     \
	/* without IP */                                                                                \
	X(arp, ether(f, ETH_P_ARP), arp(f))                                                             \
	X(rarp, ether(f, ETH_P_RARP), arp(f))                                                           \
	X(lldp, ether(f, ETH_P_LLDP), put_random(f, 30))                                                \
	X(llc, ether(f, 40), put8(f, 0x42), put8(f, 0x42), put_random(f, 38))                           \
	X(experimental, ether(f, 0x88b5), put_random(f, 46))                                            \
	X(unknown, ether(f, 0x600 + below(0xf000)), put_random(f, 46))                                  \
	X(group, ether(f, 0x88b5), put_random(f, 20), f->bytes[0] = 1)                                  \
	X(tipc, ether(f, 0x88ca), put32(f, 0), put_random(f, 36))                                                    \
	X(mpls, ether(f, ETH_P_MPLS_UC), put16(f, draw()), put16(f, 0x0140), ipv4(f, TCP), tcp(f))       \
	X(pppoe, ether(f, ETH_P_PPP_SES), put32(f, 0x11000001), put32(f, 0x00400021), ipv4(f, TCP),      \
	  tcp(f))                                                                                       \
	X(macsec, ether(f, ETH_P_MACSEC), put_random(f, 40))                                            \
	X(nothing4, ether(f, ETH_P_IP))                                                                 \
	X(nothing6, ether(f, ETH_P_IPV6))                                                               \
	X(noise, ether(f, draw()), put_random(f, below(80)))                                            \
	X(noise4, ether(f, ETH_P_IP), put_random(f, below(80)))                                         \
	X(noise6, ether(f, ETH_P_IPV6), put_random(f, below(120)))                                      \
	/* IPv4 */                                                                                      \
	X(tcp4, IP4(TCP), tcp(f))                                                                       \
	X(udp4, IP4(UDP), udp(f))                                                                       \
	X(udplite4, IP4(UDPLITE), udp(f))                                                               \
	X(sctp4, IP4(SCTP), other(f))                                                                   \
	X(dccp4, IP4(DCCP), other(f))                                                                   \
	X(esp4, IP4(ESP), other(f))                                                                     \
	X(ah4, IP4(AH), ah(f))                                                                          \
	X(igmp, IP4(2), other(f))                                                                       \
	X(protocol4, IP4(below(256)), other(f))                                                         \
	X(options4, ether(f, ETH_P_IP), options(f, TCP), tcp(f))                                        \
	X(small_ihl, ether(f, ETH_P_IP), ipv4_header(f, TCP, 0, below(5), 5), tcp(f))                   \
	X(first_fragment, ether(f, ETH_P_IP), ipv4_header(f, UDP, 0x2000, 5, 5), udp(f))                \
	X(later_fragment, ether(f, ETH_P_IP), ipv4_header(f, UDP, 1 + below(0x1fff), 5, 5), udp(f))     \
	X(reserved_flag, ether(f, ETH_P_IP), ipv4_header(f, UDP, 0x8000, 5, 5), udp(f))                 \
	X(cut4, IP4(TCP), cut(f, 14 + below(20)))                                                       \
	X(cut_ports4, IP4(TCP), tcp(f), cut(f, 34 + below(5)))                                          \
	X(cut_ah4, IP4(AH), ah(f), cut(f, 34 + below(12)))                                              \
	/* ICMP */                                                                                      \
	X(echo4, IP4(ICMP), icmp(f, 8 * below(2), ANY), put_random(f, 16))                           \
	X(echo4_without_id, IP4(ICMP), icmp(f, 8, 0))                                                   \
	X(timestamp4, IP4(ICMP), icmp(f, 13 + below(2), ANY), put_zeros(f, 12))                      \
	X(icmp4, IP4(ICMP), icmp(f, ANY, ANY), ipv4(f, UDP), udp(f))                              \
	X(error4_of_tcp, IP4(ICMP), icmp(f, an_error4(), 0), ipv4(f, TCP), tcp(f))                      \
	X(error4_with_id, IP4(ICMP), icmp(f, an_error4(), ANY), ipv4(f, UDP), udp(f))                \
	X(error4_of_echo, IP4(ICMP), icmp(f, an_error4(), 0), ipv4(f, ICMP), icmp(f, 8, ANY))        \
	X(error4_of_ah, IP4(ICMP), icmp(f, an_error4(), 0), ipv4(f, AH), ah(f))                         \
	X(error4_of_options, IP4(ICMP), icmp(f, an_error4(), 0), options(f, UDP), udp(f))               \
	X(error4_of_fragment, IP4(ICMP), icmp(f, an_error4(), 0),                                       \
	  ipv4_header(f, UDP, 0x2000 + below(9), 5, 5), udp(f))                                         \
	X(error4_fragment, ether(f, ETH_P_IP), ipv4_header(f, ICMP, 0x2000, 5, 5),                      \
	  icmp(f, an_error4(), 0), ipv4(f, UDP), udp(f))                                                \
	X(error4_cut, IP4(ICMP), icmp(f, an_error4(), 0), ipv4(f, TCP), cut(f, 42 + below(20)))         \
	X(error4_cut_ports, IP4(ICMP), icmp(f, an_error4(), 0), ipv4(f, TCP), tcp(f),                   \
	  cut(f, 62 + below(4)))                                                                        \
	X(cut_icmp4, IP4(ICMP), icmp(f, an_error4(), 0), cut(f, 34 + below(8)))                         \
	X(icmp6_in_ipv4, IP4(ICMPV6), icmp(f, below(6), ANY), ipv4(f, UDP), udp(f))                  \
	/* IPv6 */                                                                                      \
	X(tcp6, IP6(TCP), tcp(f))                                                                       \
	X(udp6, IP6(UDP), udp(f))                                                                       \
	X(sctp6, IP6(SCTP), other(f))                                                                   \
	X(esp6, IP6(ESP), other(f))                                                                     \
	X(ah6, IP6(AH), ah(f))                                                                          \
	X(none6, IP6(59))                                                                               \
	X(hop_by_hop, IP6(0), extension(f, UDP), udp(f))                                                \
	X(routing6, IP6(ROUTING), extension(f, TCP), tcp(f))                                            \
	X(options6, IP6(DSTOPTS), extension(f, TCP), tcp(f))                                            \
	X(extensions6, IP6(0), extension(f, DSTOPTS), extension(f, TCP), tcp(f))                        \
	X(first_fragment6, IP6(FRAGMENT), fragment6(f, 1), udp(f))                                      \
	X(later_fragment6, IP6(FRAGMENT), fragment6(f, 8 * (1 + below(99))), udp(f))                    \
	X(cut6, IP6(TCP), cut(f, 14 + below(40)))                                                       \
	X(cut_ports6, IP6(TCP), tcp(f), cut(f, 54 + below(4)))                                          \
	X(echo6, IP6(ICMPV6), icmp(f, 128 + below(2), ANY), put_random(f, 16))                       \
	X(echo6_without_id, IP6(ICMPV6), icmp(f, 128, 0))                                               \
	X(solicitation, IP6(ICMPV6), icmp(f, 135 + below(2), 0), put_random(f, 16))                     \
	X(icmp6, IP6(ICMPV6), icmp(f, ANY, ANY), ipv6(f, UDP), udp(f))                            \
	X(error6_of_tcp, IP6(ICMPV6), icmp(f, 1 + below(4), 0), ipv6(f, TCP), tcp(f))                   \
	X(error6_of_echo, IP6(ICMPV6), icmp(f, 1 + below(4), 0), ipv6(f, ICMPV6), icmp(f, 128, ANY)) \
	X(error6_cut, IP6(ICMPV6), icmp(f, 1 + below(4), 0), ipv6(f, TCP), cut(f, 62 + below(40)))      \
	X(icmp4_in_ipv6, IP6(ICMP), icmp(f, below(14), ANY), ipv6(f, UDP), udp(f))                   \
	/* tunnels */                                                                                   \
	X(ipip, IP4(IPIP), ipv4(f, TCP), tcp(f))                                                        \
	X(sixin4, IP4(SIXIN4), ipv6(f, UDP), udp(f))                                                    \
	X(four_in6, IP6(IPIP), ipv4(f, UDP), udp(f))                                                    \
	X(six_in6, IP6(SIXIN4), ipv6(f, TCP), tcp(f))                                                   \
	X(ipip_error, IP4(IPIP), ipv4(f, ICMP), icmp(f, an_error4(), 0), ipv4(f, TCP), tcp(f))          \
	X(ipip_echo, IP4(IPIP), ipv4(f, ICMP), icmp(f, 8, ANY))                                      \
	X(ipip_cut, IP4(IPIP), ipv4(f, TCP), tcp(f), cut(f, 34 + below(24)))                            \
	X(gre4, IP4(GRE), gre(f, 0, ETH_P_IP), ipv4(f, UDP), udp(f))                                    \
	X(gre4_key, IP4(GRE), gre(f, 0x2000, ETH_P_IP), ipv4(f, TCP), tcp(f))                           \
	X(gre4_all, IP4(GRE), gre(f, 0xb000, ETH_P_IPV6), ipv6(f, TCP), tcp(f))                         \
	X(gre4_ether, IP4(GRE), gre(f, 0, ETH_P_TEB), ether(f, ETH_P_IP), ipv4(f, UDP), udp(f))         \
	X(gre4_arp, IP4(GRE), gre(f, 0, ETH_P_ARP), arp(f))                                             \
	X(gre6, IP6(GRE), gre(f, 0, ETH_P_IPV6), ipv6(f, UDP), udp(f))                                  \
	/* tags within the frame */                                                                     \
	X(vlan_tcp4, ether(f, ETH_P_8021Q), vlan(f, ETH_P_IP), ipv4(f, TCP), tcp(f))                    \
	X(vlan_udp6, ether(f, ETH_P_8021Q), vlan(f, ETH_P_IPV6), ipv6(f, UDP), udp(f))                  \
	X(vlan_arp, ether(f, ETH_P_8021Q), vlan(f, ETH_P_ARP), arp(f))                                  \
	X(vlan_unknown, ether(f, ETH_P_8021Q), vlan(f, 0x88b5), put_random(f, 20))                      \
	X(qinq_tcp4, ether(f, ETH_P_8021AD), vlan(f, ETH_P_8021Q), vlan(f, ETH_P_IP), ipv4(f, TCP),     \
	  tcp(f))                                                                                       \
	X(stacked_udp6, ether(f, ETH_P_8021Q), vlan(f, ETH_P_8021Q), vlan(f, ETH_P_IPV6), ipv6(f, UDP), \
	  udp(f))                                                                                       \
	/* of many pieces */                                                                            \
	X(big_tcp4, IP4(TCP), tcp(f), put_zeros(f, JUMBO))                                              \
	X(big_options4, ether(f, ETH_P_IP), options(f, UDP), udp(f), put_zeros(f, JUMBO))               \
	X(big_error4, IP4(ICMP), icmp(f, an_error4(), 0), ipv4(f, UDP), udp(f), put_zeros(f, JUMBO))    \
	X(big_udp6, IP6(UDP), udp(f), put_zeros(f, JUMBO))                                              \
	X(big_error6, IP6(ICMPV6), icmp(f, 1, 0), ipv6(f, TCP), tcp(f), put_zeros(f, JUMBO))            \
	X(big_gre4, IP4(GRE), gre(f, 0, ETH_P_IP), ipv4(f, UDP), udp(f), put_zeros(f, JUMBO))           \
	X(big_vlan, ether(f, ETH_P_8021Q), vlan(f, ETH_P_IP), ipv4(f, TCP), tcp(f), put_zeros(f, JUMBO)) \
	X(big_unknown, ether(f, 0x88b5), put_random(f, JUMBO))

static void options(struct frame *f, unsigned int protocol)
{
	unsigned int words = 6 + below(10);

	ipv4_header(f, protocol, 0, words, words);
}

static void fragment6(struct frame *f, unsigned int offset)
{
	put8(f, UDP);
	put8(f, 0);
	put16(f, offset);
	put32(f, draw());
}

#define MAKER(name, ...)                                                                            \
	static void make_##name(struct frame *f)                                                    \
	{                                                                                           \
		(void)(__VA_ARGS__);                                                                \
	}
KINDS(MAKER)

static const struct {
	const char *name;
	void (*make)(struct frame *f);
} kinds[] = {
#define ENTRY(name, ...) { #name, make_##name },
	KINDS(ENTRY)
};

#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

static void make(struct frame *f, const char *seed, unsigned int kind, unsigned int number)
{
	const char *name = kinds[kind].name;

	state = strtoull(seed, NULL, 0) + number;
	for (const char *c = name; *c; c++)
		state = state * 1000003 + *c;
	f->len = 0;
	kinds[kind].make(f);
}

static int list(const char *seed, unsigned int count)
{
	static struct frame f;

	for (unsigned int kind = 0; kind < KIND_COUNT; kind++)
		for (unsigned int i = 0; i < count; i++) {
			make(&f, seed, kind, i);
			printf("%s ", kinds[kind].name);
			for (size_t at = 0; at < f.len; at++)
				printf("%02x", f.bytes[at]);
			putchar('\n');
		}
	return 0;
}

/* -- who gets them ------------------------------------------------------------------------ */

/* A socket that sees what arrives on all devices of another namespace. */
static int listen_in(const char *namespace)
{
	int here = open("/proc/self/ns/net", O_RDONLY), there = open(namespace, O_RDONLY);
	int fd, one = 1, room = 8 << 20;

	if (here < 0 || there < 0 || setns(there, CLONE_NEWNET))
		die(namespace);
	fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		die("packet socket");
	if (setns(here, CLONE_NEWNET))
		die("setns");
	close(here);
	close(there);
	return fd;
}

static int is_tag(const unsigned char *type)
{
	return (type[0] == 0x81 && type[1] == 0) || (type[0] == 0x88 && type[1] == 0xa8);
}

/* The kernel takes the outermost VLAN tag off what it receives. */
static int is_same(const struct frame *sent, const unsigned char *got, size_t len)
{
	if (len == sent->len && !memcmp(got, sent->bytes, len))
		return 1;
	return sent->len >= 18 && len == sent->len - 4 && is_tag(sent->bytes + 12) &&
	       !memcmp(got, sent->bytes, 12) && !memcmp(got + 12, sent->bytes + 16, len - 12);
}

static int is_datagram(const struct frame *sent, const unsigned char *got, size_t len)
{
	return len > sent->len && !memcmp(got + len - sent->len, sent->bytes, sent->len);
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Prints where a frame arrived. */
static void report(int fd, const struct frame *sent, int copies,
		   int (*matches)(const struct frame *, const unsigned char *, size_t))
{
	static unsigned char got[MOST_BYTES + 64];
	long deadline = now_ms() + PATIENCE_MS;
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	int found = 0;

	putchar(' ');
	for (;;) {
		long rest = deadline - now_ms();
		struct sockaddr_ll from;
		socklen_t size = sizeof(from);
		struct ifreq request = { 0 };
		ssize_t len;

		if (poll(&wait, 1, found >= copies || rest < 0 ? 0 : rest) < 1)
			break;
		len = recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&from, &size);
		if (len < 0)
			die("recv");
		if (!matches(sent, got, len))
			continue;
		request.ifr_ifindex = from.sll_ifindex;
		if (ioctl(fd, SIOCGIFNAME, &request))
			die("SIOCGIFNAME");
		printf("%s%.*s", found++ ? "+" : "", (int)strlen(request.ifr_name) - 1,
		       request.ifr_name);
	}
	if (!found)
		putchar('-');
}

static int is_wanted(const char *kind, char **wanted)
{
	if (!*wanted)
		return 1;
	for (; *wanted; wanted++)
		if (!strcmp(kind, *wanted))
			return 1;
	return 0;
}

static int send_frames(const char *seed, unsigned int count, const char *device,
		       const char *namespace, int copies, char **wanted)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(device) };
	int in = listen_in(namespace), out = socket(AF_PACKET, SOCK_RAW, 0);
	static struct frame f;

	if (!to.sll_ifindex || out < 0 || bind(out, (struct sockaddr *)&to, sizeof(to)))
		die(device);
	for (unsigned int kind = 0; kind < KIND_COUNT; kind++) {
		if (!is_wanted(kinds[kind].name, wanted))
			continue;
		printf("%s:", kinds[kind].name);
		for (unsigned int i = 0; i < count; i++) {
			make(&f, seed, kind, i);
			/* A packet that is dropped is an error for some modes. */
			if (send(out, f.bytes, f.len, 0) < 0 && errno != ENOBUFS)
				die(kinds[kind].name);
			report(in, &f, copies, is_same);
		}
		putchar('\n');
	}
	return 0;
}

static socklen_t address_of(struct sockaddr_in6 *address, const char *text, unsigned int port)
{
	struct sockaddr_in *four = (struct sockaddr_in *)address;

	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		return sizeof(*four);
	}
	if (inet_pton(AF_INET6, text, &address->sin6_addr) != 1)
		die(text);
	address->sin6_family = AF_INET6;
	address->sin6_port = htons(port);
	return sizeof(*address);
}

static int send_datagrams(unsigned int count, const char *source, const char *destination,
			  const char *device, const char *namespace)
{
	int in = listen_in(namespace);

	printf("udp from %s:", source);
	for (unsigned int i = 0; i < count; i++) {
		struct sockaddr_in6 from, to;
		socklen_t size = address_of(&from, source, 20000 + 7 * i);
		static struct frame f;
		int fd;

		address_of(&to, destination, 30000 + 2 * i);
		fd = socket(from.sin6_family, SOCK_DGRAM, 0);
		if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, strlen(device)) ||
		    bind(fd, (struct sockaddr *)&from, size) ||
		    connect(fd, (struct sockaddr *)&to, size))
			die("UDP socket");
		f.len = 0;
		put32(&f, 0x666c6f77); /* "flow" */
		put32(&f, i);
		if (send(fd, f.bytes, f.len, 0) < 0)
			die("UDP send");
		report(in, &f, 1, is_datagram);
		close(fd);
	}
	putchar('\n');
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "list"))
		return list(argv[2], atoi(argv[3]));
	if (argc >= 7 && !strcmp(argv[1], "send"))
		return send_frames(argv[2], atoi(argv[3]), argv[4], argv[5], atoi(argv[6]), argv + 7);
	if (argc == 7 && !strcmp(argv[1], "sockets"))
		return send_datagrams(atoi(argv[2]), argv[3], argv[4], argv[5], argv[6]);
	fprintf(stderr, "usage: flows list SEED COUNT | flows send SEED COUNT DEVICE NETNS COPIES "
		"[KIND...] | flows sockets COUNT SOURCE DESTINATION DEVICE NETNS\n");
	return 2;
}
