// SPDX-License-Identifier: GPL-2.0
/*
 * Changes the link type of a tap device, as programs do that use one for another kind of link (TUNSETLINK).
 *
 *   linktype DEVICE TYPE     TYPE is an ARPHRD_*, such as 1 for Ethernet
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static void die(const char *what)
{
	fprintf(stderr, "linktype: %s: %s\n", what, strerror(errno));
	exit(1);
}

int main(int argc, char **argv)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd;

	if (argc != 3)
		return 2;
	strncpy(request.ifr_name, argv[1], IFNAMSIZ - 1);
	fd = open("/dev/net/tun", O_RDWR);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request))
		die(argv[1]);
	if (ioctl(fd, TUNSETLINK, strtoul(argv[2], NULL, 0)))
		die("TUNSETLINK");
	return 0;
}
