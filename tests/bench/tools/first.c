// SPDX-License-Identifier: GPL-2.0
/*
 * How long it takes until data pass from one device to another.
 *
 *   first DEVICE NAMESPACE RECEIVER COMMAND...
 *
 * runs the command, and from then on sends a frame each millisecond through DEVICE, until RECEIVER, in that
 * network namespace (a name of `ip netns`), has received one. It prints how long that took, from the start of the
 * command, in milliseconds. DEVICE may be down at first.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ETH_P_EXPERIMENT 0x88b5
#define MOST_MS		60000

static void die(const char *what)
{
	fprintf(stderr, "first: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

static void enter(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

/* A socket that receives what the device does. */
static int listen_on(const char *name)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_EXPERIMENT) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	at.sll_ifindex = if_nametoindex(name);
	if (fd < 0 || !at.sll_ifindex || bind(fd, (struct sockaddr *)&at, sizeof(at)))
		die(name);
	return fd;
}

int main(int argc, char **argv)
{
	static const unsigned char frame[60] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0, 0, 0xee, 0x03, 0x88, 0xb5,
	};
	struct sockaddr_ll to = { .sll_family = AF_PACKET };
	int sender, receiver, home, status;
	uint64_t begin, next;
	char path[256];
	pid_t child;

	if (argc < 5) {
		fprintf(stderr, "usage: first DEVICE NAMESPACE RECEIVER COMMAND...\n");
		return 2;
	}
	home = open("/proc/self/ns/net", O_RDONLY);
	snprintf(path, sizeof(path), "/run/netns/%s", argv[2]);
	enter(path);
	receiver = listen_on(argv[3]);
	if (home < 0 || setns(home, CLONE_NEWNET))
		die("the network namespace");
	to.sll_ifindex = if_nametoindex(argv[1]);
	sender = socket(AF_PACKET, SOCK_RAW, 0);
	if (sender < 0 || !to.sll_ifindex)
		die(argv[1]);

	begin = next = now_us();
	child = fork();
	if (child < 0)
		die("fork");
	if (!child) {
		execvp(argv[4], argv + 4);
		die(argv[4]);
	}
	for (int ms = 0; ms < MOST_MS; ms++) {
		struct pollfd polled = { .fd = receiver, .events = POLLIN };
		uint64_t now;

		/* Whether the device can send yet shows at the other end. */
		sendto(sender, frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to));
		next += 1000;
		now = now_us();
		if (next > now) {
			struct timespec wait = { .tv_nsec = (next - now) * 1000 };

			if (ppoll(&polled, 1, &wait, NULL) < 0)
				die(argv[3]);
		} else if (poll(&polled, 1, 0) < 0) {
			die(argv[3]);
		}
		if (polled.revents) {
			printf("%.3f\n", (now_us() - begin) / 1000.0);
			if (waitpid(child, &status, 0) < 0 || status)
				die(argv[4]);
			return 0;
		}
	}
	fprintf(stderr, "first: nothing has arrived\n");
	return 1;
}
