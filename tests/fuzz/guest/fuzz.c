// SPDX-License-Identifier: GPL-2.0
/*
 * Carries out a script of operations (tests/fuzz/generate.py), and looks at the kernel in between.
 *
 *   fuzz NETNS SCRIPT...      NETNS is the path of namespace peer
 *
 * One operation in a line; HEX is "-" for no bytes:
 *
 *   world                          a new episode: no bonds, all slaves as they were
 *   load HEX                       the module afresh, with these parameters
 *   nl TYPE FLAGS HEX              a request of rtnetlink, without its header; "peer": in the peer
 *   set BOND HEX                   RTM_NEWLINK with options only: if it is refused, all stay as they were
 *   refuse BOND HEX                the same, and it must be refused
 *   raw HEX                        bytes for a netlink socket
 *   write PATH HEX                 one write; a refusal leaves the file as it was
 *   read PATH SIZE                 all of a file, so many bytes at once
 *   ioctl NUMBER NAME HEX          the request holds the bytes; "ioctlp": points to them
 *   rx DEVICE HOW SEED COUNT LINEAR HEX     a frame from a far end; "tx": through a device. See frames.c
 *   link DEVICE 0|1                a far end goes down or up
 *   pause MS
 *   check                          see check.c
 *
 * Exits with 1 for a finding, and 2 where it cannot go on.
 */
#include "fuzz.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HISTORY 12
#define PROGRESS 10 /* operations between two lines in the kernel log */
#define SHOWN 400 /* bytes of a line */

static const char *script;
static unsigned int line_number, episode, operations, checks, refused, taken;
static char *history[HISTORY];

/* Logs our progress: if the guest dies, the kernel log is all that is left. */
static void log_progress(const char *what)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	dprintf(fd, "<6>fuzz: %s line %u%s%s", script, line_number, *what ? ": " : "", what);
	close(fd);
}

void found(const char *format, ...)
{
	va_list arguments;

	log_progress("found");
	printf("found in %s line %u (the episode begins in line %u):\n  ", script, line_number, episode);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\nthe last operations:\n");
	for (unsigned int i = line_number < HISTORY ? 1 : line_number - HISTORY + 1; i <= line_number; i++)
		printf("  %u %.*s%s\n", i, SHOWN, history[i % HISTORY],
		       strlen(history[i % HISTORY]) > SHOWN ? "..." : "");
	fflush(stdout);
	_exit(1);
}

void broken(const char *what)
{
	printf("fuzz: %s line %u: %s: %s\n", script, line_number, what, strerror(errno));
	fflush(stdout);
	_exit(2);
}

void pause_ms(unsigned int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&time, NULL);
}

uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/* -- arguments ---------------------------------------------------------------------------- */

static char *word(char **rest)
{
	char *found = strsep(rest, " ");

	if (!found) {
		errno = EINVAL;
		broken("an argument is missing");
	}
	return found;
}

static unsigned int number(char **rest)
{
	return strtoul(word(rest), NULL, 0);
}

static unsigned char bytes[MOST_BYTES + 1];

static size_t hex(char **rest)
{
	const char *text = word(rest);
	size_t len = 0;

	for (; text[0] && text[0] != '-' && text[1] && len < MOST_BYTES; text += 2) {
		char pair[3] = { text[0], text[1] };

		bytes[len++] = strtoul(pair, NULL, 16);
	}
	bytes[len] = 0;
	return len;
}

static void count(long result)
{
	if (result < 0)
		refused++;
	else
		taken++;
}

/* -- operations --------------------------------------------------------------------------- */

static void do_nl(char *rest, enum where where)
{
	unsigned int type = number(&rest), flags = number(&rest);

	count(netlink_ask(where, type, flags, bytes, hex(&rest)));
}

static void do_set(char *rest, bool must_fail)
{
	static unsigned char before[4096], after[4096];
	const char *bond = word(&rest);
	size_t len = hex(&rest);
	long had = bond_options(bond, before, sizeof(before)), has;
	int result = netlink_ask(HERE, RTM_NEWLINK, 0, bytes, len);

	count(result);
	if (result >= 0 && must_fail)
		found("netlink took this, and must not");
	if (result >= 0 || had < 0)
		return;
	has = bond_options(bond, after, sizeof(after));
	if (has != had || memcmp(before, after, had))
		found("netlink refused this (%s), and has changed an option of %s", strerror(-result), bond);
}

static const char *path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s%s", name[0] == '/' ? "" : "/sys/class/net/", name);
	return path;
}

static void do_write(char *rest)
{
	static char before[8192], after[8192];
	const char *path = path_of(word(&rest));
	size_t len = hex(&rest);
	/* These files change by themselves. */
	bool still = !strstr(path, "active_slave") && !strstr(path, "mii_status");
	long had = read_file(path, before, sizeof(before)), has;
	long written = write_file(path, bytes, len);
	int error = errno;

	count(written);
	if (written > (long)len)
		found("a write of %zu bytes to %s wrote %ld", len, path, written);
	if (written >= 0 || had < 0 || !still)
		return;
	has = read_file(path, after, sizeof(after));
	if (has != had || strcmp(before, after))
		found("%s refused this (%s), and has changed from \"%s\" to \"%s\"", path, strerror(error),
		      before, after);
}

static void do_read(char *rest)
{
	int fd = open(path_of(word(&rest)), O_RDONLY | O_CLOEXEC);
	unsigned int size = number(&rest), reads = 0;
	static char buf[1 << 16];

	if (fd < 0)
		return;
	while (read(fd, buf, size < sizeof(buf) ? size : sizeof(buf)) > 0)
		if (++reads > 100000)
			found("a file does not come to its end");
	close(fd);
}

static void do_ioctl(char *rest, bool points)
{
	static int fd = -1;
	unsigned int request = number(&rest);
	const char *name = word(&rest);
	size_t len = hex(&rest);
	struct ifreq ifreq = { 0 };

	if (fd < 0)
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	strncpy(ifreq.ifr_name, name, IFNAMSIZ - 1);
	if (points)
		ifreq.ifr_data = (char *)bytes;
	else
		memcpy(&ifreq.ifr_ifru, bytes, len < sizeof(ifreq.ifr_ifru) ? len : sizeof(ifreq.ifr_ifru));
	count(ioctl(fd, request, &ifreq));
}

static void do_frame(char *rest, enum where where)
{
	const char *name = word(&rest), *how = word(&rest);
	unsigned int seed = number(&rest), times = number(&rest), linear = number(&rest);

	frames_send(where, name, how, seed, times, linear, bytes, hex(&rest));
}

static void carry_out(char *line)
{
	char *rest = line, *verb = word(&rest);

	operations++;
	if (!strcmp(verb, "world")) {
		episode = line_number;
		world();
	} else if (!strcmp(verb, "load")) {
		hex(&rest);
		load((char *)bytes);
	} else if (!strcmp(verb, "nl")) {
		do_nl(rest, HERE);
	} else if (!strcmp(verb, "peer")) {
		do_nl(rest, PEER);
	} else if (!strcmp(verb, "set") || !strcmp(verb, "refuse")) {
		do_set(rest, verb[0] == 'r');
	} else if (!strcmp(verb, "raw")) {
		netlink_raw(bytes, hex(&rest));
	} else if (!strcmp(verb, "write")) {
		do_write(rest);
	} else if (!strcmp(verb, "read")) {
		do_read(rest);
	} else if (!strcmp(verb, "ioctl") || !strcmp(verb, "ioctlp")) {
		do_ioctl(rest, verb[5] == 'p');
	} else if (!strcmp(verb, "rx")) {
		do_frame(rest, PEER);
	} else if (!strcmp(verb, "tx")) {
		do_frame(rest, HERE);
	} else if (!strcmp(verb, "link")) {
		const char *name = word(&rest);

		set_link(PEER, name, number(&rest));
	} else if (!strcmp(verb, "pause")) {
		pause_ms(number(&rest));
	} else if (!strcmp(verb, "check")) {
		checks++;
		check();
	} else {
		errno = EINVAL;
		broken(verb);
	}
}

static void run(const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	script = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	line_number = 0;
	if (!file)
		broken(path);
	while ((len = getline(&line, &size, file)) >= 0) {
		if (len && line[len - 1] == '\n')
			line[len - 1] = 0;
		line_number++;
		free(history[line_number % HISTORY]);
		history[line_number % HISTORY] = strdup(line);
		if (line_number % PROGRESS == 1)
			log_progress("");
		if (line[0] && line[0] != '#') {
			carry_out(line);
			check_log();
		}
	}
	free(line);
	fclose(file);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: fuzz NETNS SCRIPT...\n");
		return 2;
	}
	set_netns(argv[1]);
	check_open();
	netlink_open(HERE);
	frames_open(HERE);
	set_namespace(PEER);
	netlink_open(PEER);
	frames_open(PEER);
	set_namespace(HERE);
	traffic();
	for (int i = 2; i < argc; i++)
		run(argv[i]);
	world();
	check();
	printf("tried %u operations (%u taken, %u refused), sent %lu frames (%lu more refused), looked %u times\n",
	       operations, taken, refused, frames_sent, frames_refused, checks);
	return 0;
}
