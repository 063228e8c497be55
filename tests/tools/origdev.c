// SPDX-License-Identifier: GPL-2.0
/*
 * Where a packet socket says that a frame came from.
 *
 *   origdev DEVICE TYPE 0|1 MARK_FILE
 *
 * Waits for one frame of TYPE (hexadecimal) on DEVICE, with PACKET_ORIGDEV or
 * without, and prints device, source address and type of its struct sockaddr_ll.
 * MARK_FILE is made when the socket is ready.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

int main(int argc, char **argv)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET };
	socklen_t len = sizeof(addr);
	char name[IF_NAMESIZE], frame[2048];
	int fd, on;

	if (argc != 5)
		return 2;
	on = atoi(argv[3]);
	addr.sll_protocol = htons(strtoul(argv[2], NULL, 16));
	addr.sll_ifindex = if_nametoindex(argv[1]);
	fd = socket(AF_PACKET, SOCK_RAW, addr.sll_protocol);
	if (fd < 0 || bind(fd, (void *)&addr, sizeof(addr)))
		die(argv[1]);
	if (setsockopt(fd, SOL_PACKET, PACKET_ORIGDEV, &on, sizeof(on)))
		die("PACKET_ORIGDEV");
	if (open(argv[4], O_CREAT | O_WRONLY, 0600) < 0)
		die(argv[4]);
	if (recvfrom(fd, frame, sizeof(frame), 0, (void *)&addr, &len) < 0)
		die("recvfrom");
	printf("%s %02x:%02x:%02x:%02x:%02x:%02x %x\n", if_indextoname(addr.sll_ifindex, name),
	       addr.sll_addr[0], addr.sll_addr[1], addr.sll_addr[2], addr.sll_addr[3],
	       addr.sll_addr[4], addr.sll_addr[5], ntohs(addr.sll_protocol));
	return 0;
}
