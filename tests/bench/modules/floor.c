// SPDX-License-Identifier: GPL-2.0
/*
 * The floor of the benchmark: network devices on top of others that hand each packet over and do
 * nothing else (`ip link add NAME type KIND`, `ip link set LOWER master NAME`).
 *
 *   floor       sends through its only lower device
 *   floor_all   sends a copy through each
 *
 * What a lower device receives, the upper one receives. No device that is stacked on another one can
 * cost less, so what a driver costs above this is its own.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <net/rtnetlink.h>

#define MAX_LOWERS 16

struct floor {
	struct net_device __rcu *lower;
	/* For floor_all; changed only while the device is down. */
	struct net_device *all[MAX_LOWERS];
	unsigned int count;
};

static netdev_tx_t floor_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct floor *floor = netdev_priv(dev);
	struct net_device *lower = rcu_dereference_bh(floor->lower);

	if (unlikely(!lower)) {
		kfree_skb(skb);
		return NET_XMIT_DROP;
	}
	skb->dev = lower;
	return dev_queue_xmit(skb);
}

static netdev_tx_t floor_all_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct floor *floor = netdev_priv(dev);
	unsigned int last = floor->count - 1;

	if (unlikely(!floor->count)) {
		kfree_skb(skb);
		return NET_XMIT_DROP;
	}
	for (unsigned int i = 0; i < last; i++) {
		struct sk_buff *copy = skb_clone(skb, GFP_ATOMIC);

		if (unlikely(!copy))
			continue;
		copy->dev = floor->all[i];
		dev_queue_xmit(copy);
	}
	skb->dev = floor->all[last];
	return dev_queue_xmit(skb);
}

static rx_handler_result_t floor_receive(struct sk_buff **pskb)
{
	struct sk_buff *skb = *pskb;
	struct net_device *upper = rcu_dereference(skb->dev->rx_handler_data);

	/*
	 * A handler should check for other users of the packet. This one does not: there are none
	 * here, and the floor must cost less than everybody.
	 */
	skb->dev = upper;
	return RX_HANDLER_ANOTHER;
}

/* The device becomes what its lower device is, where that is not Ethernet. */
static void floor_become(struct net_device *dev, const struct net_device *lower)
{
	dev->header_ops = lower->header_ops;
	dev->type = lower->type;
	dev->hard_header_len = lower->hard_header_len;
	dev->needed_headroom = lower->needed_headroom;
	dev->addr_len = lower->addr_len;
	dev->mtu = lower->mtu;
	memcpy(dev->broadcast, lower->broadcast, lower->addr_len);
	__dev_addr_set(dev, lower->dev_addr, lower->addr_len);
}

static int floor_add(struct net_device *dev, struct net_device *lower,
		     struct netlink_ext_ack *extack)
{
	struct floor *floor = netdev_priv(dev);
	int err;

	if (netif_running(dev)) {
		NL_SET_ERR_MSG(extack, "The device is up: set it down before it gets a lower device");
		return -EBUSY;
	}
	if (floor->count == MAX_LOWERS) {
		NL_SET_ERR_MSG(extack, "The device has as many lower devices as it can have");
		return -ENOSPC;
	}
	err = netdev_rx_handler_register(lower, floor_receive, dev);
	if (err)
		return err;
	err = netdev_master_upper_dev_link(lower, dev, NULL, NULL, extack);
	if (err) {
		netdev_rx_handler_unregister(lower);
		return err;
	}
	if (dev->type != lower->type)
		floor_become(dev, lower);
	dev_open(lower, NULL);
	floor->all[floor->count++] = lower;
	rcu_assign_pointer(floor->lower, lower);
	return 0;
}

/*
 * Every stacked device tells its lower devices which VLANs are on top, for cards that filter them.
 */
static int floor_vlan_add(struct net_device *dev, __be16 protocol, u16 id)
{
	struct floor *floor = netdev_priv(dev);

	for (unsigned int i = 0; i < floor->count; i++)
		vlan_vid_add(floor->all[i], protocol, id);
	return 0;
}

static int floor_vlan_kill(struct net_device *dev, __be16 protocol, u16 id)
{
	struct floor *floor = netdev_priv(dev);

	for (unsigned int i = 0; i < floor->count; i++)
		vlan_vid_del(floor->all[i], protocol, id);
	return 0;
}

static int floor_del(struct net_device *dev, struct net_device *lower)
{
	struct floor *floor = netdev_priv(dev);

	/* Nobody uses the device after it has lost a lower device: it no longer sends. */
	dev_close(dev);
	RCU_INIT_POINTER(floor->lower, NULL);
	floor->count = 0;
	netdev_upper_dev_unlink(lower, dev);
	netdev_rx_handler_unregister(lower);
	return 0;
}

static const struct net_device_ops floor_ops = {
	.ndo_start_xmit = floor_xmit,
	.ndo_add_slave = floor_add,
	.ndo_del_slave = floor_del,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_vlan_rx_add_vid = floor_vlan_add,
	.ndo_vlan_rx_kill_vid = floor_vlan_kill,
};

static const struct net_device_ops floor_all_ops = {
	.ndo_start_xmit = floor_all_xmit,
	.ndo_add_slave = floor_add,
	.ndo_del_slave = floor_del,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_vlan_rx_add_vid = floor_vlan_add,
	.ndo_vlan_rx_kill_vid = floor_vlan_kill,
};

static void setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &floor_ops;
	dev->needs_free_netdev = true;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	dev->lltx = true;
	/* Like a bond: the lower device adds the tags. */
	dev->vlan_features = NETIF_F_SG | NETIF_F_HIGHDMA | NETIF_F_HW_CSUM;
	dev->features = dev->vlan_features | NETIF_F_HW_VLAN_CTAG_TX |
			NETIF_F_HW_VLAN_CTAG_FILTER;
	dev->hw_features = dev->features;
	dev->max_mtu = ETH_MAX_MTU;
	eth_hw_addr_random(dev);
}

static void setup_all(struct net_device *dev)
{
	setup(dev);
	dev->netdev_ops = &floor_all_ops;
}

static void dellink(struct net_device *dev, struct list_head *head)
{
	struct net_device *lower;
	struct list_head *place;

	while ((place = dev->adj_list.lower.next, lower = netdev_lower_get_next(dev, &place)))
		floor_del(dev, lower);
	unregister_netdevice_queue(dev, head);
}

static struct rtnl_link_ops kinds[] = {
	{ .kind = "floor", .priv_size = sizeof(struct floor), .setup = setup, .dellink = dellink },
	{ .kind = "floor_all", .priv_size = sizeof(struct floor), .setup = setup_all, .dellink = dellink },
};

static int on_event(struct notifier_block *block, unsigned long event, void *info)
{
	struct net_device *lower = netdev_notifier_info_to_dev(info), *dev;

	if (event != NETDEV_UNREGISTER)
		return NOTIFY_DONE;
	dev = netdev_master_upper_dev_get(lower);
	if (dev && (dev->netdev_ops == &floor_ops || dev->netdev_ops == &floor_all_ops))
		floor_del(dev, lower);
	return NOTIFY_DONE;
}

static struct notifier_block notifier = { .notifier_call = on_event };

static int __init floor_init(void)
{
	int err = register_netdevice_notifier(&notifier);

	if (err)
		return err;
	err = rtnl_link_register(&kinds[0]);
	if (err)
		goto out;
	err = rtnl_link_register(&kinds[1]);
	if (err)
		goto out_first;
	return 0;

out_first:
	rtnl_link_unregister(&kinds[0]);
out:
	unregister_netdevice_notifier(&notifier);
	return err;
}

static void __exit floor_exit(void)
{
	rtnl_link_unregister(&kinds[1]);
	rtnl_link_unregister(&kinds[0]);
	unregister_netdevice_notifier(&notifier);
}

module_init(floor_init);
module_exit(floor_exit);
MODULE_DESCRIPTION("Stacked network devices that hand packets over and do nothing else");
MODULE_LICENSE("GPL");
