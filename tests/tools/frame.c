// SPDX-License-Identifier: GPL-2.0
/*
 * Raw frames: send some, or count those that a packet socket gets.
 *
 *   frame send DEVICE DESTINATION SOURCE TYPE COUNT [VLAN_ID]
 *   frame pour DEVICE DESTINATION SOURCE TYPE MS [CONTENT]  one every MS milliseconds, until SIGTERM
 *   frame write DEVICE DESTINATION SOURCE TYPE MS   the same as what a tap device receives, which has no carrier
 *   frame count DEVICE TYPE MARK_FILE       until SIGTERM, then prints the number
 *   frame join DEVICE GROUP                 joins an IPv4 group, until SIGTERM
 *
 * TYPE is hexadecimal, and so is CONTENT, what follows it; otherwise zeros do. A socket bound to one device and one type is an "exact
 * match" for the kernel: it also gets frames that no upper layer may see. "any"
 * as DEVICE binds to the type alone. MARK_FILE is created when the socket is
 * ready and then holds the count.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static volatile sig_atomic_t stop;

static void on_signal(int signo)
{
	(void)signo;
	stop = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "frame: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned int index_of(const char *device)
{
	unsigned int index = if_nametoindex(device);

	if (!index)
		die(device);
	return index;
}

static void parse_mac(const char *text, unsigned char *mac)
{
	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2],
		   &mac[3], &mac[4], &mac[5]) != 6) {
		fprintf(stderr, "frame: %s is not a hardware address\n", text);
		exit(2);
	}
}

static int packet_socket(unsigned int index, unsigned int type)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_ifindex = index,
		.sll_protocol = htons(type),
	};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0)
		die("socket");
	if (bind(fd, (struct sockaddr *)&to, sizeof(to)))
		die("bind");
	return fd;
}

static void parse_content(const char *text, unsigned char *content, size_t size)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i += 2) {
		if (i / 2 == size || sscanf(text + i, "%2hhx", &content[i / 2]) != 1) {
			fprintf(stderr, "frame: %s is not the content of a frame\n", text);
			exit(2);
		}
	}
}

static int tap_without_carrier(const char *device)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR), off = 0;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) || ioctl(fd, TUNSETCARRIER, &off))
		die(device);
	return fd;
}

/* A tap device that is not up yet takes no frame (EIO). */
static int send_frames(int fd, char **arg, int vlan, const char *content, int count, useconds_t interval)
{
	unsigned int type = strtoul(arg[3], NULL, 16);
	unsigned char frame[128] = { 0 };
	size_t size = content ? sizeof(frame) : 64;
	int at = 12;

	parse_mac(arg[1], frame);
	parse_mac(arg[2], frame + 6);
	if (vlan >= 0) {
		frame[at++] = ETH_P_8021Q >> 8;
		frame[at++] = ETH_P_8021Q & 0xff;
		frame[at++] = vlan >> 8;
		frame[at++] = vlan & 0xff;
	}
	frame[at++] = type >> 8;
	frame[at++] = type & 0xff;
	if (content)
		parse_content(content, frame + at, sizeof(frame) - at);
	while (count-- > 0 && !stop) {
		if (write(fd, frame, size) != (ssize_t)size && errno != EIO)
			die("send");
		if (interval)
			usleep(interval);
	}
	return 0;
}

static int count_frames(char **arg)
{
	unsigned int index = strcmp(arg[0], "any") ? index_of(arg[0]) : 0;
	int fd = packet_socket(index, strtoul(arg[1], NULL, 16));
	int mark = open(arg[2], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	unsigned char frame[2048];
	unsigned int count = 0;
	char text[16];
	int len;

	if (mark < 0)
		die(arg[2]);
	while (!stop) {
		len = snprintf(text, sizeof(text), "%06u\n", count);
		if (pwrite(mark, text, len, 0) != len)
			die(arg[2]);
		if (recv(fd, frame, sizeof(frame), 0) > 0)
			count++;
	}
	return 0;
}

static int join_group(const char *device, const char *group)
{
	struct ip_mreqn request = { .imr_ifindex = index_of(device) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || inet_pton(AF_INET, group, &request.imr_multiaddr) != 1 ||
	    setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)))
		die("join");
	while (!stop)
		pause();
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGTERM, &action, NULL);
	if ((argc == 7 || argc == 8) && !strcmp(argv[1], "send"))
		return send_frames(packet_socket(index_of(argv[2]), 0), argv + 2, argc == 8 ? atoi(argv[7]) : -1,
				   NULL, atoi(argv[6]), 0);
	if ((argc == 7 || argc == 8) && !strcmp(argv[1], "pour"))
		return send_frames(packet_socket(index_of(argv[2]), 0), argv + 2, -1, argc == 8 ? argv[7] : NULL,
				   INT_MAX, atoi(argv[6]) * 1000);
	if (argc == 7 && !strcmp(argv[1], "write"))
		return send_frames(tap_without_carrier(argv[2]), argv + 2, -1, NULL, INT_MAX, atoi(argv[6]) * 1000);
	if (argc == 5 && !strcmp(argv[1], "count"))
		return count_frames(argv + 2);
	if (argc == 4 && !strcmp(argv[1], "join"))
		return join_group(argv[2], argv[3]);
	fprintf(stderr, "usage: frame send DEVICE DESTINATION SOURCE TYPE COUNT [VLAN_ID] | "
		"frame pour DEVICE DESTINATION SOURCE TYPE MS [CONTENT] | "
		"frame write DEVICE DESTINATION SOURCE TYPE MS | "
		"frame count DEVICE TYPE MARK_FILE | frame join DEVICE GROUP\n");
	return 2;
}
