// SPDX-License-Identifier: GPL-2.0

#include <linux/debugfs.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/igmp.h>
#include <linux/if_bridge.h>
#include <linux/if_macvlan.h>
#include <linux/if_vlan.h>
#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/ktime.h>
#include <linux/netdev_features.h>
#include <linux/percpu.h>
#include <linux/pkt_sched.h>
#include <linux/platform_device.h>
#include <linux/pm_runtime.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/sysfs.h>
#include <net/addrconf.h>
#include <net/arp.h>
#include <net/flow_dissector.h>
#include <net/inet_sock.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ndisc.h>
#include <net/neighbour.h>
#include <net/netdev_lock.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <net/route.h>
#include <net/switchdev.h>
#include <net/tls.h>

#include "helpers.h"

/* debugfs.h, seq_file.h */

static int open_shown(struct inode *inode, struct file *file)
{
	struct nh_shown *shown = inode->i_private;

	return single_open(file, shown->show, shown);
}

static const struct file_operations shown_ops = {
	.owner = THIS_MODULE,
	.open = open_shown,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

struct dentry *nh_debugfs_create_dir(const char *name, struct dentry *parent)
{
	return debugfs_create_dir(name, parent);
}

void nh_debugfs_remove(struct dentry *dentry)
{
	debugfs_remove(dentry);
}

struct dentry *nh_debugfs_create_file(const char *name, struct dentry *dir, struct nh_shown *shown)
{
	return debugfs_create_file(name, 0400, dir, shown, &shown_ops);
}

/* netdevice.h */

struct net *nh_dev_net(const struct net_device *dev)
{
	return dev_net(dev);
}

void nh_dev_net_set(struct net_device *dev, struct net *net)
{
	dev_net_set(dev, net);
}

u32 nh_priv_flags(const struct net_device *dev)
{
	return dev->priv_flags;
}

void nh_change_priv_flags(struct net_device *dev, u32 set, u32 clear)
{
	dev->priv_flags = (dev->priv_flags & ~clear) | set;
}

/*
 * Sets up a device without a queue or hardware of its own: the device has no transmit lock, and
 * does not move to another namespace.
 */
void nh_setup_software_device(struct net_device *dev, const struct device_type *type)
{
	dev->lltx = true;
	dev->netns_immutable = true;
	SET_NETDEV_DEVTYPE(dev, type);
}

/* Sets what a master can do in front of lower devices that may lack it; see .ndo_fix_features. */
void nh_set_master_features(struct net_device *dev)
{
	dev->hw_features = MASTER_UPPER_DEV_VLAN_FEATURES |
			   NETIF_F_HW_VLAN_CTAG_RX | NETIF_F_HW_VLAN_CTAG_FILTER |
			   NETIF_F_HW_VLAN_STAG_RX | NETIF_F_HW_VLAN_STAG_FILTER |
			   NETIF_F_GSO_ENCAP_ALL;
	dev->features |= dev->hw_features | NETIF_F_GSO_PARTIAL |
			 NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HW_VLAN_STAG_TX;
	dev->hw_features |= MASTER_UPPER_DEV_XFRM_FEATURES;
}

/*
 * Sets whether the device wants IPsec in hardware. A registered device computes its features anew,
 * see netdev_compute_master_upper_features().
 */
void nh_want_xfrm_features(struct net_device *dev, bool want)
{
	bool is_registered = dev->reg_state == NETREG_REGISTERED;
	netdev_features_t *features = is_registered ? &dev->wanted_features : &dev->features;

	if (want)
		*features |= MASTER_UPPER_DEV_XFRM_FEATURES;
	else
		*features &= ~MASTER_UPPER_DEV_XFRM_FEATURES;
	if (is_registered)
		netdev_update_features(dev);
}

netdev_features_t nh_base_features(netdev_features_t features)
{
	return netdev_base_features(features);
}

netdev_features_t nh_add_tso_features(netdev_features_t features, netdev_features_t mask)
{
	return netdev_add_tso_features(features, mask);
}

void nh_lockdep_set_classes(struct net_device *dev)
{
	netdev_lockdep_set_classes(dev);
}

void nh_eth_hw_addr_random(struct net_device *dev)
{
	eth_hw_addr_random(dev);
}

/* Sets what the sysctl keep_addr_on_down sets, and returns the previous value. RTNL. */
int nh_keep_addr_on_down(struct net_device *dev, int keep)
{
	struct inet6_dev *idev = __in6_dev_get(dev);
	int was;

	if (!idev)
		return 0;
	was = READ_ONCE(idev->cnf.keep_addr_on_down);
	WRITE_ONCE(idev->cnf.keep_addr_on_down, keep);
	return was;
}

/*
 * The caller holds the address lock of @from, with bottom halves off. Syncs both lists, even if the
 * first one fails.
 */
int nh_sync_addresses_locked(struct net_device *to, struct net_device *from, bool multiple)
{
	int uc, mc;

	if (multiple) {
		uc = dev_uc_sync_multiple(to, from);
		mc = dev_mc_sync_multiple(to, from);
	} else {
		uc = dev_uc_sync(to, from);
		mc = dev_mc_sync(to, from);
	}
	return uc ? uc : mc;
}

/* Takes the address lock of @from, with bottom halves off. */
int nh_sync_addresses(struct net_device *to, struct net_device *from, bool multiple)
{
	int err;

	netif_addr_lock_bh(from);
	err = nh_sync_addresses_locked(to, from, multiple);
	netif_addr_unlock_bh(from);
	return err;
}

void nh_dev_hold(struct net_device *dev, netdevice_tracker *tracker)
{
	netdev_hold(dev, tracker, GFP_ATOMIC);
}

void nh_dev_put(struct net_device *dev, netdevice_tracker *tracker)
{
	netdev_put(dev, tracker);
}

bool nh_linkwatch_pending(const struct net_device *dev)
{
	return test_bit(__LINK_STATE_LINKWATCH_PENDING, &dev->state);
}

bool nh_is_macvlan(const struct net_device *dev)
{
	return netif_is_macvlan(dev);
}

void nh_unregister_netdevice(struct net_device *dev)
{
	unregister_netdevice(dev);
}

/* net/netdev_lock.h */

bool nh_needs_ops_lock(const struct net_device *dev)
{
	return netdev_need_ops_lock(dev);
}

/* For a device that is being unregistered. Takes the instance lock of the device, if it has one. */
void nh_restore_mtu(struct net_device *dev, int mtu)
{
	/* The checks that netif_set_mtu() makes first. */
	if (mtu < 0 || mtu < dev->min_mtu || (dev->max_mtu && mtu > dev->max_mtu))
		return;
	netdev_lock_ops(dev);
	__netif_set_mtu(dev, mtu);
	netdev_unlock_ops(dev);
}

/* As netif_get_link_ksettings(). */
int nh_link_settings(struct net_device *dev, u32 *speed, u8 *duplex)
{
	struct ethtool_link_ksettings settings;
	int err;

	err = netif_get_link_ksettings(dev, &settings);
	if (err)
		return err;

	*speed = settings.base.speed;
	*duplex = settings.base.duplex;
	return 0;
}

void nh_lock_ops(struct net_device *dev)
{
	netdev_lock_ops(dev);
}

void nh_unlock_ops(struct net_device *dev)
{
	netdev_unlock_ops(dev);
}

/* linux/pm_runtime.h */

/*
 * Keeps the hardware behind @dev from falling asleep until nh_let_sleep(). Returns -EAGAIN if the
 * hardware sleeps. *@held says whether nh_let_sleep() has to be called.
 */
int nh_keep_awake(struct net_device *dev, bool *held)
{
	struct device *parent = dev->dev.parent;
	int active;

	*held = false;
	if (!parent)
		return 0;
#ifdef CONFIG_PM_SLEEP
	/* A suspend of the whole machine stops user space, but not the kernel's work. */
	if (parent->power.is_suspended)
		return -EAGAIN;
#endif
	active = pm_runtime_get_if_active(parent);
	/* Negative: the hardware has no runtime power management, and so is awake. */
	*held = active > 0;
	return active == 0 ? -EAGAIN : 0;
}

/* Wakes the hardware behind @dev, and keeps it awake until nh_let_sleep(). Sleeps. */
void nh_wake(struct net_device *dev)
{
	if (dev->dev.parent)
		pm_runtime_get_sync(dev->dev.parent);
}

/* To be called once for each nh_wake(), and for each nh_keep_awake() that has set *@held. */
void nh_let_sleep(struct net_device *dev)
{
	if (dev->dev.parent)
		pm_runtime_put(dev->dev.parent);
}

bool nh_device_present(const struct net_device *dev)
{
	return netif_device_present(dev);
}

/* filter.h */

void nh_xdp_redirect_master(bool more)
{
	if (more)
		static_branch_inc(&bpf_master_redirect_enabled_key);
	else
		static_branch_dec(&bpf_master_redirect_enabled_key);
}

/* flow_dissector.h */

/* The flow dissector of the initial namespace applies to all namespaces. */
bool nh_has_flow_dissector(const struct net *net)
{
	return rcu_access_pointer(init_net.bpf.run_array[NETNS_BPF_FLOW_DISSECTOR]) ||
	       rcu_access_pointer(net->bpf.run_array[NETNS_BPF_FLOW_DISSECTOR]);
}

/* Sockets of TCP and UDP over IP */

void nh_sock_ends(const struct sock *sk, u32 *src, u32 *dst, u32 *ports)
{
	const struct inet_sock *inet = inet_sk(sk);
	struct flow_keys keys = {
		.control.addr_type = FLOW_DISSECTOR_KEY_IPV4_ADDRS,
	};

	if (sk->sk_family == AF_INET6 &&
	    (ipv6_only_sock(sk) || !ipv6_addr_v4mapped(&sk->sk_v6_daddr))) {
		keys.control.addr_type = FLOW_DISSECTOR_KEY_IPV6_ADDRS;
		keys.addrs.v6addrs.src = inet->pinet6->saddr;
		keys.addrs.v6addrs.dst = sk->sk_v6_daddr;
	} else {
		keys.addrs.v4addrs.src = inet->inet_rcv_saddr;
		keys.addrs.v4addrs.dst = inet->inet_daddr;
	}
	keys.ports.src = inet->inet_sport;
	keys.ports.dst = inet->inet_dport;

	*src = (__force u32)flow_get_u32_src(&keys);
	*dst = (__force u32)flow_get_u32_dst(&keys);
	*ports = (__force u32)keys.ports.ports;
}

/* Bottom halves must be off. */
struct net_device *nh_tls_device(const struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_TLS_DEVICE)
	if (tls_is_skb_tx_device_offloaded(skb))
		return rcu_dereference_bh(tls_get_ctx(skb->sk)->netdev);
#endif
	return NULL;
}

/* Packets */

bool nh_irqs_disabled(void)
{
	return irqs_disabled();
}

void nh_count_tx_drop(struct net_device *dev)
{
	dev_core_stats_tx_dropped_inc(dev);
}

struct sk_buff *nh_share_check(struct sk_buff *skb)
{
	return skb_share_check(skb, GFP_ATOMIC);
}

void nh_tx_drop(struct net_device *dev, struct sk_buff *skb)
{
	dev_core_stats_tx_dropped_inc(dev);
	dev_kfree_skb_any_reason(skb, SKB_DROP_REASON_DEV_READY);
}

/* XFRM_XMIT says that the stack has left the encryption to the device of the state. */
bool nh_needs_other_ipsec(struct sk_buff *skb, const struct net_device *dev)
{
#ifdef CONFIG_XFRM_OFFLOAD
	const struct xfrm_offload *offload = xfrm_offload(skb);

	if (offload && (offload->flags & XFRM_XMIT))
		return READ_ONCE(xfrm_input_state(skb)->xso.real_dev) != dev;
#endif
	return false;
}

void nh_consume_skb(struct sk_buff *skb)
{
	consume_skb(skb);
}

/* Sends a copy of @frame, which begins with its Ethernet header. */
int nh_send_control(struct net_device *dev, const void *frame, unsigned int len)
{
	/* The device may come to need more meanwhile. */
	int headroom = LL_RESERVED_SPACE(dev), tailroom = dev->needed_tailroom;
	struct sk_buff *skb;

	skb = alloc_skb(headroom + len + tailroom, GFP_ATOMIC);
	if (!skb)
		return -ENOMEM;

	skb_reserve(skb, headroom);
	skb_put_data(skb, frame, len);
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	skb->protocol = eth_hdr(skb)->h_proto;
	skb->priority = TC_PRIO_CONTROL;
	skb->dev = dev;
	return dev_queue_xmit(skb);
}

void nh_ether_dest(const struct sk_buff *skb, u8 *addr)
{
	memcpy(addr, eth_hdr(skb)->h_dest, ETH_ALEN);
}

void nh_ether_source(const struct sk_buff *skb, u8 *addr)
{
	memcpy(addr, eth_hdr(skb)->h_source, ETH_ALEN);
}

int nh_transmit_counted(struct sk_buff *skb, u64 __percpu *counter)
{
	this_cpu_add(*counter, skb->len);
	return __dev_queue_xmit(skb, NULL);
}

/* For a packet on its way out. */
bool nh_set_ether_source(struct sk_buff *skb, const u8 *addr)
{
	if (!pskb_may_pull(skb, ETH_HLEN) || skb_cow_head(skb, 0))
		return false;
	memcpy(skb_eth_hdr(skb)->h_source, addr, ETH_ALEN);
	return true;
}

/* For a packet on its way up. */
bool nh_set_ether_dest(struct sk_buff *skb, const u8 *addr)
{
	if (skb_cow_head(skb, skb->data - skb_mac_header(skb)))
		return false;
	memcpy(eth_hdr(skb)->h_dest, addr, ETH_ALEN);
	return true;
}

/* For a packet on its way out, which begins with its link-layer header. */
bool nh_overwrite(struct sk_buff *skb, int at, const void *bytes, int len)
{
	return !skb_ensure_writable(skb, at + len) && !skb_store_bits(skb, at, bytes, len);
}

void nh_accept(struct sk_buff *skb)
{
	skb->pkt_type = PACKET_HOST;
}

bool nh_ether_dest_is_link_local(const struct sk_buff *skb)
{
	return is_link_local_ether_addr(eth_hdr(skb)->h_dest);
}

u32 __percpu *nh_alloc_counter(void)
{
	return alloc_percpu(u32);
}

void nh_free_counter(u32 __percpu *counter)
{
	free_percpu(counter);
}

u32 nh_inc_counter(u32 __percpu *counter)
{
	return this_cpu_inc_return(*counter);
}

u64 __percpu *nh_alloc_counters(unsigned int count)
{
	return __alloc_percpu(size_mul(count, sizeof(u64)), __alignof__(u64));
}

void nh_free_counters(u64 __percpu *counters)
{
	free_percpu(counters);
}

void nh_add_to_counter(u64 __percpu *counters, unsigned int place, unsigned int count)
{
	this_cpu_add(counters[place], count);
}

/* A counter that changes meanwhile is read before or after the change. */
u64 nh_sum_counter(u64 __percpu *counters, unsigned int place)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(&counters[place], cpu));
	return sum;
}

u32 nh_random_u32(void)
{
	return get_random_u32();
}

/* Work, locks, time */

struct workqueue_struct *nh_alloc_workqueue(const char *name)
{
	return alloc_workqueue("%s", WQ_MEM_RECLAIM | WQ_UNBOUND, 0, name);
}

/* Runs one work item at a time, for work items that wait for RTNL. */
struct workqueue_struct *nh_alloc_free_workqueue(const char *name)
{
	return alloc_ordered_workqueue("%s-free", 0, name);
}

void nh_init_delayed_work(struct delayed_work *work, work_func_t func, const char *name,
			  struct lock_class_key *class)
{
	INIT_DELAYED_WORK(work, func);
	lockdep_init_map(&work->work.lockdep_map, name, class, 0);
}

void nh_init_rcu_work(struct rcu_work *work, work_func_t func)
{
	INIT_RCU_WORK(work, func);
}

bool nh_mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *work,
			 unsigned long delay)
{
	return mod_delayed_work(wq, work, delay);
}

void nh_init_work(struct work_struct *work, work_func_t func, const char *name,
		  struct lock_class_key *class)
{
	INIT_WORK(work, func);
	lockdep_init_map(&work->lockdep_map, name, class, 0);
}

bool nh_queue_work(struct workqueue_struct *wq, struct work_struct *work)
{
	return queue_work(wq, work);
}

/* Sets a lockdep class, in place of the one that all locks initialised here would share. */
void nh_spin_lock_init(spinlock_t *lock, const char *name, struct lock_class_key *class)
{
	spin_lock_init(lock);
	lockdep_set_class_and_name(lock, class, name);
}

void nh_spin_lock(spinlock_t *lock)
{
	spin_lock(lock);
}

void nh_spin_lock_nested(spinlock_t *lock, int subclass)
{
	spin_lock_nested(lock, subclass);
}

void nh_spin_unlock(spinlock_t *lock)
{
	spin_unlock(lock);
}

void nh_spin_lock_bh(spinlock_t *lock)
{
	spin_lock_bh(lock);
}

void nh_spin_unlock_bh(spinlock_t *lock)
{
	spin_unlock_bh(lock);
}

u64 nh_jiffies(void)
{
	return get_jiffies_64();
}

u64 nh_monotonic_ms(void)
{
	return ktime_to_ms(ktime_get());
}

u64 nh_monotonic_us(void)
{
	return ktime_to_us(ktime_get());
}

void nh_hrtimer_setup(struct hrtimer *timer, enum hrtimer_restart (*func)(struct hrtimer *))
{
	hrtimer_setup(timer, func, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
}

void nh_hrtimer_start_at_us(struct hrtimer *timer, u64 us)
{
	/* A time that does not fit never comes. */
	hrtimer_start(timer, us_to_ktime(min(us, (u64)KTIME_MAX / NSEC_PER_USEC)), HRTIMER_MODE_ABS);
}

/* Network namespaces */

void *nh_net_generic(const struct net *net, unsigned int id)
{
	return net_generic(net, id);
}

bool nh_net_admin(const struct net *net)
{
	return ns_capable(net->user_ns, CAP_NET_ADMIN);
}

struct list_head *nh_net_devices(struct net *net)
{
	return &net->dev_base_head;
}

struct proc_dir_entry *nh_proc_net(const struct net *net)
{
	return net->proc_net;
}

const struct ns_common *nh_net_ns(const struct net *net)
{
	return to_ns_common(net);
}

/* A device that changes its type may replace its header operations at any time. */

int nh_header_create(struct net_device *dev, struct sk_buff *skb, u16 type,
		     const void *daddr, const void *saddr, unsigned int len)
{
	const struct header_ops *ops = READ_ONCE(dev->header_ops);

	return ops && ops->create ? ops->create(skb, dev, type, daddr, saddr, len) : 0;
}

int nh_header_parse(const struct net_device *dev, const struct sk_buff *skb, u8 *haddr)
{
	const struct header_ops *ops = READ_ONCE(dev->header_ops);

	return ops && ops->parse ? ops->parse(skb, dev, haddr) : 0;
}

/* sysfs */

int nh_restart_syscall(void)
{
	return restart_syscall();
}

/* For attributes that are not static: all of them share one lock class. */
void nh_sysfs_attr_init(struct attribute *attr)
{
	sysfs_attr_init(attr);
}

/*
 * Sets up @neigh as the driver of @dev sets up its own neighbours. The driver only says in a struct
 * neigh_parms which function to call.
 */
int nh_neigh_setup_from(struct net_device *dev, struct neighbour *neigh)
{
	struct neigh_parms parms = {};
	int err;

	if (!dev->netdev_ops->ndo_neigh_setup)
		return 0;
	err = dev->netdev_ops->ndo_neigh_setup(dev, &parms);
	if (err || !parms.neigh_setup)
		return err;
	return parms.neigh_setup(neigh);
}

/* Routes */

struct net_device *nh_route_dev(struct net *net, __be32 daddr)
{
	struct rtable *rt = ip_route_output(net, daddr, 0, 0, 0, RT_SCOPE_LINK);
	struct net_device *dev;

	if (IS_ERR(rt))
		return NULL;
	dev = dst_dev_rcu(&rt->dst);
	ip_rt_put(rt);
	return dev;
}

/* Through any device if @oif is 0. */
struct net_device *nh_route_dev6(struct net *net, const struct in6_addr *daddr, int oif)
{
	struct flowi6 flow = { .daddr = *daddr, .flowi6_oif = oif };
	struct net_device *dev = NULL;
	struct dst_entry *dst;

	if (!ipv6_mod_enabled())
		return NULL;
	dst = ip6_route_output(net, NULL, &flow);
	if (!dst->error)
		dev = dst_dev_rcu(dst);
	dst_release(dst);
	return dev;
}

bool nh_vlan_tag(const struct net_device *dev, u16 *proto, u16 *vid)
{
	if (!is_vlan_dev(dev))
		return false;
	*proto = ntohs(vlan_dev_vlan_proto(dev));
	*vid = vlan_dev_vlan_id(dev);
	return true;
}

/* Addresses */

__be32 nh_confirm_addr(struct net_device *dev, __be32 daddr, __be32 local)
{
	struct in_device *in_dev = __in_dev_get_rcu(dev);

	return in_dev ? inet_confirm_addr(dev_net(dev), in_dev, daddr, local, RT_SCOPE_HOST) : 0;
}

bool nh_has_addr6(struct net_device *dev, const struct in6_addr *addr)
{
	return ipv6_mod_enabled() && ipv6_chk_addr(dev_net(dev), addr, dev, 0);
}

/* Whether the address belongs to a bridge. RCU. */
bool nh_is_bridge_addr(struct net *net, __be32 addr)
{
	struct net_device *dev = __ip_dev_find(net, addr, false);

	return dev && netif_is_any_bridge_master(dev);
}

bool nh_is_bridge_addr6(struct net *net, const struct in6_addr *addr)
{
	struct net_device *dev = ipv6_mod_enabled() ? ipv6_dev_find(net, addr, NULL) : NULL;

	return dev && netif_is_any_bridge_master(dev);
}

bool nh_source_addr6(struct net_device *dev, const struct in6_addr *daddr, struct in6_addr *saddr)
{
	return ipv6_dev_get_saddr(dev_net(dev), dev, daddr, 0, saddr) == 0;
}

/* ARP and neighbour discovery */

struct sk_buff *nh_arp_request(struct net_device *dev, __be32 daddr, __be32 saddr)
{
	return arp_create(ARPOP_REQUEST, ETH_P_ARP, daddr, dev, saddr, NULL, dev->dev_addr, NULL);
}

/*
 * ndisc_send_skb() would complete the message while sending it, when it is too late to put VLAN
 * tags in front of the message.
 */
struct sk_buff *nh_ndisc_solicitation(struct net_device *dev, const struct in6_addr *daddr,
				      const struct in6_addr *saddr)
{
	u8 group_addr[MAX_ADDR_LEN];
	struct in6_addr group;
	struct ipv6hdr *hdr;
	struct sk_buff *skb;
	unsigned int len;

	if (!ipv6_mod_enabled())
		return NULL;
	addrconf_addr_solict_mult(daddr, &group);
	if (ndisc_mc_map(&group, group_addr, dev, 0))
		return NULL;
	skb = ndisc_ns_create(dev, daddr, saddr, 0);
	if (!skb)
		return NULL;

	len = skb->len;
	icmp6_hdr(skb)->icmp6_cksum = csum_ipv6_magic(saddr, &group, len, IPPROTO_ICMPV6,
						      csum_partial(icmp6_hdr(skb), len, 0));
	hdr = skb_push(skb, sizeof(*hdr));
	skb_reset_network_header(skb);
	ip6_flow_hdr(hdr, 0, 0);
	hdr->payload_len = htons(len);
	hdr->nexthdr = IPPROTO_ICMPV6;
	hdr->hop_limit = 255; /* RFC 4861, 4.3 */
	hdr->saddr = *saddr;
	hdr->daddr = group;

	skb->protocol = htons(ETH_P_IPV6);
	skb->priority = TC_PRIO_CONTROL;
	if (dev_hard_header(skb, dev, ETH_P_IPV6, group_addr, dev->dev_addr, skb->len) < 0) {
		kfree_skb(skb);
		return NULL;
	}
	return skb;
}

struct sk_buff *nh_vlan_insert_tag(struct sk_buff *skb, u16 proto, u16 vid)
{
	return vlan_insert_tag_set_proto(skb, htons(proto), vid);
}

void nh_vlan_put_tag(struct sk_buff *skb, u16 proto, u16 vid)
{
	__vlan_hwaccel_put_tag(skb, htons(proto), vid);
}

/*
 * As ndisc_mc_map(), but with the broadcast address that the link has or had. On some link types,
 * part of the broadcast address goes into the group address.
 */
static int mc_map(const struct in6_addr *group, u8 *group_addr, struct net_device *dev, const u8 *broadcast)
{
	switch (dev->type) {
	case ARPHRD_INFINIBAND:
		ipv6_ib_mc_map(group, broadcast, group_addr);
		return 0;
	case ARPHRD_IPGRE:
		return ipv6_ipgre_mc_map(group, broadcast, group_addr);
	}
	return ndisc_mc_map(group, group_addr, dev, 0);
}

/*
 * Makes @dev receive, or no longer receive, what is sent to the solicited-node group of @addr on a
 * link with this @broadcast.
 */
int nh_solicited_node_change(struct net_device *dev, const struct in6_addr *addr, const u8 *broadcast,
			     bool join)
{
	u8 group_addr[MAX_ADDR_LEN];
	struct in6_addr group;
	int err;

	addrconf_addr_solict_mult(addr, &group);
	err = mc_map(&group, group_addr, dev, broadcast);
	if (err)
		return err;
	return join ? dev_mc_add(dev, group_addr) : dev_mc_del(dev, group_addr);
}

bool nh_is_mc_member(struct net_device *dev, const u8 *addr)
{
	struct netdev_hw_addr *ha;
	bool found = false;

	netif_addr_lock_bh(dev);
	netdev_for_each_mc_addr(ha, dev)
		found = found || !memcmp(ha->addr, addr, dev->addr_len);
	netif_addr_unlock_bh(dev);
	return found;
}

/* Neighbours */

void nh_neigh_ha(struct net_device *dev, const struct neighbour *neigh, u8 *addr)
{
	neigh_ha_snapshot(addr, neigh, dev);
}

int nh_neigh_family(const struct neighbour *neigh)
{
	return neigh->ops->family;
}

/*
 * RFC 5227: the probe has no sender, so receivers take no notice of it, but an IPv4 host that has
 * the address answers.
 */
struct sk_buff *nh_arp_probe(struct net_device *dev, __be32 target, const u8 *to)
{
	return arp_create(ARPOP_REQUEST, ETH_P_ARP, target, dev, 0, to, dev->dev_addr, NULL);
}

/* net/switchdev.h */

#if IS_ENABLED(CONFIG_NET_SWITCHDEV)
/* A walk through the stations that a bridge knows behind its ports but @port. */
struct walk {
	struct notifier_block stations, vlans;
	struct net_device *port;
	nh_station_t call;
	void *context;
	/* The VLANs of the port, and those that it sends without a tag. */
	DECLARE_BITMAP(members, VLAN_N_VID);
	DECLARE_BITMAP(untagged, VLAN_N_VID);
};

/* The bridge names the VLANs of its ports first. */
static int note_vlan(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct walk *walk = container_of(nb, struct walk, vlans);
	const struct switchdev_notifier_port_obj_info *info = ptr;
	const struct switchdev_obj_port_vlan *vlan;

	if (event != SWITCHDEV_PORT_OBJ_ADD || info->obj->id != SWITCHDEV_OBJ_ID_PORT_VLAN ||
	    info->obj->orig_dev != walk->port)
		return NOTIFY_DONE;
	vlan = SWITCHDEV_OBJ_PORT_VLAN(info->obj);
	if (vlan->vid >= VLAN_N_VID)
		return NOTIFY_DONE;
	__set_bit(vlan->vid, walk->members);
	__assign_bit(vlan->vid, walk->untagged, vlan->flags & BRIDGE_VLAN_INFO_UNTAGGED);
	return NOTIFY_DONE;
}

static int note_station(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct walk *walk = container_of(nb, struct walk, stations);
	const struct switchdev_notifier_fdb_info *fdb = ptr;
	bool is_tagged;

	if (event != SWITCHDEV_FDB_ADD_TO_DEVICE || fdb->is_local || fdb->info.dev == walk->port)
		return NOTIFY_DONE;
	/*
	 * A station in a VLAN that the port does not carry is not reached through it. Where the
	 * bridge does not filter VLANs, stations are in none.
	 */
	if (fdb->vid >= VLAN_N_VID || (fdb->vid && !test_bit(fdb->vid, walk->members)))
		return NOTIFY_DONE;
	is_tagged = fdb->vid && !test_bit(fdb->vid, walk->untagged);
	walk->call(walk->context, fdb->addr, is_tagged ? ETH_P_8021Q : 0, is_tagged ? fdb->vid : 0);
	return NOTIFY_DONE;
}
#endif

/*
 * Calls @call, which must not sleep, with each station that a bridge knows behind its ports other
 * than @port, and with the tag that its frames have on @port. Sleeps.
 */
int nh_each_station(struct net_device *port, nh_station_t call, void *context)
{
#if IS_ENABLED(CONFIG_NET_SWITCHDEV)
	struct net_device *bridge = netdev_master_upper_dev_get(port);
	struct walk *walk;
	int err;

	if (!bridge || !netif_is_bridge_master(bridge))
		return -EINVAL;
	walk = kzalloc(sizeof(*walk), GFP_KERNEL);
	if (!walk)
		return -ENOMEM;
	walk->stations.notifier_call = note_station;
	walk->vlans.notifier_call = note_vlan;
	walk->port = port;
	walk->call = call;
	walk->context = context;
	err = switchdev_bridge_port_replay(port, port, walk, &walk->stations, &walk->vlans, NULL);
	kfree(walk);
	return err;
#else
	return -EOPNOTSUPP;
#endif
}

/* net_namespace.h */

unsigned int nh_net_number(const struct net *net)
{
	return net->ns.inum;
}

/* All devices of all namespaces, under RTNL. */
void nh_each_netdev(void (*call)(struct net_device *dev, void *context), void *context)
{
	struct net_device *dev;
	struct net *net;

	ASSERT_RTNL();
	down_read(&net_rwsem);
	for_each_net(net)
		for_each_netdev(net, dev)
			call(dev, context);
	up_read(&net_rwsem);
}

/* platform_device.h */

struct nh_shutdown {
	struct platform_driver driver;
	struct platform_device *device;
	void (*stops)(void);
};

static void call_shutdown(struct platform_device *device)
{
	struct platform_driver *driver = to_platform_driver(device->dev.driver);

	container_of(driver, struct nh_shutdown, driver)->stops();
}

struct nh_shutdown *nh_shutdown_register(const char *name, void (*stops)(void))
{
	struct nh_shutdown *shutdown = kzalloc(sizeof(*shutdown), GFP_KERNEL);
	int err;

	if (!shutdown)
		return ERR_PTR(-ENOMEM);
	shutdown->stops = stops;
	shutdown->driver.shutdown = call_shutdown;
	shutdown->driver.driver.name = name;
	shutdown->driver.driver.suppress_bind_attrs = true;
	err = platform_driver_register(&shutdown->driver);
	if (err)
		goto free;
	shutdown->device = platform_device_register_simple(name, PLATFORM_DEVID_NONE, NULL, 0);
	if (!IS_ERR(shutdown->device))
		return shutdown;
	err = PTR_ERR(shutdown->device);
	platform_driver_unregister(&shutdown->driver);
free:
	kfree(shutdown);
	return ERR_PTR(err);
}

void nh_shutdown_unregister(struct nh_shutdown *shutdown)
{
	platform_device_unregister(shutdown->device);
	platform_driver_unregister(&shutdown->driver);
	kfree(shutdown);
}
