// SPDX-License-Identifier: GPL-2.0
/*
 * Which link of a bond each of many flows takes, and in which order its packets arrive.
 *
 *   loads DEVICE...
 *
 * makes tap devices, which have carrier for as long as this runs, and then takes lines
 *
 *   ADDRESS FLOWS RATE EQUAL GAP SETTLE SECONDS
 *
 * from its input: FLOWS flows of UDP datagrams to that address, of which each begins GAP ms after the one
 * before. All have RATE packets a second if EQUAL is 1; otherwise the first has, and flow N has RATE * 4 /
 * (4 + N). After SETTLE seconds, SECONDS more are counted. It answers with one line: how often a flow took
 * another device than for its packet before ("moves"), how many flows did that, how many packets arrived
 * after a later one of their flow, how many arrived at all; and for each device the flows that began there,
 * the flows that were there at the end, and the kilobytes.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_DEVICES	8
#define MAX_FLOWS	256
#define BYTES		1000
#define FRAME		2048
/* Behind the headers of Ethernet, IPv4 and UDP. */
#define PAYLOAD		42
#define MAGIC		0x6c6f6164
#define SECOND		1000000000ull
/* How long the last packets may be on their way. */
#define LAST_MS		100

struct flow {
	int fd;
	uint64_t due, interval;
	uint32_t sent, newest;
	/* The device that each packet came through. */
	unsigned char *device;
	unsigned int moves;
};

static struct flow flows[MAX_FLOWS];
static int taps[MAX_DEVICES], devices;
static unsigned long bytes[MAX_DEVICES], late, arrived;
static uint32_t counted_from[MAX_FLOWS];
/* Packets of the one before may still be on their way. */
static uint32_t measurement;

#define NOWHERE 0xff

static void die(const char *what)
{
	fprintf(stderr, "loads: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

static int open_tap(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	if (fd < 0)
		die("/dev/net/tun");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &request))
		die(name);
	return fd;
}

/* A frame has come through a device. */
static void arrive(int device, const unsigned char *frame, size_t len, unsigned int count, uint32_t limit)
{
	uint32_t words[3];
	struct flow *flow;

	if (len < PAYLOAD + sizeof(words) || frame[12] != 0x08 || frame[13] != 0 || frame[23] != IPPROTO_UDP)
		return;
	memcpy(words, frame + PAYLOAD, sizeof(words));
	if (words[0] != MAGIC + measurement || words[1] >= count || words[2] >= limit)
		return;
	flow = &flows[words[1]];
	flow->device[words[2]] = device;
	bytes[device] += len;
	if (words[2] >= counted_from[words[1]]) {
		arrived++;
		late += words[2] < flow->newest;
	}
	if (words[2] > flow->newest)
		flow->newest = words[2];
}

static void receive(unsigned int count, uint32_t limit)
{
	unsigned char frame[FRAME];
	ssize_t len;

	for (int device = 0; device < devices; device++)
		while ((len = read(taps[device], frame, sizeof(frame))) > 0)
			arrive(device, frame, len, count, limit);
}

static void send_one(struct flow *flow, unsigned int number)
{
	static unsigned char payload[BYTES];
	uint32_t words[3] = { MAGIC + measurement, number, flow->sent++ };

	memcpy(payload, words, sizeof(words));
	if (send(flow->fd, payload, sizeof(payload), 0) < 0 && errno != ENOBUFS)
		die("send");
	flow->due += flow->interval;
}

static struct flow *next_due(unsigned int count)
{
	struct flow *next = flows;

	for (unsigned int i = 1; i < count; i++)
		if (flows[i].due < next->due)
			next = &flows[i];
	return next;
}

/* Sends and receives until a time. */
static void run(unsigned int count, uint32_t limit, uint64_t end)
{
	struct pollfd wait[MAX_DEVICES];

	for (int i = 0; i < devices; i++)
		wait[i] = (struct pollfd){ .fd = taps[i], .events = POLLIN };
	for (;;) {
		struct flow *flow = next_due(count);
		uint64_t time = now(), until = flow->due < end ? flow->due : end;

		if (time >= end)
			return;
		if (flow->due <= time) {
			send_one(flow, flow - flows);
		} else {
			struct timespec rest = { (until - time) / SECOND, (until - time) % SECOND };

			if (ppoll(wait, devices, &rest, NULL) < 0)
				die("poll");
		}
		receive(count, limit);
	}
}

static void begin(const char *address, unsigned int count, unsigned int rate, int equal, unsigned int gap_ms, uint32_t limit)
{
	uint64_t start = now();

	measurement++;
	for (unsigned int i = 0; i < count; i++) {
		struct sockaddr_in from = { .sin_family = AF_INET, .sin_port = htons(30000 + i) };
		struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(20000) };
		struct flow *flow = &flows[i];

		inet_pton(AF_INET, address, &to.sin_addr);
		flow->fd = socket(AF_INET, SOCK_DGRAM, 0);
		if (flow->fd < 0 || bind(flow->fd, (void *)&from, sizeof(from)) ||
		    connect(flow->fd, (void *)&to, sizeof(to)))
			die(address);
		flow->interval = equal ? SECOND / rate : SECOND * (4 + i) / (rate * 4);
		flow->due = start + i * gap_ms * 1000000ull;
		flow->sent = flow->newest = flow->moves = 0;
		flow->device = malloc(limit);
		if (!flow->device)
			die("malloc");
		memset(flow->device, NOWHERE, limit);
		counted_from[i] = 0;
	}
	memset(bytes, 0, sizeof(bytes));
	late = arrived = 0;
}

static void report(unsigned int count)
{
	unsigned int moves = 0, movers = 0, first[MAX_DEVICES] = { 0 }, last[MAX_DEVICES] = { 0 };

	for (unsigned int i = 0; i < count; i++) {
		struct flow *flow = &flows[i];
		unsigned char before = NOWHERE;

		for (uint32_t at = 0; at < flow->sent; at++) {
			unsigned char device = flow->device[at];

			if (device == NOWHERE)
				continue;
			if (before == NOWHERE)
				first[device]++;
			else if (device != before && at > counted_from[i])
				flow->moves++;
			before = device;
		}
		if (before != NOWHERE)
			last[before]++;
		moves += flow->moves;
		movers += flow->moves > 0;
		close(flow->fd);
		free(flow->device);
	}
	printf("%u %u %lu %lu", moves, movers, late, arrived);
	for (int i = 0; i < devices; i++)
		printf(" %u %u %lu", first[i], last[i], bytes[i] / 1000);
	printf("\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned int count, rate, equal, gap_ms, settle, seconds;
	char line[256], address[64];

	if (argc < 2 || argc - 1 > MAX_DEVICES) {
		fprintf(stderr, "usage: loads DEVICE...\n");
		return 2;
	}
	for (devices = 0; devices < argc - 1; devices++)
		taps[devices] = open_tap(argv[1 + devices]);
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		uint32_t limit;
		uint64_t start;

		if (sscanf(line, "%63s %u %u %u %u %u %u", address, &count, &rate, &equal, &gap_ms, &settle, &seconds) != 7 ||
		    !count || count > MAX_FLOWS || !rate) {
			fprintf(stderr, "loads: not ADDRESS FLOWS RATE EQUAL GAP SETTLE SECONDS: %s", line);
			return 2;
		}
		limit = rate * (settle + seconds + 2);
		begin(address, count, rate, equal, gap_ms, limit);
		start = now();
		run(count, limit, start + settle * SECOND);
		for (unsigned int i = 0; i < count; i++)
			counted_from[i] = flows[i].sent;
		run(count, limit, start + (settle + seconds) * SECOND);
		usleep(LAST_MS * 1000);
		receive(count, limit);
		report(count);
	}
	return 0;
}
