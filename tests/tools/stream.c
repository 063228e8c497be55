// SPDX-License-Identifier: GPL-2.0
/*
 * A stream of numbered UDP packets, and what became of it.
 *
 *   stream send ADDRESS PORT INTERVAL_US   until SIGTERM or SIGINT
 *   stream recv PORT PROGRESS_FILE         until the sender's end mark
 *
 * The receiver keeps its count in PROGRESS_FILE, so that a script can wait for
 * packets instead of for time, and ends with one line:
 *
 *   sent=5000 received=4999 lost=1 duplicated=0 gap_ms=2 gap_us=2003 first_lost=2117
 *
 * gap_ms and gap_us are the longest time between two arrivals.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_PACKETS	1000000
#define END_MARKS	50
#define IDLE_SECONDS	10

struct packet {
	uint64_t number;	/* from 0; in an end mark: how many were sent */
	uint64_t end;
};

static volatile sig_atomic_t stop;
static unsigned char seen[MAX_PACKETS];

static void on_signal(int signo)
{
	(void)signo;
	stop = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "stream: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

static void sleep_until(uint64_t us)
{
	struct timespec t = { us / 1000000, us % 1000000 * 1000 };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int send_stream(const char *address, const char *port, uint64_t interval)
{
	struct addrinfo hint = { .ai_socktype = SOCK_DGRAM }, *to;
	struct packet p = { 0 };
	uint64_t next;
	int fd, err;

	err = getaddrinfo(address, port, &hint, &to);
	if (err) {
		fprintf(stderr, "stream: %s: %s\n", address, gai_strerror(err));
		return 1;
	}
	fd = socket(to->ai_family, to->ai_socktype, 0);
	if (fd < 0 || connect(fd, to->ai_addr, to->ai_addrlen))
		die("connect");

	/* A packet that could not be sent counts as sent: it was due and is lost. */
	for (next = now_us(); !stop && p.number < MAX_PACKETS; p.number++) {
		send(fd, &p, sizeof(p), 0);
		next += interval;
		sleep_until(next);
	}
	/* Let what is on its way arrive, then say it often enough to be heard. */
	p.end = 1;
	for (int i = 0; i < END_MARKS; i++) {
		sleep_until(now_us() + 10000);
		send(fd, &p, sizeof(p), 0);
	}
	return 0;
}

static void report(uint64_t sent, uint64_t received, uint64_t duplicated, uint64_t gap)
{
	uint64_t lost = 0;
	long first_lost = -1;

	for (uint64_t i = 0; i < sent && i < MAX_PACKETS; i++) {
		if (seen[i])
			continue;
		if (!lost++)
			first_lost = i;
	}
	printf("sent=%llu received=%llu lost=%llu duplicated=%llu gap_ms=%llu gap_us=%llu first_lost=%ld\n",
	       (unsigned long long)sent, (unsigned long long)received,
	       (unsigned long long)lost, (unsigned long long)duplicated,
	       (unsigned long long)(gap + 500) / 1000, (unsigned long long)gap, first_lost);
}

static int receive_stream(const char *port, const char *progress_file)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(atoi(port)) };
	struct timeval idle = { .tv_sec = IDLE_SECONDS };
	uint64_t received = 0, duplicated = 0, gap = 0, last = 0;
	int size = 4 << 20, off = 0, on = 1, progress, fd;
	struct packet p;

	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	/* From groups, too, of which the host is a member; IPv4 sockets do that by themselves. */
	setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof(idle));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)))
		die("bind");
	progress = open(progress_file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (progress < 0)
		die(progress_file);

	for (;;) {
		uint64_t now;
		char text[24];
		int len;

		len = snprintf(text, sizeof(text), "%010llu\n", (unsigned long long)received);
		if (pwrite(progress, text, len, 0) != len)
			die(progress_file);
		if (recv(fd, &p, sizeof(p), 0) != sizeof(p)) {
			fprintf(stderr, "stream: nothing arrived for %d s\n", IDLE_SECONDS);
			report(received, received, duplicated, gap);
			return 1;
		}
		if (p.end)
			break;
		now = now_us();
		if (last && now - last > gap)
			gap = now - last;
		last = now;
		if (p.number >= MAX_PACKETS)
			continue;
		if (seen[p.number]) {
			duplicated++;
		} else {
			seen[p.number] = 1;
			received++;
		}
	}
	report(p.number, received, duplicated, gap);
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (argc == 5 && !strcmp(argv[1], "send"))
		return send_stream(argv[2], argv[3], strtoull(argv[4], NULL, 10));
	if (argc == 4 && !strcmp(argv[1], "recv"))
		return receive_stream(argv[2], argv[3]);
	fprintf(stderr, "usage: stream send ADDRESS PORT INTERVAL_US | stream recv PORT PROGRESS_FILE\n");
	return 2;
}
