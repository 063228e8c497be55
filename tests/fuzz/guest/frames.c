// SPDX-License-Identifier: GPL-2.0
/*
 * Frames for packet sockets: as they are, cut at every length, or with some bytes changed. The first
 * `linear` bytes lie in one piece, the rest in pages, as a card with scattered buffers delivers them.
 */
#include "fuzz.h"
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static int sockets[2] = { -1, -1 };
unsigned long frames_sent, frames_refused;

void frames_open(enum where where)
{
	int on = 1;

	sockets[where] = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (sockets[where] < 0 || setsockopt(sockets[where], SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)))
		broken("packet socket");
}

static int index_of(int fd, const char *name)
{
	struct ifreq request = { 0 };

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	return ioctl(fd, SIOCGIFINDEX, &request) ? 0 : request.ifr_ifindex;
}

/* -- pseudo-random numbers: splitmix64, the same on every machine ----------------------- */

static uint64_t state;

static uint32_t draw(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return (z ^ (z >> 31)) >> 16;
}

static void send_one(int fd, int index, struct virtio_net_hdr *header, unsigned int linear,
		     const unsigned char *frame, size_t len)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = index };
	struct iovec parts[] = { { header, sizeof(*header) }, { (void *)frame, len } };
	struct msghdr message = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = parts, .msg_iovlen = 2,
	};

	if (header->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		header->hdr_len = linear < len ? linear : len;
	if (len >= ETH_HLEN) {
		uint16_t protocol;

		memcpy(&protocol, frame + 12, sizeof(protocol));
		to.sll_protocol = protocol;
	}
	/* The frame may be too long, the device may be down, or there may be no room. */
	if (sendmsg(fd, &message, MSG_DONTWAIT) >= 0)
		frames_sent++;
	else
		frames_refused++;
}

void frames_send(enum where where, const char *name, const char *how, unsigned int seed,
		 unsigned int count, unsigned int linear, const unsigned char *frame, size_t len)
{
	static unsigned char changed[MOST_BYTES];
	struct virtio_net_hdr header = { 0 };
	int fd = sockets[where], index = index_of(fd, name);

	if (!index)
		return;
	state = seed;
	if (!strcmp(how, "once")) {
		send_one(fd, index, &header, linear, frame, len);
	} else if (!strcmp(how, "cut")) {
		for (size_t cut = 0; cut <= len; cut++)
			send_one(fd, index, &header, linear, frame, cut);
	} else if (!strcmp(how, "flip")) {
		/* The addresses stay: a frame for another host would be ignored. */
		while (count-- && len > 12) {
			memcpy(changed, frame, len);
			for (unsigned int flips = 1 + draw() % 4; flips; flips--) {
				unsigned char *byte = &changed[12 + draw() % (len - 12)];

				*byte = draw() % 3 ? draw() : *byte ^ 1u << draw() % 8;
			}
			send_one(fd, index, &header, linear, changed, draw() % 4 ? len : draw() % (len + 1));
		}
	} else if (!strcmp(how, "gso")) {
		/* Segmentation and checksum are left to the device; `count` is the size, `linear` the headers. */
		header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		header.gso_type = seed;
		header.gso_size = count;
		header.hdr_len = linear;
		header.csum_start = linear < 54 ? 34 : 54;
		header.csum_offset = seed == VIRTIO_NET_HDR_GSO_UDP ? 6 : 16;
		send_one(fd, index, &header, linear, frame, len);
	}
}
