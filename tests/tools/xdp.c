// SPDX-License-Identifier: GPL-2.0
/*
 * XDP programs of a few instructions, and what a device says it can do with XDP.
 *
 *   xdp pin KIND PATH [DEVICE]     loads a program and pins it in a BPF file system
 *   xdp features DEVICE            NETDEV_XDP_ACT_*, as one hexadecimal number
 *   xdp dissector on|off           has a program take flows apart in this network namespace, which finds none
 *
 * KIND is pass, drop, tx (send it back), or redirect (send it out of DEVICE).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/netdev.h, which the headers of the system may lack */
enum { NETDEV_DEV_GET = 1, NETDEV_IFINDEX = 1, NETDEV_XDP_FEATURES = 3 };

static void die(const char *what)
{
	fprintf(stderr, "xdp: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct bpf_insn set(int reg, int value)
{
	return (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = reg, .imm = value };
}

static int load(int type, int attach_type, const struct bpf_insn *program, unsigned int len)
{
	union bpf_attr attr = {};
	static char log[4096];
	int fd;

	attr.prog_type = type;
	attr.expected_attach_type = attach_type;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = len;
	attr.license = (uintptr_t) "GPL";
	attr.log_buf = (uintptr_t)log;
	attr.log_size = sizeof(log);
	attr.log_level = 1;
	fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0) {
		fputs(log, stderr);
		die("BPF_PROG_LOAD");
	}
	return fd;
}

static void pin(const char *kind, const char *path, const char *device)
{
	struct bpf_insn program[4];
	union bpf_attr attr = {};
	unsigned int len = 0;
	int fd;

	if (!strcmp(kind, "redirect")) {
		program[len++] = set(BPF_REG_1, if_nametoindex(device));
		program[len++] = set(BPF_REG_2, 0);
		program[len++] = (struct bpf_insn){ .code = BPF_JMP | BPF_CALL,
						    .imm = BPF_FUNC_redirect };
	} else {
		program[len++] = set(BPF_REG_0, !strcmp(kind, "pass") ? XDP_PASS :
						!strcmp(kind, "tx")   ? XDP_TX :
									XDP_DROP);
	}
	program[len++] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };

	fd = load(BPF_PROG_TYPE_XDP, 0, program, len);
	attr.pathname = (uintptr_t)path;
	attr.bpf_fd = fd;
	if (syscall(SYS_bpf, BPF_OBJ_PIN, &attr, sizeof(attr)))
		die(path);
}

/* The program that this namespace has: to be detached, it has to be shown. */
static int attached_dissector(void)
{
	union bpf_attr attr = {};
	uint32_t id = 0;
	int fd;

	attr.query.target_fd = open("/proc/self/ns/net", O_RDONLY);
	attr.query.attach_type = BPF_FLOW_DISSECTOR;
	attr.query.prog_ids = (uintptr_t)&id;
	attr.query.prog_cnt = 1;
	if (syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)))
		die("BPF_PROG_QUERY");
	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	fd = syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &attr, sizeof(attr));
	if (fd < 0)
		die("BPF_PROG_GET_FD_BY_ID");
	return fd;
}

static void dissector(int on)
{
	struct bpf_insn program[] = {
		set(BPF_REG_0, BPF_DROP),
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {};

	attr.attach_type = BPF_FLOW_DISSECTOR;
	attr.attach_bpf_fd = on ? load(BPF_PROG_TYPE_FLOW_DISSECTOR, BPF_FLOW_DISSECTOR, program, 2) :
				  attached_dissector();
	if (syscall(SYS_bpf, on ? BPF_PROG_ATTACH : BPF_PROG_DETACH, &attr, sizeof(attr)))
		die(on ? "BPF_PROG_ATTACH" : "BPF_PROG_DETACH");
}

struct message {
	struct nlmsghdr nl;
	struct genlmsghdr genl;
	char attrs[8192];
};

static const void *request(int fd, struct message *message, int family, int command, int type,
			   const void *data, size_t len, int wanted)
{
	struct nlattr *attr = (void *)message->attrs;
	size_t left;

	memset(message, 0, sizeof(*message));
	message->nl.nlmsg_type = family;
	message->nl.nlmsg_flags = NLM_F_REQUEST;
	message->genl.cmd = command;
	message->genl.version = 1;
	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + len;
	memcpy(message->attrs + NLA_HDRLEN, data, len);
	message->nl.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN + NLA_ALIGN(attr->nla_len);
	if (send(fd, message, message->nl.nlmsg_len, 0) < 0)
		die("send");
	if (recv(fd, message, sizeof(*message), 0) < (ssize_t)NLMSG_HDRLEN)
		die("recv");
	if (message->nl.nlmsg_type == NLMSG_ERROR) {
		errno = -((struct nlmsgerr *)NLMSG_DATA(&message->nl))->error;
		die("netlink");
	}
	for (left = message->nl.nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN;
	     left >= NLA_HDRLEN && attr->nla_len >= NLA_HDRLEN && attr->nla_len <= left;
	     left -= NLA_ALIGN(attr->nla_len),
	     attr = (void *)((char *)attr + NLA_ALIGN(attr->nla_len))) {
		if ((attr->nla_type & NLA_TYPE_MASK) == wanted)
			return (char *)attr + NLA_HDRLEN;
		if (NLA_ALIGN(attr->nla_len) >= left)
			break;
	}
	errno = ENOENT;
	die("an attribute of the answer");
	return NULL;
}

static void features(const char *device)
{
	static struct message message;
	uint32_t index = if_nametoindex(device);
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC), family;
	uint64_t bits;

	family = *(const uint16_t *)request(fd, &message, GENL_ID_CTRL, CTRL_CMD_GETFAMILY,
					    CTRL_ATTR_FAMILY_NAME, "netdev", sizeof("netdev"),
					    CTRL_ATTR_FAMILY_ID);
	memcpy(&bits,
	       request(fd, &message, family, NETDEV_DEV_GET, NETDEV_IFINDEX, &index, sizeof(index),
		       NETDEV_XDP_FEATURES),
	       sizeof(bits));
	printf("%llx\n", (unsigned long long)bits);
}

int main(int argc, char **argv)
{
	if (argc >= 4 && !strcmp(argv[1], "pin"))
		pin(argv[2], argv[3], argc > 4 ? argv[4] : "");
	else if (argc == 3 && !strcmp(argv[1], "features"))
		features(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "dissector"))
		dissector(!strcmp(argv[2], "on"));
	else
		return 2;
	return 0;
}
