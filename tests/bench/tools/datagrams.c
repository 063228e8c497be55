// SPDX-License-Identifier: GPL-2.0
/*
 * Measures what a packet over InfiniBand costs, which pktgen cannot send.
 *
 *   datagrams DEVICE ADDRESS BYTES COUNT ROUNDS
 *
 * sends COUNT packets of BYTES bytes, ROUNDS times, of a type that nobody receives, through the
 * device to the hardware address of 20 bytes (RFC 4391, section 9.1.1). Interrupts and kernel
 * threads do much of the work later: so it sends a few packets, sleeps until that is over, and
 * prints the nanoseconds per packet during which the CPU was not idle (/proc/busy), in the quickest
 * round.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "busy.h"

#define ADDRESS		20
#define MAX_BYTES	2000
/* The send queue of an IPoIB interface holds more than this. */
#define AT_ONCE		32
#define ETH_P_EXPERIMENT 0x88b5

static void pause_for(long milliseconds)
{
	struct timespec time = { .tv_nsec = milliseconds * 1000000 };

	nanosleep(&time, NULL);
}

int main(int argc, char **argv)
{
	/* The address is longer than the structure's field. */
	union {
		struct sockaddr_ll link;
		unsigned char bytes[offsetof(struct sockaddr_ll, sll_addr) + ADDRESS];
	} to = { .link = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_EXPERIMENT),
			   .sll_halen = ADDRESS } };
	static unsigned char packet[MAX_BYTES];
	unsigned char *address = to.bytes + offsetof(struct sockaddr_ll, sll_addr);
	uint64_t best = UINT64_MAX;
	int fd, bytes, count, rounds;

	if (argc != 6) {
		fprintf(stderr, "usage: datagrams DEVICE ADDRESS BYTES COUNT ROUNDS\n");
		return 2;
	}
	for (int i = 0; i < ADDRESS; i++) {
		if (strlen(argv[2]) != 3 * ADDRESS - 1 || sscanf(argv[2] + 3 * i, "%2hhx", address + i) != 1) {
			fprintf(stderr, "datagrams: %s is no address of %d bytes\n", argv[2], ADDRESS);
			return 2;
		}
	}
	to.link.sll_ifindex = if_nametoindex(argv[1]);
	if (!to.link.sll_ifindex)
		die(argv[1]);
	bytes = atoi(argv[3]);
	count = atoi(argv[4]);
	rounds = atoi(argv[5]);
	if (bytes < 1 || bytes > MAX_BYTES || count < 1) {
		fprintf(stderr, "datagrams: 1 to %d bytes, and at least one packet\n", MAX_BYTES);
		return 2;
	}
	fd = socket(AF_PACKET, SOCK_DGRAM, 0);
	if (fd < 0)
		die("socket");
	for (int round = 0; round < rounds; round++) {
		uint64_t begin = busy(), spent;

		for (int sent = 0; sent < count; sent++) {
			if (sendto(fd, packet, bytes, 0, (struct sockaddr *)&to, sizeof(to)) != bytes)
				die(argv[1]);
			if (sent % AT_ONCE == AT_ONCE - 1)
				pause_for(5);
		}
		pause_for(100);
		spent = busy() - begin;
		if (spent < best)
			best = spent;
	}
	printf("%.2f\n", (double)best / count);
	return 0;
}
