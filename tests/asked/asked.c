// SPDX-License-Identifier: GPL-2.0
/*
 * Network devices that do not report their link: their carrier is always on, and who wants to know
 * has to ask the driver. Three kinds of links (`ip link add NAME type KIND`):
 *
 *   asked_ethtool   answers through ethtool
 *   asked_mii       answers in the status register of its MII transceiver
 *   asked_none      does not answer: it has transceiver ioctls, which fail
 *
 * The link itself is /sys/class/net/NAME/asked/link: 1 or 0. `asked/questions` counts the answers.
 * A number of milliseconds in `asked/unheard` takes the carrier away and keeps RTNL for so long,
 * so that nobody can be told of it meanwhile; who reads the file gets 1 as long as that lasts.
 * `asked/least_mtu` is the smallest MTU that the device takes, in bytes. `asked/received` is how many packets and
 * bytes it says that it has received.
 * With the module parameter "fixed_while_up", devices made from then on do not change their address while they are up.
 * `asked/refused` names what the driver refuses from then on: any of the words of `refusals` below.
 * `asked/type` is the kind of link (ARPHRD_*): who writes it changes that without asking anybody, as Wi-Fi does for
 * its monitor mode; what is not Ethernet has no hardware address then. `asked/addr_len` is the length of that.
 * With the module parameter "careful", devices made from then on have hardware that sleeps, a parent with runtime
 * power management: `asked/asleep` puts it to sleep (1) or wakes it (0), and `asked/wakes` counts how often somebody
 * else woke it. They are told before and after they are asked through ethtool, also for their speed, their time
 * stamps and their configuration; `asked/refuses` (1) has them refuse. `asked/present` (0) takes them away as drivers
 * do for which the hardware is out of reach. They warn when they are asked all the same, or without having been told.
 * With the module parameter "other", devices made from then on are no Ethernet, but a link of a kind that
 * has no name (ARPHRD_NONE). With the module parameter "locked", devices made from then on want their instance
 * lock held, and warn when it is not. With the module parameter "curious", a master is asked for its speed whenever
 * the state of a device below it changes, as drivers do that offload bonds; "satisfied" counts the answers. With the
 * module parameter "told", what such drivers are told of masters and of the devices below them is written to the
 * kernel log. The module parameter "vetoed", "EVENT DEVICE", has a listener object once to that event of that device;
 * EVENT is one of `vetoes` below.
 * The name of a device, written to the module parameter "filled", has its link attributes, and those of the devices
 * below it, be filled into messages for a second as `ip -d link` does, but in an RCU read side alone, without RTNL.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bpf.h>
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/if_arp.h>
#include <linux/mii.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/net_tstamp.h>
#include <linux/platform_device.h>
#include <linux/pm_runtime.h>
#include <net/netdev_lock.h>
#include <net/netlink.h>
#include <net/rtnetlink.h>
#include <net/xdp.h>

#define ADDRESS_OF_PHY 7

static bool locked;
module_param(locked, bool, 0644);
MODULE_PARM_DESC(locked, "whether new devices want their instance lock held");

static bool fixed_while_up;
module_param(fixed_while_up, bool, 0644);
MODULE_PARM_DESC(fixed_while_up, "whether new devices change their address only while they are down");

static bool other;
module_param(other, bool, 0644);
MODULE_PARM_DESC(other, "whether new devices are no Ethernet");

static bool careful;
module_param(careful, bool, 0644);
MODULE_PARM_DESC(careful, "whether new devices sleep, and are told before they are asked");

static bool curious;
module_param(curious, bool, 0644);
MODULE_PARM_DESC(curious, "whether masters are asked for their speed when a device below them changes");

static bool told;
module_param(told, bool, 0644);
MODULE_PARM_DESC(told, "whether to write what drivers are told to the kernel log");

static unsigned int satisfied;
module_param(satisfied, uint, 0444);
MODULE_PARM_DESC(satisfied, "how often a master has answered");

static char vetoed[64];
module_param_string(vetoed, vetoed, sizeof(vetoed), 0644);
MODULE_PARM_DESC(vetoed, "the event and the device to object to: EVENT DEVICE");

enum refusal { MTU, ADDRESS, OPEN, VLAN, XDP, NETPOLL };

static const char *const refusals[] = {
	[MTU] = "mtu", [ADDRESS] = "address", [OPEN] = "open",
	[VLAN] = "vlan", [XDP] = "xdp", [NETPOLL] = "netpoll",
};

struct asked {
	bool link;
	bool unheard;
	bool refuses;
	bool begun;
	unsigned int questions;
	u64 packets;
	u64 bytes;
	unsigned long refused;
	struct bpf_prog *program;
	unsigned int settings;
	struct platform_device *hardware;
};

/* What is known of the hardware of a device. */
struct hardware {
	bool asleep;
	bool in_suspend;
	unsigned int wakes;
};

static int refuses(struct net_device *dev, enum refusal what)
{
	struct asked *asked = netdev_priv(dev);

	return test_bit(what, &asked->refused) ? -EIO : 0;
}

static int asked_open(struct net_device *dev)
{
	return refuses(dev, OPEN);
}

static int asked_stop(struct net_device *dev)
{
	return 0;
}

static int asked_change_mtu(struct net_device *dev, int mtu)
{
	int err = refuses(dev, MTU);

	if (!err)
		WRITE_ONCE(dev->mtu, mtu);
	return err;
}

static int asked_set_address(struct net_device *dev, void *address)
{
	return refuses(dev, ADDRESS) ?: eth_mac_addr(dev, address);
}

static int asked_add_vlan(struct net_device *dev, __be16 proto, u16 id)
{
	/* 0 is not a VLAN: each device gets it that is up. */
	return id ? refuses(dev, VLAN) : 0;
}

static int asked_del_vlan(struct net_device *dev, __be16 proto, u16 id)
{
	return 0;
}

/* The program is held, and never run. */
static int asked_bpf(struct net_device *dev, struct netdev_bpf *bpf)
{
	struct asked *asked = netdev_priv(dev);
	int err;

	if (bpf->command != XDP_SETUP_PROG)
		return -EINVAL;
	err = bpf->prog ? refuses(dev, XDP) : 0;
	if (err)
		return err;
	if (asked->program)
		bpf_prog_put(asked->program);
	asked->program = bpf->prog;
	return 0;
}

static int asked_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames, u32 flags)
{
	return 0;
}

static int asked_netpoll_setup(struct net_device *dev)
{
	return refuses(dev, NETPOLL);
}

static netdev_tx_t asked_xmit(struct sk_buff *skb, struct net_device *dev)
{
	dev_lstats_add(dev, skb->len);
	dev_kfree_skb(skb);
	return NETDEV_TX_OK;
}

static void asked_stats(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	struct asked *asked = netdev_priv(dev);

	dev_lstats_read(dev, &stats->tx_packets, &stats->tx_bytes);
	stats->rx_packets = READ_ONCE(asked->packets);
	stats->rx_bytes = READ_ONCE(asked->bytes);
}

static int asked_init(struct net_device *dev)
{
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_LSTATS;
	netdev_lockdep_set_classes(dev);
	return 0;
}

/* A device that is asked can be: its hardware is awake and there. */
static void expect_reach(struct net_device *dev)
{
	struct asked *asked = netdev_priv(dev);
	struct hardware *hardware;

	WARN_ON_ONCE(netdev_need_ops_lock(dev) && !mutex_is_locked(&dev->lock));
	if (!asked->hardware)
		return;
	hardware = platform_get_drvdata(asked->hardware);
	WARN_ON_ONCE(READ_ONCE(hardware->asleep) || READ_ONCE(hardware->in_suspend));
	WARN_ON_ONCE(!netif_device_present(dev));
}

static bool answer(struct net_device *dev)
{
	struct asked *asked = netdev_priv(dev);

	expect_reach(dev);
	WARN_ON_ONCE(!netif_running(dev));
	WARN_ON_ONCE(asked->hardware && dev->ethtool_ops->begin && !asked->begun);
	WRITE_ONCE(asked->questions, asked->questions + 1);
	return READ_ONCE(asked->link);
}

static u32 asked_get_link(struct net_device *dev)
{
	return answer(dev);
}

static int asked_begin(struct net_device *dev)
{
	struct asked *asked = netdev_priv(dev);

	expect_reach(dev);
	if (READ_ONCE(asked->refuses))
		return -EBUSY;
	WARN_ON_ONCE(asked->begun);
	asked->begun = true;
	return 0;
}

static void asked_complete(struct net_device *dev)
{
	struct asked *asked = netdev_priv(dev);

	expect_reach(dev);
	WARN_ON_ONCE(!asked->begun);
	asked->begun = false;
}

static int asked_settings(struct net_device *dev, struct ethtool_link_ksettings *settings)
{
	struct asked *asked = netdev_priv(dev);

	expect_reach(dev);
	WARN_ON_ONCE(!asked->begun);
	WRITE_ONCE(asked->settings, asked->settings + 1);
	settings->base.speed = SPEED_1000;
	settings->base.duplex = DUPLEX_FULL;
	return 0;
}

static int asked_ts_info(struct net_device *dev, struct kernel_ethtool_ts_info *info)
{
	WARN_ON_ONCE(!netif_device_present(dev));
	info->so_timestamping = SOF_TIMESTAMPING_TX_SOFTWARE;
	return 0;
}

static int asked_hwtstamp_get(struct net_device *dev, struct kernel_hwtstamp_config *config)
{
	expect_reach(dev);
	return 0;
}

static int asked_hwtstamp_set(struct net_device *dev, struct kernel_hwtstamp_config *config,
			      struct netlink_ext_ack *extack)
{
	expect_reach(dev);
	return 0;
}

static int mii_ioctl(struct net_device *dev, struct ifreq *request, int command)
{
	struct mii_ioctl_data *mii = if_mii(request);

	if (strncmp(request->ifr_name, dev->name, IFNAMSIZ))
		return -ENODEV;
	switch (command) {
	case SIOCGMIIPHY:
		mii->phy_id = ADDRESS_OF_PHY;
		return 0;
	case SIOCGMIIREG:
		if (mii->phy_id != ADDRESS_OF_PHY || mii->reg_num != MII_BMSR)
			return -EINVAL;
		/* Whatever else the register says. */
		mii->val_out = BMSR_100FULL | BMSR_ANEGCAPABLE | BMSR_ERCAP;
		if (answer(dev))
			mii->val_out |= BMSR_LSTATUS;
		return 0;
	}
	return -EOPNOTSUPP;
}

static int no_ioctl(struct net_device *dev, struct ifreq *request, int command)
{
	return -EOPNOTSUPP;
}

#define OPERATIONS                                                                                  \
	.ndo_init = asked_init, .ndo_start_xmit = asked_xmit, .ndo_get_stats64 = asked_stats,       \
	.ndo_set_mac_address = asked_set_address, .ndo_validate_addr = eth_validate_addr,           \
	.ndo_open = asked_open, .ndo_stop = asked_stop, .ndo_change_mtu = asked_change_mtu,         \
	.ndo_vlan_rx_add_vid = asked_add_vlan, .ndo_vlan_rx_kill_vid = asked_del_vlan,              \
	.ndo_bpf = asked_bpf, .ndo_xdp_xmit = asked_xdp_xmit, .ndo_netpoll_setup = asked_netpoll_setup,           \
	.ndo_hwtstamp_get = asked_hwtstamp_get, .ndo_hwtstamp_set = asked_hwtstamp_set

static const struct net_device_ops plain_ops = { OPERATIONS };
static const struct net_device_ops mii_ops = { OPERATIONS, .ndo_eth_ioctl = mii_ioctl };
static const struct net_device_ops none_ops = { OPERATIONS, .ndo_eth_ioctl = no_ioctl };
static const struct ethtool_ops answering_ops = { .get_link = asked_get_link };
static const struct ethtool_ops silent_ops = {};
static const struct ethtool_ops careful_ops = {
	.begin = asked_begin,
	.complete = asked_complete,
	.get_link = asked_get_link,
	.get_link_ksettings = asked_settings,
	.get_ts_info = asked_ts_info,
};

static struct asked *of(struct device *device)
{
	return netdev_priv(to_net_dev(device));
}

static ssize_t link_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(of(device)->link));
}

static ssize_t link_store(struct device *device, struct device_attribute *attr, const char *buf,
			  size_t len)
{
	bool link;
	int err = kstrtobool(buf, &link);

	if (err)
		return err;
	WRITE_ONCE(of(device)->link, link);
	return len;
}
static DEVICE_ATTR_RW(link);

static ssize_t questions_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(of(device)->questions));
}
static DEVICE_ATTR_RO(questions);

static ssize_t unheard_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(of(device)->unheard));
}

static ssize_t unheard_store(struct device *device, struct device_attribute *attr, const char *buf,
			     size_t len)
{
	unsigned int ms;
	int err = kstrtouint(buf, 0, &ms);

	if (err)
		return err;
	/* The file is removed under RTNL, which waits for whoever is inside. */
	if (!rtnl_trylock())
		return restart_syscall();
	netif_carrier_off(to_net_dev(device));
	WRITE_ONCE(of(device)->unheard, true);
	msleep(ms);
	WRITE_ONCE(of(device)->unheard, false);
	rtnl_unlock();
	return len;
}
static DEVICE_ATTR_RW(unheard);

static ssize_t least_mtu_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(to_net_dev(device)->min_mtu));
}

static ssize_t least_mtu_store(struct device *device, struct device_attribute *attr, const char *buf,
			       size_t len)
{
	unsigned int mtu;
	int err = kstrtouint(buf, 0, &mtu);

	if (err)
		return err;
	WRITE_ONCE(to_net_dev(device)->min_mtu, mtu);
	return len;
}
static DEVICE_ATTR_RW(least_mtu);

static ssize_t received_show(struct device *device, struct device_attribute *attr, char *buf)
{
	struct asked *asked = of(device);

	return sysfs_emit(buf, "%llu %llu\n", READ_ONCE(asked->packets), READ_ONCE(asked->bytes));
}

static ssize_t received_store(struct device *device, struct device_attribute *attr, const char *buf,
			      size_t len)
{
	struct asked *asked = of(device);
	u64 packets, bytes;

	if (sscanf(buf, "%llu %llu", &packets, &bytes) != 2)
		return -EINVAL;
	WRITE_ONCE(asked->packets, packets);
	WRITE_ONCE(asked->bytes, bytes);
	return len;
}
static DEVICE_ATTR_RW(received);

static ssize_t refused_show(struct device *device, struct device_attribute *attr, char *buf)
{
	int i, len = 0;

	for (i = 0; i < ARRAY_SIZE(refusals); i++)
		if (test_bit(i, &of(device)->refused))
			len += sysfs_emit_at(buf, len, "%s ", refusals[i]);
	return len + sysfs_emit_at(buf, len, "\n");
}

/* One word, or none. */
static ssize_t refused_store(struct device *device, struct device_attribute *attr, const char *buf,
			     size_t len)
{
	unsigned long refused = 0;
	int i;

	if (!sysfs_streq(buf, "")) {
		i = __sysfs_match_string(refusals, ARRAY_SIZE(refusals), buf);
		if (i < 0)
			return i;
		refused = BIT(i);
	}
	WRITE_ONCE(of(device)->refused, refused);
	return len;
}
static DEVICE_ATTR_RW(refused);

static ssize_t type_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", to_net_dev(device)->type);
}

static ssize_t type_store(struct device *device, struct device_attribute *attr, const char *buf,
			  size_t len)
{
	struct net_device *dev = to_net_dev(device);
	u16 type;
	int err = kstrtou16(buf, 0, &type);

	if (err)
		return err;
	if (!rtnl_trylock())
		return restart_syscall();
	dev->type = type;
	dev->addr_len = type == ARPHRD_ETHER ? ETH_ALEN : 0;
	rtnl_unlock();
	return len;
}
static DEVICE_ATTR_RW(type);

static ssize_t addr_len_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", to_net_dev(device)->addr_len);
}

static ssize_t addr_len_store(struct device *device, struct device_attribute *attr, const char *buf,
			      size_t len)
{
	u8 bytes;
	int err = kstrtou8(buf, 0, &bytes);

	if (err)
		return err;
	if (bytes > MAX_ADDR_LEN)
		return -ERANGE;
	if (!rtnl_trylock())
		return restart_syscall();
	to_net_dev(device)->addr_len = bytes;
	rtnl_unlock();
	return len;
}
static DEVICE_ATTR_RW(addr_len);

static ssize_t settings_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(of(device)->settings));
}
static DEVICE_ATTR_RO(settings);

static ssize_t asleep_show(struct device *device, struct device_attribute *attr, char *buf)
{
	struct platform_device *hardware = of(device)->hardware;

	return sysfs_emit(buf, "%d\n", hardware && pm_runtime_suspended(&hardware->dev));
}

static ssize_t asleep_store(struct device *device, struct device_attribute *attr, const char *buf,
			    size_t len)
{
	struct platform_device *hardware = of(device)->hardware;
	bool sleep;
	int err = kstrtobool(buf, &sleep);

	if (err || !hardware)
		return err ?: -ENODEV;
	/* One reference of the device itself keeps its hardware awake. */
	if (sleep == pm_runtime_suspended(&hardware->dev))
		return len;
	err = sleep ? pm_runtime_put_sync_suspend(&hardware->dev) :
		      pm_runtime_resume_and_get(&hardware->dev);
	return err < 0 ? err : len;
}
static DEVICE_ATTR_RW(asleep);

static ssize_t wakes_show(struct device *device, struct device_attribute *attr, char *buf)
{
	struct platform_device *hardware = of(device)->hardware;
	struct hardware *known = hardware ? platform_get_drvdata(hardware) : NULL;

	return sysfs_emit(buf, "%u\n", known ? READ_ONCE(known->wakes) : 0);
}
static DEVICE_ATTR_RO(wakes);

static ssize_t present_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", netif_device_present(to_net_dev(device)));
}

static ssize_t present_store(struct device *device, struct device_attribute *attr, const char *buf,
			     size_t len)
{
	bool present;
	int err = kstrtobool(buf, &present);

	if (err)
		return err;
	if (!rtnl_trylock())
		return restart_syscall();
	if (present)
		netif_device_attach(to_net_dev(device));
	else
		netif_device_detach(to_net_dev(device));
	rtnl_unlock();
	return len;
}
static DEVICE_ATTR_RW(present);

static ssize_t refuses_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(of(device)->refuses));
}

static ssize_t refuses_store(struct device *device, struct device_attribute *attr, const char *buf,
			     size_t len)
{
	bool refuses;
	int err = kstrtobool(buf, &refuses);

	if (err)
		return err;
	WRITE_ONCE(of(device)->refuses, refuses);
	return len;
}
static DEVICE_ATTR_RW(refuses);

static struct attribute *asked_attributes[] = {
	&dev_attr_link.attr,
	&dev_attr_questions.attr,
	&dev_attr_unheard.attr,
	&dev_attr_least_mtu.attr,
	&dev_attr_received.attr,
	&dev_attr_refused.attr,
	&dev_attr_type.attr,
	&dev_attr_addr_len.attr,
	&dev_attr_settings.attr,
	&dev_attr_asleep.attr,
	&dev_attr_wakes.attr,
	&dev_attr_present.attr,
	&dev_attr_refuses.attr,
	NULL,
};

static const struct attribute_group asked_group = {
	.name = "asked",
	.attrs = asked_attributes,
};

/* The hardware of careful devices: it does nothing but sleep. */

static int hardware_probe(struct platform_device *pdev)
{
	struct hardware *known = devm_kzalloc(&pdev->dev, sizeof(*known), GFP_KERNEL);

	if (!known)
		return -ENOMEM;
	platform_set_drvdata(pdev, known);
	pm_runtime_get_noresume(&pdev->dev);
	pm_runtime_set_active(&pdev->dev);
	pm_runtime_enable(&pdev->dev);
	return 0;
}

static void hardware_remove(struct platform_device *pdev)
{
	pm_runtime_disable(&pdev->dev);
}

static int hardware_sleep(struct device *device)
{
	struct hardware *known = dev_get_drvdata(device);

	WRITE_ONCE(known->asleep, true);
	return 0;
}

static int hardware_wake(struct device *device)
{
	struct hardware *known = dev_get_drvdata(device);

	WRITE_ONCE(known->asleep, false);
	WRITE_ONCE(known->wakes, known->wakes + 1);
	return 0;
}

static int hardware_suspend(struct device *device)
{
	struct hardware *known = dev_get_drvdata(device);

	WRITE_ONCE(known->in_suspend, true);
	return 0;
}

static int hardware_resume(struct device *device)
{
	struct hardware *known = dev_get_drvdata(device);

	WRITE_ONCE(known->in_suspend, false);
	return 0;
}

static const struct dev_pm_ops hardware_pm = {
	SYSTEM_SLEEP_PM_OPS(hardware_suspend, hardware_resume)
	RUNTIME_PM_OPS(hardware_sleep, hardware_wake, NULL)
};

static struct platform_driver hardware_driver = {
	.probe = hardware_probe,
	.remove = hardware_remove,
	.driver = { .name = "asked-hardware", .pm = pm_ptr(&hardware_pm) },
};

static void destroy(struct net_device *dev)
{
	struct asked *asked = netdev_priv(dev);

	if (asked->hardware)
		platform_device_unregister(asked->hardware);
}

static int create(struct net_device *dev, struct rtnl_newlink_params *params,
		  struct netlink_ext_ack *extack)
{
	struct asked *asked = netdev_priv(dev);
	struct platform_device *hardware;
	int err;

	if (!careful)
		return register_netdevice(dev);
	hardware = platform_device_register_simple("asked-hardware", PLATFORM_DEVID_AUTO, NULL, 0);
	if (IS_ERR(hardware))
		return PTR_ERR(hardware);
	if (!platform_get_drvdata(hardware)) {
		platform_device_unregister(hardware);
		return -ENODEV;
	}
	asked->hardware = hardware;
	SET_NETDEV_DEV(dev, &hardware->dev);
	err = register_netdevice(dev);
	if (err) {
		asked->hardware = NULL;
		platform_device_unregister(hardware);
	}
	return err;
}

static void setup(struct net_device *dev)
{
	struct asked *asked = netdev_priv(dev);

	ether_setup(dev);
	if (other)
		dev->type = ARPHRD_NONE;
	asked->link = true;
	dev->needs_free_netdev = true;
	dev->priv_destructor = destroy;
	dev->request_ops_lock = locked;
	dev->priv_flags |= IFF_NO_QUEUE;
	if (!fixed_while_up)
		dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	dev->lltx = true;
	dev->max_mtu = ETH_MAX_MTU;
	dev->hw_features = NETIF_F_LRO;
	dev->features = NETIF_F_LRO | NETIF_F_HW_VLAN_CTAG_FILTER;
	dev->xdp_features = NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT;
	dev->sysfs_groups[0] = &asked_group;
	eth_hw_addr_random(dev);
}

static void setup_ethtool(struct net_device *dev)
{
	setup(dev);
	dev->netdev_ops = &plain_ops;
	dev->ethtool_ops = careful ? &careful_ops : &answering_ops;
}

static void setup_mii(struct net_device *dev)
{
	setup(dev);
	dev->netdev_ops = &mii_ops;
	dev->ethtool_ops = &silent_ops;
}

static void setup_none(struct net_device *dev)
{
	setup(dev);
	dev->netdev_ops = &none_ops;
	dev->ethtool_ops = &silent_ops;
}

#define KIND(name) .kind = name, .priv_size = sizeof(struct asked), .newlink = create

static struct rtnl_link_ops kinds[] = {
	{ KIND("asked_ethtool"), .setup = setup_ethtool },
	{ KIND("asked_mii"), .setup = setup_mii },
	{ KIND("asked_none"), .setup = setup_none },
};

static void write_upper(const char *name, const struct netdev_notifier_changeupper_info *info)
{
	const struct netdev_lag_upper_info *lag = info->upper_info;

	if (info->linking && lag)
		pr_info("told upper %s tx=%d hash=%d\n", name, lag->tx_type, lag->hash_type);
}

static void write_lower(const char *name, const struct netdev_notifier_changelowerstate_info *info)
{
	const struct netdev_lag_lower_state_info *lag = info->lower_state_info;

	pr_info("told lower %s link=%d sends=%d\n", name, lag->link_up, lag->tx_enabled);
}

static void write_info(const char *name, const struct netdev_notifier_bonding_info *info)
{
	const ifslave *slave = &info->bonding_info.slave;
	const ifbond *master = &info->bonding_info.master;

	pr_info("told info %s slave=%s link=%d state=%d failures=%u mode=%d slaves=%d miimon=%d\n", name,
		slave->slave_name, slave->link, slave->state, slave->link_failure_count,
		master->bond_mode, master->num_slaves, master->miimon);
}

static const struct {
	const char *name;
	unsigned long event;
} vetoes[] = {
	{ "pre_up", NETDEV_PRE_UP },
	{ "pre_change_mtu", NETDEV_PRECHANGEMTU },
	{ "change_mtu", NETDEV_CHANGEMTU },
	{ "pre_change_addr", NETDEV_PRE_CHANGEADDR },
	{ "pre_change_upper", NETDEV_PRECHANGEUPPER },
	{ "change_upper", NETDEV_CHANGEUPPER },
	{ "pre_type_change", NETDEV_PRE_TYPE_CHANGE },
};

static bool objects(const struct net_device *dev, unsigned long event)
{
	char name[IFNAMSIZ], wanted[32];
	int i;

	if (sscanf(vetoed, "%31s %15s", wanted, name) != 2 || strcmp(name, dev->name))
		return false;
	for (i = 0; i < ARRAY_SIZE(vetoes); i++)
		if (vetoes[i].event == event)
			return !strcmp(vetoes[i].name, wanted);
	return false;
}

static int heard(struct notifier_block *block, unsigned long event, void *info)
{
	struct net_device *dev = netdev_notifier_info_to_dev(info);
	struct ethtool_link_ksettings settings;
	struct net_device *master;

	if (objects(dev, event)) {
		/* Once: what is undone is not objected to. */
		vetoed[0] = '\0';
		return notifier_from_errno(-EDOM);
	}
	if (READ_ONCE(told)) {
		switch (event) {
		case NETDEV_CHANGEUPPER:
			write_upper(dev->name, info);
			break;
		case NETDEV_CHANGELOWERSTATE:
			write_lower(dev->name, info);
			break;
		case NETDEV_BONDING_INFO:
			write_info(dev->name, info);
			break;
		}
	}
	if (!READ_ONCE(curious) || event != NETDEV_CHANGELOWERSTATE)
		return NOTIFY_DONE;
	master = netdev_master_upper_dev_get(dev);
	if (master && !__ethtool_get_link_ksettings(master, &settings))
		WRITE_ONCE(satisfied, satisfied + 1);
	return NOTIFY_DONE;
}

struct filling {
	struct sk_buff *skb;
	struct net_device *master;
};

/* The targets of one list begin with the same three bytes, and a delay is a multiple of the interval. */
static int check(const struct sk_buff *skb)
{
	const struct nlattr *data = (const struct nlattr *)skb->data;
	const struct nlattr *miimon = nla_find(data, skb->len, IFLA_BOND_MIIMON);
	const struct nlattr *updelay = nla_find(data, skb->len, IFLA_BOND_UPDELAY);
	const struct nlattr *targets = nla_find(data, skb->len, IFLA_BOND_ARP_IP_TARGET);
	const struct nlattr *target;
	const u8 *first = NULL;
	int left;

	if (miimon && nla_get_u32(miimon) && updelay &&
	    nla_get_u32(updelay) % nla_get_u32(miimon))
		return -EILSEQ;
	if (!targets)
		return 0;
	nla_for_each_nested(target, targets, left) {
		first = first ?: nla_data(target);
		if (memcmp(nla_data(target), first, 3))
			return -EILSEQ;
	}
	return 0;
}

static int fill_lower(struct net_device *lower, struct netdev_nested_priv *priv)
{
	struct filling *filling = priv->data;
	const struct net_device *master = filling->master;

	if (netdev_master_upper_dev_get_rcu(lower) != master)
		return 0;
	skb_trim(filling->skb, 0);
	if (skb_tailroom(filling->skb) < master->rtnl_link_ops->get_slave_size(master, lower))
		return -ENOBUFS;
	return master->rtnl_link_ops->fill_slave_info(filling->skb, master, lower);
}

static int fill(struct sk_buff *skb, struct net_device *dev)
{
	struct filling filling = { skb, dev };
	struct netdev_nested_priv priv = { .data = &filling };
	int err;

	skb_trim(skb, 0);
	if (skb_tailroom(skb) < dev->rtnl_link_ops->get_size(dev))
		return -ENOBUFS;
	err = dev->rtnl_link_ops->fill_info(skb, dev) ?: check(skb);
	return err ?: netdev_walk_all_lower_dev_rcu(dev, fill_lower, &priv);
}

static int set_filled(const char *val, const struct kernel_param *param)
{
	unsigned long end = jiffies + HZ;
	char name[IFNAMSIZ];
	struct net_device *dev;
	unsigned long count = 0;
	struct sk_buff *skb;
	int err = 0;

	strscpy(name, val);
	strim(name);
	skb = alloc_skb(NLMSG_GOODSIZE, GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	while (!err && time_before(jiffies, end)) {
		rcu_read_lock();
		dev = dev_get_by_name_rcu(current->nsproxy->net_ns, name);
		if (dev && dev->rtnl_link_ops && dev->rtnl_link_ops->fill_slave_info)
			err = fill(skb, dev);
		else
			err = -ENODEV;
		rcu_read_unlock();
		count++;
		cond_resched();
	}
	kfree_skb(skb);
	pr_info("filled %lu times, error %d\n", count, err);
	return err;
}

static const struct kernel_param_ops filled_ops = { .set = set_filled };
module_param_cb(filled, &filled_ops, NULL, 0200);
MODULE_PARM_DESC(filled, "a device whose link attributes are to be asked for without RTNL");

static struct notifier_block listener = { .notifier_call = heard };

static int __init start(void)
{
	int err, i;

	err = platform_driver_register(&hardware_driver);
	if (err)
		return err;
	err = register_netdevice_notifier(&listener);
	if (err) {
		platform_driver_unregister(&hardware_driver);
		return err;
	}
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		err = rtnl_link_register(&kinds[i]);
		if (err) {
			while (i--)
				rtnl_link_unregister(&kinds[i]);
			unregister_netdevice_notifier(&listener);
			platform_driver_unregister(&hardware_driver);
			return err;
		}
	}
	return 0;
}

static void __exit stop(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		rtnl_link_unregister(&kinds[i]);
	unregister_netdevice_notifier(&listener);
	platform_driver_unregister(&hardware_driver);
}

module_init(start);
module_exit(stop);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Network devices that have to be asked for their link");
