// SPDX-License-Identifier: GPL-2.0
/*
 * A TCP conversation: both ends send bytes that follow from their place in the stream, at a steady
 * pace, and check each byte that they receive.
 *
 *   talk listen PORT BYTES INTERVAL_MS PROGRESS_FILE
 *   talk connect ADDRESS PORT BYTES INTERVAL_MS PROGRESS_FILE
 *
 * BYTES are sent every INTERVAL_MS. Who gets SIGTERM or SIGINT, or finds that the other end has
 * finished, finishes its own stream; when both have, each end writes one line:
 *
 *   sent=123 received=456 gap_ms=40
 *
 * gap_ms is the longest time between two arrivals. What was received so far is in PROGRESS_FILE. The
 * exit status is 1 if a byte is wrong or the connection breaks.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_BYTES	65536

static volatile sig_atomic_t stop;

static void on_signal(int signo)
{
	(void)signo;
	stop = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "talk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

/* The byte at a place of a stream; the two ends have streams of their own. */
static unsigned char byte_at(uint64_t place, int stream)
{
	return ((place + stream * 4099) * 2654435761ull) >> 13;
}

static struct addrinfo *resolve(const char *address, const char *port, int flags)
{
	struct addrinfo hint = { .ai_socktype = SOCK_STREAM, .ai_flags = flags }, *found;
	int err = getaddrinfo(address, port, &hint, &found);

	if (err) {
		fprintf(stderr, "talk: %s: %s\n", address, gai_strerror(err));
		exit(1);
	}
	return found;
}

static int accept_one(const char *port)
{
	struct addrinfo *at = resolve("::", port, AI_PASSIVE);
	int on = 1, listener, fd;

	listener = socket(at->ai_family, SOCK_STREAM, 0);
	if (listener < 0)
		die("socket");
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, at->ai_addr, at->ai_addrlen) || listen(listener, 1))
		die("listen");
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		die("accept");
	close(listener);
	return fd;
}

static int connect_to(const char *address, const char *port)
{
	struct addrinfo *to = resolve(address, port, 0);
	int fd = socket(to->ai_family, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, to->ai_addr, to->ai_addrlen))
		die("connect");
	return fd;
}

static void note(int progress, uint64_t received, const char *file)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%012llu\n", (unsigned long long)received);

	if (pwrite(progress, text, len, 0) != len)
		die(file);
}

/* Checks what has arrived; returns false at the end of the other's stream. */
static bool receive(int fd, int stream, uint64_t *received)
{
	static unsigned char buffer[MAX_BYTES];
	ssize_t len = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (len < 0)
		die("receive");
	for (ssize_t i = 0; i < len; i++, (*received)++) {
		if (buffer[i] != byte_at(*received, stream)) {
			fprintf(stderr, "talk: byte %llu is wrong\n", (unsigned long long)*received);
			exit(1);
		}
	}
	return len > 0;
}

/* Sends up to a place of the stream, as far as there is room. */
static void send_up_to(int fd, int stream, uint64_t *sent, uint64_t place)
{
	static unsigned char buffer[MAX_BYTES];

	while (*sent < place) {
		size_t len = place - *sent < MAX_BYTES ? place - *sent : MAX_BYTES;
		ssize_t done;

		for (size_t i = 0; i < len; i++)
			buffer[i] = byte_at(*sent + i, stream);
		done = send(fd, buffer, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (done < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (done < 0)
			die("send");
		*sent += done;
	}
}

static void talk(int fd, int stream, uint64_t bytes, uint64_t interval, const char *file)
{
	int progress = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	uint64_t sent = 0, received = 0, due = 0, gap = 0, next = now_ms(), last = next;
	bool sending = true, receiving = true;

	if (progress < 0)
		die(file);
	while (sending || receiving) {
		uint64_t before = received, now = now_ms();
		struct pollfd wait = {
			.fd = fd,
			.events = (receiving ? POLLIN : 0) | (sent < due ? POLLOUT : 0),
		};
		int left = next > now ? next - now : 0;

		/* After the end of its own stream it has no pace any more. */
		if (poll(&wait, 1, sending ? left : -1) < 0 && errno != EINTR)
			die("poll");
		if (receiving && !receive(fd, !stream, &received))
			receiving = false;
		now = now_ms();
		if (received != before) {
			note(progress, received, file);
			if (now - last > gap)
				gap = now - last;
			last = now;
		}
		if (!sending)
			continue;
		if (now >= next && !stop && receiving) {
			/* A connection that is stuck is not given more than one block to catch up with. */
			if (sent == due)
				due += bytes;
			next = now + interval;
		}
		send_up_to(fd, stream, &sent, due);
		if ((stop || !receiving) && sent == due) {
			if (shutdown(fd, SHUT_WR))
				die("shutdown");
			sending = false;
		}
	}
	printf("sent=%llu received=%llu gap_ms=%llu\n", (unsigned long long)sent,
	       (unsigned long long)received, (unsigned long long)gap);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	bool listens = argc == 6 && !strcmp(argv[1], "listen");

	if (!listens && !(argc == 7 && !strcmp(argv[1], "connect"))) {
		fprintf(stderr, "usage: talk listen PORT BYTES INTERVAL_MS PROGRESS_FILE |\n"
			"       talk connect ADDRESS PORT BYTES INTERVAL_MS PROGRESS_FILE\n");
		return 2;
	}
	argv += argc - 3;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (listens)
		talk(accept_one(argv[-1]), 0, atoi(argv[0]), atoi(argv[1]), argv[2]);
	else
		talk(connect_to(argv[-2], argv[-1]), 1, atoi(argv[0]), atoi(argv[1]), argv[2]);
	return 0;
}
