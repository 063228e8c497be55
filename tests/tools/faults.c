// SPDX-License-Identifier: GPL-2.0
/*
 * Fails each memory allocation of one system call in turn, and looks at what is left of it.
 *
 *   faults [-i TEXT]... [-a FUNCTION=TEXT]... NAME CALL [, CALL]...
 *
 * The first call is the one whose allocations fail; the calls behind commas undo it. A call is:
 *
 *   write FILE TEXT                  to a file of sysfs
 *   add DEVICE KIND [SETTING]...     ip link add; SETTING is NAME=VALUE of `settings`: those of a device,
 *   set DEVICE [KIND] [SETTING]...   and, if KIND is given, those of that kind
 *   slave DEVICE [SETTING]...        ip link set DEVICE type bond_slave
 *   del DEVICE
 *   enslave|release|activate BOND SLAVE      the ioctls
 *   netns                            a new network namespace, which goes again by itself
 *
 * In each turn: with the fault, the call fails and everything is as before, or it succeeds and
 * everything is as after a call without fault. If it failed, it is made again without, and succeeds.
 * Then it is undone, and everything is as before. "Everything" is what RTM_GETLINK, sysfs, debugfs and
 * /proc tell of devices, without what counts packets and events; -i TEXT leaves out lines with TEXT.
 * -a allows a call to leave lines with TEXT wrong when the memory was for FUNCTION: the kernel has parts
 * that cannot tell anybody.
 *
 * debugfs's failslab and fail_page_alloc have to be set up, verbose=2 among it: the kernel log says for
 * what an allocation was.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <arpa/inet.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* <net/if.h> and <linux/if.h> do not go together. */
unsigned int if_nametoindex(const char *name);

#define SETTLED_MS	1300	/* nothing has changed for so long; the core tells of links once a second */
#define PATIENCE_MS	5000	/* until everything is as it should be */
#define MAX_LINES	20000
#define MAX_CALLS	8
#define STACK_MAX	256	/* functions, those that the unwinder is not sure of among them */
#define TEXTS_EVERY	10	/* so many turns */

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "faults: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(2);
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000L + now.tv_nsec / 1000000;
}

static void rest(long ms)
{
	usleep(ms * 1000);
}

/* ---- everything that can be seen, as sorted lines ---- */

struct state {
	char *line[MAX_LINES];
	int lines;
};

static const char *ignored[32];
static int ignored_count;

static void __attribute__((format(printf, 2, 3))) note(struct state *state, const char *format, ...)
{
	va_list args;
	char *line;

	va_start(args, format);
	if (vasprintf(&line, format, args) < 0)
		die("out of memory");
	va_end(args);
	for (int i = 0; i < ignored_count; i++)
		if (strstr(line, ignored[i])) {
			free(line);
			return;
		}
	if (state->lines == MAX_LINES)
		die("too many lines");
	state->line[state->lines++] = line;
}

static void forget(struct state *state)
{
	while (state->lines)
		free(state->line[--state->lines]);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY), length = 0, more;

	if (fd < 0)
		return -1;
	while ((more = read(fd, text + length, size - 1 - length)) > 0)
		length += more;
	close(fd);
	text[length] = 0;
	return more < 0 ? -1 : length;
}

static char text[1 << 20];

/* Each line of the files, with its number where the order counts. */
static void note_files(struct state *state, const char *pattern, int numbered)
{
	glob_t found;

	if (!glob(pattern, 0, NULL, &found))
		for (size_t i = 0; i < found.gl_pathc; i++) {
			const char *path = found.gl_pathv[i];
			int number = 0;

			if (read_file(path, text, sizeof(text)) < 0) {
				note(state, "%s: %s", path, strerror(errno));
				continue;
			}
			for (char *next = text, *line; (line = strsep(&next, "\n")); number++)
				if (numbered)
					note(state, "%s:%d: %s", path, number, line);
				else
					note(state, "%s: %s", path, line);
		}
	globfree(&found);
}

static void note_names(struct state *state, const char *pattern)
{
	glob_t found;

	if (!glob(pattern, 0, NULL, &found))
		for (size_t i = 0; i < found.gl_pathc; i++)
			note(state, "%s", found.gl_pathv[i]);
	globfree(&found);
}

static int route = -1;
static unsigned int sequence;
static char answer[1 << 17];

/* Names of devices by index, from the last dump; indices change from turn to turn. */
enum { INDICES = 1 << 16 };
static char names[INDICES][IFNAMSIZ];

static const char *name_of(int index)
{
	static char unknown[32];

	if (index > 0 && index < INDICES && names[index][0])
		return names[index];
	snprintf(unknown, sizeof(unknown), "#%d", index);
	return index ? unknown : "none";
}

/* Attributes that count packets or events, or are random. */
static int is_volatile(int type)
{
	return type == IFLA_STATS || type == IFLA_STATS64 || type == IFLA_AF_SPEC ||
	       type == IFLA_CARRIER_CHANGES || type == IFLA_CARRIER_UP_COUNT ||
	       type == IFLA_CARRIER_DOWN_COUNT || type == IFLA_MAP;
}

static void note_attrs(struct state *state, const char *where, struct rtattr *attr, int length, int depth,
		       int random_address)
{
	for (; RTA_OK(attr, length); attr = RTA_NEXT(attr, length)) {
		int type = attr->rta_type & NLA_TYPE_MASK, size = RTA_PAYLOAD(attr);
		unsigned char *data = RTA_DATA(attr);
		char path[256], hex[1024] = "";

		snprintf(path, sizeof(path), "%s/%d", where, type);
		if (depth == 0) {
			if (is_volatile(type))
				continue;
			if (type == IFLA_ADDRESS && random_address) {
				note(state, "%s: random", path);
				continue;
			}
			if (type == IFLA_MASTER || type == IFLA_LINK) {
				note(state, "%s: %s", path, name_of(*(int *)data));
				continue;
			}
			if (type == IFLA_LINKINFO) {
				note_attrs(state, path, RTA_DATA(attr), size, 1, 0);
				continue;
			}
		} else if (depth == 1) {
			if (type == IFLA_INFO_XSTATS)
				continue;
			if (type == IFLA_INFO_DATA || type == IFLA_INFO_SLAVE_DATA) {
				note_attrs(state, path, RTA_DATA(attr), size, 2, 0);
				continue;
			}
		} else if (strstr(where, "/18/2") && size == 4 &&
			   (type == IFLA_BOND_ACTIVE_SLAVE || type == IFLA_BOND_PRIMARY)) {
			note(state, "%s: %s", path, name_of(*(int *)data));
			continue;
		}
		for (int i = 0; i < size && i < 500; i++)
			sprintf(hex + 2 * i, "%02x", data[i]);
		note(state, "%s: %s", path, hex);
	}
}

static int has_random_address(const char *name)
{
	char path[128], value[16];

	snprintf(path, sizeof(path), "/sys/class/net/%s/addr_assign_type", name);
	return read_file(path, value, sizeof(value)) > 0 && atoi(value) == 1;
}

static void note_links(struct state *state)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
		struct rtattr attr;
		unsigned int mask;
	} request = {
		{ sizeof(request), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, ++sequence, 0 }, { 0 },
		{ sizeof(struct rtattr) + 4, IFLA_EXT_MASK }, RTEXT_FILTER_VF,
	};
	static char dump[1 << 20];
	int total = 0;

	if (send(route, &request, sizeof(request), 0) < 0)
		die("cannot ask for the links: %s", strerror(errno));
	for (int done = 0; !done;) {
		int length = recv(route, dump + total, sizeof(dump) - total, 0), left = length;

		if (length < 0)
			die("cannot read the links: %s", strerror(errno));
		for (struct nlmsghdr *head = (void *)(dump + total); NLMSG_OK(head, left); head = NLMSG_NEXT(head, left))
			if (head->nlmsg_seq == sequence && head->nlmsg_type == NLMSG_DONE)
				done = 1;
		total += NLMSG_ALIGN(length);
	}
	memset(names, 0, sizeof(names));
	for (int second = 0; second < 2; second++) {
		struct nlmsghdr *head = (void *)dump;
		int left = total;

		for (; NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
			struct ifinfomsg *link = NLMSG_DATA(head);
			struct rtattr *attr = IFLA_RTA(link);
			int length = IFLA_PAYLOAD(head);
			char where[64];

			if (head->nlmsg_type != RTM_NEWLINK || head->nlmsg_seq != sequence)
				continue;
			if (second) {
				snprintf(where, sizeof(where), "link %s", name_of(link->ifi_index));
				note(state, "%s type %d flags %#x", where, link->ifi_type, link->ifi_flags);
				note_attrs(state, where, attr, length, 0, has_random_address(name_of(link->ifi_index)));
				continue;
			}
			for (; RTA_OK(attr, length); attr = RTA_NEXT(attr, length))
				if (attr->rta_type == IFLA_IFNAME) {
					if (link->ifi_index >= INDICES)
						die("device %d: no more than %d in one boot", link->ifi_index, INDICES);
					strncpy(names[link->ifi_index], RTA_DATA(attr), IFNAMSIZ - 1);
				}
		}
	}
}

/* The first word behind the index is the name; references differ with the history. */
static void note_groups(struct state *state)
{
	char name[64], address[128];
	int index, users, global;

	if (read_file("/proc/net/dev_mcast", text, sizeof(text)) < 0)
		return;
	for (char *next = text, *line; (line = strsep(&next, "\n"));)
		if (sscanf(line, "%d %63s %d %d %127s", &index, name, &users, &global, address) == 5)
			note(state, "/proc/net/dev_mcast: %s %s", name, address);
}

static void note_devices(struct state *state)
{
	if (read_file("/proc/net/dev", text, sizeof(text)) < 0)
		return;
	for (char *next = text, *line; (line = strsep(&next, "\n"));) {
		char *colon = strchr(line, ':');

		if (colon) {
			*colon = 0;
			note(state, "/proc/net/dev: %s", line + strspn(line, " "));
		}
	}
}

/* What the folder of each device holds: its attributes, and who is above it and below. */
static void note_folders(struct state *state)
{
	char path[64];

	for (int index = 1; index < INDICES; index++) {
		struct dirent *entry;
		DIR *dir;

		if (!names[index][0])
			continue;
		snprintf(path, sizeof(path), "/sys/class/net/%s", names[index]);
		dir = opendir(path);
		if (!dir)
			continue;
		while ((entry = readdir(dir)))
			note(state, "%s/%s", path, entry->d_name);
		closedir(dir);
	}
}

/*
 * The text of each attribute takes long on a kernel that checks every step, and says what netlink says:
 * it is looked at now and then.
 */
static int look_at_texts = 1;

static void look(struct state *state)
{
	forget(state);
	note_links(state);
	note_devices(state);
	note_groups(state);
	note_folders(state);
	note_files(state, "/sys/class/net/bonding_masters", 0);
	note_files(state, "/proc/net/bonding/*", 1);
	note_names(state, "/sys/kernel/debug/bonding/*");
	if (look_at_texts) {
		note_files(state, "/sys/class/net/*/bonding/*", 0);
		note_files(state, "/sys/class/net/*/bonding_slave/*", 0);
		note_files(state, "/sys/class/net/*/addr_assign_type", 0);
		note_files(state, "/proc/net/vlan/config", 0);
		note_names(state, "/sys/class/net/*/queues/*");
		note_names(state, "/sys/kernel/debug/bonding/*/*");
	}
	qsort(state->line, state->lines, sizeof(state->line[0]), compare_lines);
}

/* Prints what differs, or just tells whether something does. */
static int differ(const struct state *a, const struct state *b, int print)
{
	int differences = 0, i = 0, j = 0;

	while (i < a->lines || j < b->lines) {
		int order = i == a->lines ? 1 : j == b->lines ? -1 : strcmp(a->line[i], b->line[j]);

		if (order && print)
			printf("    %c %s\n", order < 0 ? '-' : '+', order < 0 ? a->line[i] : b->line[j]);
		differences += order != 0;
		i += order <= 0;
		j += order >= 0;
	}
	return differences;
}

/* Looks until nothing has changed for a while. */
static void settle(struct state *state)
{
	static struct state next;
	long since = now_ms(), begin = since;

	look(state);
	while (now_ms() - since < SETTLED_MS) {
		struct state swap;

		rest(20);
		look(&next);
		if (differ(state, &next, 0))
			since = now_ms();
		swap = *state, *state = next, next = swap;
		if (now_ms() - begin > PATIENCE_MS)
			die("the state does not settle");
	}
}

static struct state seen;

/* ---- the calls ---- */

struct call {
	int argc;
	char **argv;
};

/* How an attribute is written. */
enum kind { U8, U16, U32, S32, INDEX, IP4, IP6, ADDRESS, STRING, FLAGS, U64 };

static const struct setting {
	const char *of, *name;
	int type;
	enum kind kind;
} settings[] = {
	{ "", "address", IFLA_ADDRESS, ADDRESS },
	{ "", "mtu", IFLA_MTU, U32 },
	{ "", "master", IFLA_MASTER, INDEX },
	{ "", "link", IFLA_LINK, INDEX },
	{ "", "txqueues", IFLA_NUM_TX_QUEUES, U32 },
	{ "", "rxqueues", IFLA_NUM_RX_QUEUES, U32 },
	{ "", "name", IFLA_IFNAME, STRING },
	{ "", "flags", 0, FLAGS },
	{ "vlan", "id", IFLA_VLAN_ID, U16 },
	{ "bond", "mode", IFLA_BOND_MODE, U8 },
	{ "bond", "active_slave", IFLA_BOND_ACTIVE_SLAVE, INDEX },
	{ "bond", "miimon", IFLA_BOND_MIIMON, U32 },
	{ "bond", "updelay", IFLA_BOND_UPDELAY, U32 },
	{ "bond", "downdelay", IFLA_BOND_DOWNDELAY, U32 },
	{ "bond", "peer_notif_delay", IFLA_BOND_PEER_NOTIF_DELAY, U32 },
	{ "bond", "use_carrier", IFLA_BOND_USE_CARRIER, U8 },
	{ "bond", "arp_interval", IFLA_BOND_ARP_INTERVAL, U32 },
	{ "bond", "arp_ip_target", IFLA_BOND_ARP_IP_TARGET, IP4 },
	{ "bond", "ns_ip6_target", IFLA_BOND_NS_IP6_TARGET, IP6 },
	{ "bond", "arp_validate", IFLA_BOND_ARP_VALIDATE, U32 },
	{ "bond", "arp_all_targets", IFLA_BOND_ARP_ALL_TARGETS, U32 },
	{ "bond", "arp_missed_max", IFLA_BOND_MISSED_MAX, U8 },
	{ "bond", "primary", IFLA_BOND_PRIMARY, INDEX },
	{ "bond", "primary_reselect", IFLA_BOND_PRIMARY_RESELECT, U8 },
	{ "bond", "fail_over_mac", IFLA_BOND_FAIL_OVER_MAC, U8 },
	{ "bond", "xmit_hash_policy", IFLA_BOND_XMIT_HASH_POLICY, U8 },
	{ "bond", "resend_igmp", IFLA_BOND_RESEND_IGMP, U32 },
	{ "bond", "num_grat_arp", IFLA_BOND_NUM_PEER_NOTIF, U8 },
	{ "bond", "all_slaves_active", IFLA_BOND_ALL_SLAVES_ACTIVE, U8 },
	{ "bond", "min_links", IFLA_BOND_MIN_LINKS, U32 },
	{ "bond", "lp_interval", IFLA_BOND_LP_INTERVAL, U32 },
	{ "bond", "packets_per_slave", IFLA_BOND_PACKETS_PER_SLAVE, U32 },
	{ "bond", "broadcast_neighbor", IFLA_BOND_COUPLED_CONTROL + 1, U8 },
	{ "bond_slave", "queue_id", IFLA_BOND_SLAVE_QUEUE_ID, U16 },
	{ "bond_slave", "prio", IFLA_BOND_SLAVE_PRIO, S32 },
};

static char request[8192];

static struct rtattr *put(int type, const void *data, int size)
{
	struct nlmsghdr *head = (void *)request;
	struct rtattr *attr = (void *)(request + NLMSG_ALIGN(head->nlmsg_len));

	attr->rta_type = type;
	attr->rta_len = RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(attr), data, size);
	head->nlmsg_len = NLMSG_ALIGN(head->nlmsg_len) + RTA_ALIGN(attr->rta_len);
	return attr;
}

static void end_nest(struct rtattr *attr)
{
	struct nlmsghdr *head = (void *)request;

	attr->rta_len = request + head->nlmsg_len - (char *)attr;
}

static int index_of(const char *name)
{
	int index = strcmp(name, "none") ? if_nametoindex(name) : 0;

	if (!index && strcmp(name, "none"))
		die("there is no device %s", name);
	return index;
}

static void put_setting(const struct setting *setting, const char *value)
{
	struct ifinfomsg *link = NLMSG_DATA(request);
	unsigned long number = strtoul(value, NULL, 0);
	unsigned char bytes[32];
	struct rtattr *nest;
	int size = 0;

	switch (setting->kind) {
	case U8:
		bytes[0] = number;
		put(setting->type, bytes, 1);
		break;
	case U16:
		put(setting->type, &(unsigned short){ number }, 2);
		break;
	case S32:
	case U32:
		put(setting->type, &(unsigned int){ number }, 4);
		break;
	case U64:
		put(setting->type, &number, 8);
		break;
	case INDEX:
		put(setting->type, &(int){ index_of(value) }, 4);
		break;
	case IP4:
	case IP6:
		nest = put(setting->type | NLA_F_NESTED, NULL, 0);
		if (*value) {
			if (inet_pton(setting->kind == IP4 ? AF_INET : AF_INET6, value, bytes) != 1)
				die("%s is no address", value);
			put(0, bytes, setting->kind == IP4 ? 4 : 16);
		}
		end_nest(nest);
		break;
	case ADDRESS:
		for (const char *at = value; *at && size < 32; at += 3) {
			bytes[size++] = strtoul(at, NULL, 16);
			if (!at[1] || !at[2])
				break;
		}
		put(setting->type, bytes, size);
		break;
	case STRING:
		put(setting->type, value, strlen(value) + 1);
		break;
	case FLAGS:
		link->ifi_change = IFF_UP | IFF_PROMISC | IFF_ALLMULTI;
		link->ifi_flags = number;
		break;
	}
}

/* Puts those settings that are of this kind; tells how many there were. */
static int put_settings(const char *of, int argc, char **argv)
{
	int done = 0;

	for (int i = 0; i < argc; i++) {
		const char *equals = strchr(argv[i], '=');

		for (size_t j = 0; equals && j < sizeof(settings) / sizeof(settings[0]); j++)
			if (!strcmp(settings[j].of, of) &&
			    strlen(settings[j].name) == (size_t)(equals - argv[i]) &&
			    !strncmp(settings[j].name, argv[i], equals - argv[i])) {
				put_setting(&settings[j], equals + 1);
				done++;
			}
	}
	return done;
}

static void make_request(const struct call *call)
{
	struct nlmsghdr *head = (void *)request;
	struct ifinfomsg *link = NLMSG_DATA(head);
	const char *verb = call->argv[0], *device = call->argv[1], *kind = NULL;
	int argc = call->argc - 2, wanted;
	char **argv = call->argv + 2;
	struct rtattr *info, *data;

	memset(request, 0, sizeof(request));
	head->nlmsg_len = NLMSG_LENGTH(sizeof(*link));
	head->nlmsg_type = strcmp(verb, "del") ? RTM_NEWLINK : RTM_DELLINK;
	head->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if (!strcmp(verb, "add")) {
		head->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
		put(IFLA_IFNAME, device, strlen(device) + 1);
	} else {
		link->ifi_index = index_of(device);
	}
	if (argc && !strchr(argv[0], '=')) {
		kind = argv[0];
		argc--;
		argv++;
	}
	wanted = argc - put_settings("", argc, argv);
	if (kind || !strcmp(verb, "slave")) {
		info = put(IFLA_LINKINFO, NULL, 0);
		if (kind) {
			put(IFLA_INFO_KIND, kind, strlen(kind));
			data = put(IFLA_INFO_DATA, NULL, 0);
			wanted -= put_settings(kind, argc, argv);
		} else {
			put(IFLA_INFO_SLAVE_KIND, "bond", 4);
			data = put(IFLA_INFO_SLAVE_DATA, NULL, 0);
			wanted -= put_settings("bond_slave", argc, argv);
		}
		end_nest(data);
		end_nest(info);
	}
	if (wanted)
		die("%s %s: %d unknown settings", verb, device, wanted);
}

enum { LOST = -1000 };	/* nobody knows what the call returned */

static int fail_nth_file = -1, first_netns = -1;

static void arm(unsigned int nth)
{
	char number[16];
	int length = snprintf(number, sizeof(number), "%u", nth);

	if (pwrite(fail_nth_file, number, length, 0) != length)
		die("cannot write fail-nth: %s", strerror(errno));
}

/* What is left of the number: none when an allocation has failed. */
static unsigned int disarm(void)
{
	char number[16] = "";

	if (pread(fail_nth_file, number, sizeof(number) - 1, 0) < 0)
		die("cannot read fail-nth: %s", strerror(errno));
	arm(0);
	return atoi(number);
}

/* Makes the call, with the nth allocation failing, if nth is not 0. Returns 0 or an errno. */
static int make(const struct call *call, unsigned int nth, int *injected)
{
	const char *verb = call->argv[0];
	int res, fd = -1, left = 0;

	if (!strcmp(verb, "write")) {
		char line[256];
		int length = snprintf(line, sizeof(line), "%s\n", call->argv[2]);

		fd = open(call->argv[1], O_WRONLY);
		if (fd < 0)
			die("cannot open %s: %s", call->argv[1], strerror(errno));
		if (nth)
			arm(nth);
		res = write(fd, line, length) < 0 ? errno : 0;
	} else if (!strcmp(verb, "netns")) {
		if (nth)
			arm(nth);
		res = unshare(CLONE_NEWNET) < 0 ? errno : 0;
		left = !res;
	} else if (!strcmp(verb, "enslave") || !strcmp(verb, "release") || !strcmp(verb, "activate")) {
		struct ifreq ask = { 0 };
		unsigned long number = *verb == 'e' ? SIOCBONDENSLAVE :
				       *verb == 'r' ? SIOCBONDRELEASE : SIOCBONDCHANGEACTIVE;

		fd = socket(AF_INET, SOCK_DGRAM, 0);
		strncpy(ask.ifr_name, call->argv[1], IFNAMSIZ - 1);
		strncpy(ask.ifr_slave, call->argv[2], IFNAMSIZ - 1);
		if (nth)
			arm(nth);
		res = ioctl(fd, number, &ask) < 0 ? errno : 0;
	} else {
		struct nlmsghdr *head = (void *)request;

		make_request(call);
		head->nlmsg_seq = ++sequence;
		if (nth)
			arm(nth);
		res = send(route, request, head->nlmsg_len, 0) < 0 ? errno : 0;
	}
	if (nth)
		*injected = disarm() == 0;
	if (left && setns(first_netns, CLONE_NEWNET) < 0)
		die("cannot return to the first namespace: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	while (!res && fd < 0 && strcmp(verb, "netns")) {
		struct nlmsghdr *head = (void *)answer;
		int length = recv(route, answer, sizeof(answer), 0);

		/* The kernel had no memory for the answer. */
		if (length < 0 && errno == ENOBUFS)
			return LOST;
		if (length < 0)
			die("no answer: %s", strerror(errno));
		if (head->nlmsg_seq == sequence && head->nlmsg_type == NLMSG_ERROR)
			return -((struct nlmsgerr *)NLMSG_DATA(head))->error;
	}
	return res;
}

static void show_call(const struct call *call)
{
	for (int i = 0; i < call->argc; i++)
		printf(" %s", call->argv[i]);
}

static void must(const struct call *call)
{
	int res = make(call, 0, NULL);

	if (!res)
		return;
	printf("  without a fault:");
	show_call(call);
	printf(": %s\n", strerror(res));
	exit(1);
}

/* ---- who wanted the memory, from the kernel log ---- */

static int kmsg = -1;
static char stack[STACK_MAX][128];
static int stack_depth;

/* Reads what the log has got: the functions of the last failure that was forced. */
static void read_log(void)
{
	static char record[8192];
	int in_trace = 0, length;

	stack_depth = 0;
	for (;;) {
		char *line, *end, *plus;

		length = read(kmsg, record, sizeof(record) - 1);
		if (length < 0 && errno == EPIPE)
			continue;
		if (length <= 0)
			return;
		record[length] = 0;
		line = strchr(record, ';');
		if (!line++)
			continue;
		end = strchr(line, '\n');
		if (end)
			*end = 0;
		if (strstr(line, "forcing a failure")) {
			stack_depth = 0;
			in_trace = 0;
		} else if (strstr(line, "<TASK>") || strstr(line, "Call Trace")) {
			in_trace = 1;
		} else if (strstr(line, "</TASK>")) {
			in_trace = 0;
		} else if (in_trace && stack_depth < STACK_MAX) {
			line += strspn(line, " ?");
			plus = strchr(line, '+');
			if (plus && !strchr(line, ':'))
				snprintf(stack[stack_depth++], sizeof(stack[0]), "%.*s%s", (int)(plus - line), line,
					 strstr(plus, "[bonding]") ? " [bonding]" : "");
		}
	}
}

static int stack_has(const char *function)
{
	for (int i = 0; i < stack_depth; i++)
		if (strstr(stack[i], function))
			return 1;
	return 0;
}

/* ---- the loop ---- */

static const char *allowed[32];	/* FUNCTION=LINE: see -a */
static int allowed_count, allowed_used[32];

static struct state seen;

/* A failure that the kernel keeps to itself: FUNCTION was in the stack, and all that differs has LINE. */
static int is_allowed(const struct state *expected)
{
	for (int k = 0; k < allowed_count; k++) {
		const char *line = strchr(allowed[k], '=') + 1;
		char function[128];
		int i = 0, j = 0, ok = 1;

		snprintf(function, sizeof(function), "%.*s", (int)(line - 1 - allowed[k]), allowed[k]);
		if (!stack_has(function))
			continue;
		while (ok && (i < expected->lines || j < seen.lines)) {
			int order = i == expected->lines ? 1 : j == seen.lines ? -1 :
				    strcmp(expected->line[i], seen.line[j]);

			if (order && !strstr(order < 0 ? expected->line[i] : seen.line[j], line))
				ok = 0;
			i += order <= 0;
			j += order >= 0;
		}
		if (ok) {
			allowed_used[k]++;
			return 1;
		}
	}
	return 0;
}

/* Waits until everything is as expected: 1, or 2 if it will not be, and need not. */
static int becomes(const struct state *expected)
{
	static struct state last;
	long begin = now_ms(), since = begin;
	struct state swap;

	for (;;) {
		look(&seen);
		if (!differ(expected, &seen, 0))
			return 1;
		if (differ(&last, &seen, 0))
			since = now_ms();
		if (now_ms() - since > SETTLED_MS && is_allowed(expected))
			return 2;
		if (now_ms() - begin > PATIENCE_MS)
			return 0;
		swap = last, last = seen, seen = swap;
		rest(10);
	}
}

static void complain(unsigned int nth, const char *what, const struct state *expected)
{
	printf("  allocation %u: %s\n", nth, what);
	printf("    for:");
	for (int i = 0; i < stack_depth; i++)
		printf(" %s", stack[i]);
	printf("\n");
	if (expected)
		differ(expected, &seen, 1);
}

int main(int argc, char **argv)
{
	/* Without the texts of attributes, and with them. */
	static struct state befores[2], afters[2];
	struct state *before = &befores[1], *after = &afters[1];
	struct call calls[MAX_CALLS] = { { 0 } };
	unsigned int points = 0, refused = 0, succeeded = 0, lost = 0, ours = 0, bad = 0, tolerated = 0;
	int count = 1, injected = 1, option;
	struct timeval patience = { 5, 0 };
	const char *name;

	while ((option = getopt(argc, argv, "+i:a:")) != -1) {
		if (option == 'i' && ignored_count < 32)
			ignored[ignored_count++] = optarg;
		else if (option == 'a' && allowed_count < 32 && strchr(optarg, '='))
			allowed[allowed_count++] = optarg;
		else
			die("usage: faults [-i TEXT]... [-a FUNCTION=TEXT]... NAME CALL [, CALL]...");
	}
	if (argc - optind < 2)
		die("a name and a call are needed");
	name = argv[optind++];
	calls[0].argv = argv + optind;
	for (; optind < argc; optind++)
		if (strcmp(argv[optind], ",")) {
			calls[count - 1].argc++;
		} else {
			if (count == MAX_CALLS)
				die("too many calls");
			calls[count++].argv = argv + optind + 1;
		}

	setvbuf(stdout, NULL, _IOLBF, 0);
	route = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	setsockopt(route, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(route, SOL_SOCKET, SO_RCVBUF, &(int){ 1 << 20 }, sizeof(int));
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	first_netns = open("/proc/self/ns/net", O_RDONLY);
	fail_nth_file = open("/proc/thread-self/fail-nth", O_RDWR);
	if (fail_nth_file < 0)
		die("this kernel injects no faults: /proc/thread-self/fail-nth: %s", strerror(errno));
	lseek(kmsg, 0, SEEK_END);

	/*
	 * What it is like without faults; the second time, since some things are only as they stay when they
	 * have happened once, such as the queueing discipline of a device that was opened.
	 */
	for (int i = 0; i < 3; i++) {
		look_at_texts = i != 1;
		before = &befores[look_at_texts];
		after = &afters[look_at_texts];
		settle(before);
		must(&calls[0]);
		settle(after);
		for (int j = 1; j < count; j++)
			must(&calls[j]);
	}
	if (!becomes(before)) {
		printf("%s: undoing it does not give what was:\n", name);
		differ(before, &seen, 1);
		return 1;
	}

	for (unsigned int nth = 1; injected; nth++) {
		int res, in_driver, good;

		look_at_texts = nth % TEXTS_EVERY == 1;
		before = &befores[look_at_texts];
		after = &afters[look_at_texts];
		res = make(&calls[0], nth, &injected);
		read_log();
		in_driver = injected && stack_has("[bonding]");
		points += injected;
		ours += in_driver;
		if (res == LOST) {
			/* It may have been done, or not. */
			lost++;
			settle(&seen);
			res = differ(before, &seen, 0) ? 0 : ENOMEM;
		}
		if (res) {
			refused++;
			good = becomes(before);
			tolerated += good == 2;
			if (!good) {
				char what[128];

				snprintf(what, sizeof(what), "refused (%s), but something has changed", strerror(res));
				complain(nth, what, before);
				bad++;
			}
			if (!injected)
				die("%s failed without a fault: %s", name, strerror(res));
			must(&calls[0]);
			if (!becomes(after)) {
				complain(nth, "the next try does not do all of it", after);
				bad++;
			}
		} else {
			succeeded += injected;
			good = becomes(after);
			tolerated += good == 2;
			if (!good) {
				complain(nth, "succeeded, but is not done", after);
				bad++;
			}
		}
		for (int j = 1; j < count; j++)
			must(&calls[j]);
		if (!becomes(before)) {
			complain(nth, "undoing it does not give what was", before);
			bad++;
			if (bad < 10) {
				/* What was is gone: go on from what is. */
				for (look_at_texts = 0; look_at_texts < 2; look_at_texts++)
					settle(&befores[look_at_texts]);
				continue;
			}
		}
		if (bad >= 10) {
			printf("%s: and so on\n", name);
			break;
		}
	}
	printf("%s: %u allocations failed, %u of them in the driver: %u times refused, %u times done", name, points, ours,
	       refused, succeeded);
	if (lost)
		printf(", %u answers lost", lost);
	if (tolerated) {
		printf("; allowed:");
		for (int i = 0; i < allowed_count; i++)
			if (allowed_used[i])
				printf(" %s %d times", allowed[i], allowed_used[i]);
	}
	/* Where nothing can fail, nothing was tried. */
	if (!points)
		bad++;
	printf("%s\n", bad ? ": BAD" : "");
	return bad != 0;
}
