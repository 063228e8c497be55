#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# modules: ours intree
# guest: --cpus 1
# timeout: 300
#
# RDMA over a bond (soft RoCE): the GID table follows the bond.

. "${BASH_SOURCE[0]%/*}/bond.sh"

setup() {
	loaded || modprobe bonding max_bonds=0
	modprobe rdma_rxe
}

GIDS=/sys/class/infiniband/rxe0/ports/1/gids

test_gid_table_has_the_address() {
	make_links veth a0 b0
	make_bond b7 mode active-backup miimon 100
	enslave b7 a0 b0
	rdma link add rxe0 type rxe netdev b7
	wait_for 5 "the GID of $OUR4" grep -qi "ffff:c000:0201" -r $GIDS
	rdma link delete rxe0
}

ktap_main "$@"
