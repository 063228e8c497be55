// SPDX-License-Identifier: GPL-2.0
/*
 * The bonding ioctls, one per call, as ifenslave and mii-tool made them.
 *
 *   bondioctl [-o] enslave|release|activate BOND SLAVE
 *   bondioctl [-o] setaddress BOND SLAVE    the bond takes the slave's address
 *   bondioctl [-o] info BOND                mode, number of slaves, miimon
 *   bondioctl [-o] slave BOND NUMBER        name, link, state, failures
 *   bondioctl phy BOND
 *   bondioctl reg BOND PHY REGISTER
 *
 * -o uses the numbers from before Linux 2.4 (SIOCDEVPRIVATE and up).
 */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_bonding.h>
#include <linux/mii.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct call {
	const char *name;
	unsigned long number, old_number;
} calls[] = {
	{ "enslave",	SIOCBONDENSLAVE,	BOND_ENSLAVE_OLD },
	{ "release",	SIOCBONDRELEASE,	BOND_RELEASE_OLD },
	{ "setaddress",	SIOCBONDSETHWADDR,	BOND_SETHWADDR_OLD },
	{ "slave",	SIOCBONDSLAVEINFOQUERY,	BOND_SLAVE_INFO_QUERY_OLD },
	{ "info",	SIOCBONDINFOQUERY,	BOND_INFO_QUERY_OLD },
	{ "activate",	SIOCBONDCHANGEACTIVE,	BOND_CHANGE_ACTIVE_OLD },
	{ "phy",	SIOCGMIIPHY,		0 },
	{ "reg",	SIOCGMIIREG,		0 },
};

static int usage(void)
{
	fprintf(stderr, "usage: bondioctl [-o] enslave|release|activate|setaddress BOND SLAVE |\n"
		"       info BOND | slave BOND NUMBER | phy BOND | reg BOND PHY REGISTER\n");
	return 2;
}

int main(int argc, char **argv)
{
	const struct call *call = NULL;
	struct ifreq request = { 0 };
	struct ifslave slave = { 0 };
	struct ifbond bond = { 0 };
	struct mii_ioctl_data *mii = (struct mii_ioctl_data *)&request.ifr_data;
	int old = argc > 1 && !strcmp(argv[1], "-o");
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	argv += old;
	argc -= old;
	if (argc < 3)
		return usage();
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(argv[1], calls[i].name))
			call = &calls[i];
	if (!call || (old && !call->old_number))
		return usage();

	strncpy(request.ifr_name, argv[2], IFNAMSIZ - 1);
	if (!strcmp(call->name, "info")) {
		request.ifr_data = (char *)&bond;
	} else if (!strcmp(call->name, "slave") && argc == 4) {
		slave.slave_id = atoi(argv[3]);
		request.ifr_data = (char *)&slave;
	} else if (!strcmp(call->name, "reg") && argc == 5) {
		mii->phy_id = atoi(argv[3]);
		mii->reg_num = atoi(argv[4]);
	} else if (strcmp(call->name, "phy")) {
		if (argc != 4)
			return usage();
		strncpy(request.ifr_slave, argv[3], IFNAMSIZ - 1);
	}

	if (ioctl(fd, old ? call->old_number : call->number, &request) < 0) {
		fprintf(stderr, "bondioctl: %s %s: %s\n", call->name, argv[2], strerror(errno));
		return 1;
	}
	if (!strcmp(call->name, "info"))
		printf("mode=%d slaves=%d miimon=%d\n", bond.bond_mode, bond.num_slaves,
		       bond.miimon);
	else if (!strcmp(call->name, "slave"))
		printf("name=%s link=%d state=%d failures=%u\n", slave.slave_name, slave.link,
		       slave.state, slave.link_failure_count);
	else if (!strcmp(call->name, "phy"))
		printf("phy=%d\n", mii->phy_id);
	else if (!strcmp(call->name, "reg"))
		printf("value=%d\n", mii->val_out);
	return 0;
}
