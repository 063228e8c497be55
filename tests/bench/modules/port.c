// SPDX-License-Identifier: GPL-2.0
/*
 * Ports for LACP (`ip link add NAME type port`): Ethernet devices with a speed, full duplex, and
 *
 *   /sys/class/net/NAME/port/peer      the name of another port is written: a cable joins the two. The other end
 *                                      may move to another network namespace afterwards
 *   /sys/class/net/NAME/port/link      0: the cable is cut, and both ends lose their carrier at once
 *   /sys/class/net/NAME/port/silent    1: the cable carries nothing, in either direction, and nobody is told
 *
 * A port without a cable leads to a partner that answers each LACPDU at once, and agrees with it. Data end there.
 *
 *   /sys/class/net/NAME/port/state     what the partner says of itself, in hexadecimal; it says so at once. While
 *                                      it is not in sync, data that arrive are "late"
 *   /sys/class/net/NAME/port/arrivals  "LATE FIRST LAST": the number of late packets, and the times at which the
 *                                      first and the last one that was not late have arrived, in nanoseconds of
 *                                      the monotonic clock; counted since this file was written to
 */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <net/netdev_lock.h>
#include <net/rtnetlink.h>

#include "../tools/lacpdu.h"

struct port {
	struct net_device __rcu *peer;
	bool cut;
	bool silent;
	bool watched;
	u8 state;
	/* Protects what has been heard. */
	spinlock_t lock;
	bool has_heard;
	unsigned char heard[LACPDU_FRAME];
	unsigned int late;
	u64 first;
	u64 last;
};

static const struct net_device_ops port_ops;

/* Has the partner say what it is. The caller holds the lock. */
static void partner_speaks(struct net_device *dev)
{
	struct port *port = netdev_priv(dev);
	struct sk_buff *skb;

	if (!port->has_heard || !netif_carrier_ok(dev))
		return;
	skb = netdev_alloc_skb_ip_align(dev, LACPDU_FRAME);
	if (!skb)
		return;
	answer_lacpdu(skb_put_data(skb, port->heard, LACPDU_FRAME), dev->ifindex, port->state);
	skb->protocol = eth_type_trans(skb, dev);
	netif_rx(skb);
}

static noinline void partner_hears(struct net_device *dev, const struct sk_buff *skb)
{
	struct port *port = netdev_priv(dev);

	spin_lock_bh(&port->lock);
	if (!skb_copy_bits(skb, 0, port->heard, LACPDU_FRAME)) {
		port->has_heard = true;
		partner_speaks(dev);
	}
	spin_unlock_bh(&port->lock);
}

static noinline void note_arrival(struct port *port)
{
	if (!(READ_ONCE(port->state) & STATE_SYNC)) {
		port->late++;
		return;
	}
	port->last = ktime_get_ns();
	if (!port->first)
		port->first = port->last;
}

static netdev_tx_t port_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct port *port = netdev_priv(dev);
	struct net_device *peer = rcu_dereference_bh(port->peer);

	dev_lstats_add(dev, skb->len);
	if (peer) {
		if (READ_ONCE(port->silent) || !netif_carrier_ok(dev))
			dev_kfree_skb(skb);
		else
			dev_forward_skb(peer, skb);
		return NETDEV_TX_OK;
	}
	if (unlikely(is_lacpdu(skb->data, skb_headlen(skb))))
		partner_hears(dev, skb);
	else if (unlikely(port->watched))
		note_arrival(port);
	dev_kfree_skb(skb);
	return NETDEV_TX_OK;
}

static struct net_device *other_end(struct net_device *dev)
{
	struct port *port = netdev_priv(dev);

	return rtnl_dereference(port->peer);
}

/* Both ends have carrier if both are up and the cable is whole. Under RTNL. */
static void update_carrier(struct net_device *dev)
{
	struct port *port = netdev_priv(dev);
	struct net_device *peer = other_end(dev);

	if (!port->cut && netif_running(dev) && (!peer || netif_running(peer))) {
		netif_carrier_on(dev);
		if (peer)
			netif_carrier_on(peer);
	} else {
		netif_carrier_off(dev);
		if (peer)
			netif_carrier_off(peer);
	}
}

static int port_open(struct net_device *dev)
{
	update_carrier(dev);
	return 0;
}

/* The core has taken the mark of a running device away already. */
static int port_stop(struct net_device *dev)
{
	update_carrier(dev);
	return 0;
}

static int port_init(struct net_device *dev)
{
	struct port *port = netdev_priv(dev);

	dev->pcpu_stat_type = NETDEV_PCPU_STAT_LSTATS;
	netdev_lockdep_set_classes(dev);
	spin_lock_init(&port->lock);
	port->state = STATE_AGREES;
	netif_carrier_off(dev);
	return 0;
}

static void port_uninit(struct net_device *dev)
{
	struct port *port = netdev_priv(dev), *far;
	struct net_device *peer = other_end(dev);

	if (!peer)
		return;
	far = netdev_priv(peer);
	RCU_INIT_POINTER(far->peer, NULL);
	RCU_INIT_POINTER(port->peer, NULL);
	netif_carrier_off(peer);
}

static void port_stats(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	dev_lstats_read(dev, &stats->tx_packets, &stats->tx_bytes);
}

static const struct net_device_ops port_ops = {
	.ndo_init = port_init,
	.ndo_uninit = port_uninit,
	.ndo_open = port_open,
	.ndo_stop = port_stop,
	.ndo_start_xmit = port_xmit,
	.ndo_get_stats64 = port_stats,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
};

static int port_settings(struct net_device *dev, struct ethtool_link_ksettings *settings)
{
	settings->base.speed = SPEED_10000;
	settings->base.duplex = DUPLEX_FULL;
	return 0;
}

static const struct ethtool_ops port_ethtool_ops = {
	.get_link = ethtool_op_get_link,
	.get_link_ksettings = port_settings,
};

static struct port *of(struct device *device)
{
	return netdev_priv(to_net_dev(device));
}

static ssize_t peer_store(struct device *device, struct device_attribute *attr, const char *buf, size_t len)
{
	struct net_device *dev = to_net_dev(device), *peer;
	char name[IFNAMSIZ];
	int err = -ENODEV;

	if (sscanf(buf, "%15s", name) != 1)
		return -EINVAL;
	if (!rtnl_trylock())
		return restart_syscall();
	peer = __dev_get_by_name(dev_net(dev), name);
	if (peer && peer != dev && peer->netdev_ops == &port_ops && !other_end(dev) && !other_end(peer)) {
		struct port *far = netdev_priv(peer);

		rcu_assign_pointer(of(device)->peer, peer);
		rcu_assign_pointer(far->peer, dev);
		update_carrier(dev);
		err = 0;
	}
	rtnl_unlock();
	return err ?: len;
}
static DEVICE_ATTR_WO(peer);

/* Sets something of both ends: the link, or whether the cable is silent. */
static ssize_t set_cable(struct device *device, const char *buf, size_t len, bool is_link)
{
	struct net_device *dev = to_net_dev(device), *peer;
	struct port *ends[2] = { netdev_priv(dev) };
	bool value;
	int err = kstrtobool(buf, &value);

	if (err)
		return err;
	if (!rtnl_trylock())
		return restart_syscall();
	peer = other_end(dev);
	if (peer)
		ends[1] = netdev_priv(peer);
	for (int i = 0; i < ARRAY_SIZE(ends) && ends[i]; i++) {
		if (is_link)
			ends[i]->cut = !value;
		else
			WRITE_ONCE(ends[i]->silent, value);
	}
	if (is_link)
		update_carrier(dev);
	rtnl_unlock();
	return len;
}

static ssize_t link_store(struct device *device, struct device_attribute *attr, const char *buf, size_t len)
{
	return set_cable(device, buf, len, true);
}
static DEVICE_ATTR_WO(link);

static ssize_t silent_store(struct device *device, struct device_attribute *attr, const char *buf, size_t len)
{
	return set_cable(device, buf, len, false);
}
static DEVICE_ATTR_WO(silent);

static ssize_t state_store(struct device *device, struct device_attribute *attr, const char *buf, size_t len)
{
	struct port *port = of(device);
	int err;
	u8 state;

	err = kstrtou8(buf, 16, &state);
	if (err)
		return err;
	spin_lock_bh(&port->lock);
	WRITE_ONCE(port->state, state);
	partner_speaks(to_net_dev(device));
	spin_unlock_bh(&port->lock);
	return len;
}
static DEVICE_ATTR_WO(state);

static ssize_t arrivals_show(struct device *device, struct device_attribute *attr, char *buf)
{
	struct port *port = of(device);

	return sysfs_emit(buf, "%u %llu %llu\n", port->late, port->first, port->last);
}

static ssize_t arrivals_store(struct device *device, struct device_attribute *attr, const char *buf, size_t len)
{
	struct port *port = of(device);

	port->late = 0;
	port->first = port->last = 0;
	port->watched = true;
	return len;
}
static DEVICE_ATTR_RW(arrivals);

static struct attribute *port_attributes[] = {
	&dev_attr_peer.attr,
	&dev_attr_link.attr,
	&dev_attr_silent.attr,
	&dev_attr_state.attr,
	&dev_attr_arrivals.attr,
	NULL,
};

static const struct attribute_group port_group = {
	.name = "port",
	.attrs = port_attributes,
};

static void setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &port_ops;
	dev->ethtool_ops = &port_ethtool_ops;
	dev->needs_free_netdev = true;
	dev->priv_flags |= IFF_NO_QUEUE | IFF_LIVE_ADDR_CHANGE;
	dev->lltx = true;
	dev->features = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HW_CSUM | NETIF_F_HIGHDMA;
	dev->hw_features = dev->features;
	dev->vlan_features = dev->features;
	dev->max_mtu = ETH_MAX_MTU;
	dev->sysfs_groups[0] = &port_group;
	eth_hw_addr_random(dev);
}

static struct rtnl_link_ops kind = { .kind = "port", .priv_size = sizeof(struct port), .setup = setup };

static int __init port_start(void)
{
	return rtnl_link_register(&kind);
}

static void __exit port_end(void)
{
	rtnl_link_unregister(&kind);
}

module_init(port_start);
module_exit(port_end);
MODULE_DESCRIPTION("Network devices with a cable that can be cut, or with a partner that speaks LACP");
MODULE_LICENSE("GPL");
