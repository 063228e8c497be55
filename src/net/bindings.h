/* SPDX-License-Identifier: GPL-2.0 */
/* What bindgen reads: the C headers that the crate wraps, and the helpers. */

#include <generated/utsrelease.h>
#include <linux/bpf.h>
#include <linux/debugfs.h>
#include <linux/ethtool.h>
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/if_vlan.h>
#include <linux/mii.h>
#include <linux/moduleparam.h>
#include <linux/net_tstamp.h>
#include <linux/netdevice.h>
#include <linux/netpoll.h>
#include <linux/proc_fs.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include <linux/skbuff.h>
#include <linux/sockios.h>
#include <linux/workqueue.h>
#include <net/arp.h>
#include <net/flow_dissector.h>
#include <net/lag.h>
#include <net/neighbour.h>
#include <net/net_namespace.h>
#include <net/netlink.h>
#include <net/netns/generic.h>
#include <net/rtnetlink.h>
#include <net/sch_generic.h>
#include <net/xdp.h>
#include <net/xfrm.h>
#include <uapi/linux/netdev.h>

#include "bonding/bindings.h"
#include "helpers.h"
