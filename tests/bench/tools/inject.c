// SPDX-License-Identifier: GPL-2.0
/*
 * Makes network devices receive frames, and measures what one frame costs.
 *
 *   inject DEVICE...
 *
 * makes tap devices, which have carrier for as long as this runs, and then takes lines
 *
 *   DEVICE DESTINATION SIZE VLAN COUNT ROUNDS
 *
 * from its input: ROUNDS times, COUNT frames of SIZE bytes to that hardware address, with a VLAN tag
 * unless VLAN is 0. It answers each line with the nanoseconds per frame of the quickest round, in which
 * the fewest interrupts came in between. The frames are of a type that nobody takes. Between the lines, a partner at
 * the other end of each device answers LACPDUs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "lacpdu.h"

#define MAX_DEVICES	16
#define MAX_FRAME	2048
#define HEADER		14
#define TAG		4

static const unsigned char source[6] = { 0x02, 0, 0, 0, 0xee, 0x01 };

static void die(const char *what)
{
	fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	exit(1);
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

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* The frame's length. */
static size_t build(unsigned char *frame, const unsigned char *destination, size_t size, int vlan)
{
	size_t at = 12;

	memset(frame, 0, MAX_FRAME);
	memcpy(frame, destination, 6);
	memcpy(frame + 6, source, 6);
	if (vlan) {
		frame[at++] = 0x81;
		frame[at++] = 0x00;
		frame[at++] = vlan >> 8;
		frame[at++] = vlan;
		size += TAG;
	}
	frame[at++] = 0x88;	/* for local experiments */
	frame[at++] = 0xb5;
	return size;
}

/* Answers the LACPDUs that a device has sent; port is the number of the partner's port. */
static void answer_all(int fd, int port)
{
	unsigned char frame[MAX_FRAME];
	ssize_t size;

	while ((size = read(fd, frame, sizeof(frame))) > 0) {
		if (!is_lacpdu(frame, size))
			continue;
		answer_lacpdu(frame, port, STATE_AGREES);
		/* A device that is being set down takes no answer. */
		if (write(fd, frame, LACPDU_FRAME) < 0 && errno != EIO)
			die("an LACPDU");
	}
}

/* Waits for a line, and answers LACPDUs meanwhile. The line is NULL at the end of the input. */
static const char *next_line(const int *fds, int count)
{
	struct pollfd polled[MAX_DEVICES + 1] = { { .fd = STDIN_FILENO, .events = POLLIN } };
	static char *line;
	static size_t room;

	for (int i = 0; i < count; i++)
		polled[i + 1] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	while (!polled[0].revents) {
		if (poll(polled, count + 1, -1) < 0)
			die("poll");
		for (int i = 0; i < count; i++) {
			if (polled[i + 1].revents)
				answer_all(fds[i], i + 1);
		}
	}
	return getline(&line, &room, stdin) < 0 ? NULL : line;
}

int main(int argc, char **argv)
{
	unsigned char frame[MAX_FRAME], to[6];
	int fds[MAX_DEVICES], vlan, count, rounds, device;
	char name[IFNAMSIZ];
	const char *line;
	size_t size;

	if (argc < 2 || argc > MAX_DEVICES + 1) {
		fprintf(stderr, "usage: inject DEVICE...\n");
		return 2;
	}
	for (int i = 1; i < argc; i++)
		fds[i - 1] = open_tap(argv[i]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready\n");
	while ((line = next_line(fds, argc - 1)) &&
	       sscanf(line, "%15s %hhx:%hhx:%hhx:%hhx:%hhx:%hhx %zu %d %d %d", name, &to[0], &to[1], &to[2],
		      &to[3], &to[4], &to[5], &size, &vlan, &count, &rounds) == 11) {
		uint64_t best = UINT64_MAX;

		for (device = 1; device < argc && strcmp(argv[device], name); device++)
			;
		if (device == argc || size < HEADER || size + TAG > MAX_FRAME || count < 1) {
			fprintf(stderr, "inject: %s is no device, or %zu no size\n", name, size);
			return 2;
		}
		size = build(frame, to, size, vlan);
		for (int round = 0; round < rounds; round++) {
			uint64_t begin = now(), spent;

			for (int i = 0; i < count; i++) {
				if (write(fds[device - 1], frame, size) != (ssize_t)size)
					die(name);
			}
			spent = now() - begin;
			if (spent < best)
				best = spent;
		}
		printf("%.2f\n", (double)best / count);
	}
	return 0;
}
