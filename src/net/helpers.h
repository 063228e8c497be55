/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions for what Rust cannot express: static inlines, static keys, lockdep classes, per-CPU
 * data. One helper does one operation of its caller, so that a hot path crosses the language
 * boundary at most once.
 *
 * Context and locking are those of the kernel function that a helper stands for. If a helper takes
 * a lock itself, its comment says so.
 */
#ifndef NET_HELPERS_H
#define NET_HELPERS_H

#include <linux/dcache.h>
#include <linux/hrtimer.h>
#include <linux/in6.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>

/* debugfs.h, seq_file.h */

/*
 * How a file is shown. This is the first field of the file's content, to which the private pointer
 * of the seq_file points.
 */
struct nh_shown {
	int (*show)(struct seq_file *seq, void *v);
};

struct dentry *nh_debugfs_create_dir(const char *name, struct dentry *parent);
void nh_debugfs_remove(struct dentry *dentry);
struct dentry *nh_debugfs_create_file(const char *name, struct dentry *dir, struct nh_shown *shown);

/* netdevice.h */
struct net *nh_dev_net(const struct net_device *dev);
void nh_dev_net_set(struct net_device *dev, struct net *net);
/* Where the private flags are: a bit-field has no offset, but the group that begins with it has. */
static const u32 NH_PRIV_FLAGS = offsetof(struct net_device, priv_flags_fast);
u32 nh_priv_flags(const struct net_device *dev);
void nh_change_priv_flags(struct net_device *dev, u32 set, u32 clear);
void nh_setup_software_device(struct net_device *dev, const struct device_type *type);
void nh_set_master_features(struct net_device *dev);
void nh_want_xfrm_features(struct net_device *dev, bool want);
netdev_features_t nh_base_features(netdev_features_t features);
netdev_features_t nh_add_tso_features(netdev_features_t features, netdev_features_t mask);
void nh_lockdep_set_classes(struct net_device *dev);
void nh_eth_hw_addr_random(struct net_device *dev);
int nh_keep_addr_on_down(struct net_device *dev, int keep);
int nh_sync_addresses_locked(struct net_device *to, struct net_device *from, bool multiple);
int nh_sync_addresses(struct net_device *to, struct net_device *from, bool multiple);
void nh_dev_hold(struct net_device *dev, netdevice_tracker *tracker);
void nh_dev_put(struct net_device *dev, netdevice_tracker *tracker);
bool nh_linkwatch_pending(const struct net_device *dev);
bool nh_is_macvlan(const struct net_device *dev);
void nh_unregister_netdevice(struct net_device *dev);

/* net/netdev_lock.h: the instance lock of devices that ask for it */
bool nh_needs_ops_lock(const struct net_device *dev);
void nh_restore_mtu(struct net_device *dev, int mtu);
int nh_link_settings(struct net_device *dev, u32 *speed, u8 *duplex);
void nh_lock_ops(struct net_device *dev);
void nh_unlock_ops(struct net_device *dev);

/* linux/pm_runtime.h: the hardware behind a device */
int nh_keep_awake(struct net_device *dev, bool *held);
void nh_wake(struct net_device *dev);
void nh_let_sleep(struct net_device *dev);
bool nh_device_present(const struct net_device *dev);

/* filter.h: whether packets sent back by an XDP program may leave through another lower device */
void nh_xdp_redirect_master(bool more);

/* flow_dissector.h */
bool nh_has_flow_dissector(const struct net *net);

/* skbuff.h, netdevice.h: packets */
static const gfp_t NH_GFP_ATOMIC = GFP_ATOMIC;
/* Where the number of references to the data of a packet is, behind the end of the data. */
static const u32 NH_DATAREF = offsetof(struct skb_shared_info, dataref);
static const u32 NH_DATAREF_SHIFT = SKB_DATAREF_SHIFT;
static const u32 NH_DATAREF_MASK = SKB_DATAREF_MASK;
void nh_count_tx_drop(struct net_device *dev);
bool nh_irqs_disabled(void);
struct net_device *nh_tls_device(const struct sk_buff *skb);
void nh_sock_ends(const struct sock *sk, u32 *src, u32 *dst, u32 *ports);
struct sk_buff *nh_share_check(struct sk_buff *skb);
void nh_tx_drop(struct net_device *dev, struct sk_buff *skb);
#ifdef CONFIG_XFRM
/* The extension bit of a packet whose IPsec is left to the hardware. */
static const u8 NH_EXT_SEC_PATH = 1 << SKB_EXT_SEC_PATH;
#endif
bool nh_needs_other_ipsec(struct sk_buff *skb, const struct net_device *dev);
void nh_consume_skb(struct sk_buff *skb);
int nh_send_control(struct net_device *dev, const void *frame, unsigned int len);
void nh_ether_dest(const struct sk_buff *skb, u8 *addr);
void nh_ether_source(const struct sk_buff *skb, u8 *addr);
int nh_transmit_counted(struct sk_buff *skb, u64 __percpu *counter);
bool nh_set_ether_source(struct sk_buff *skb, const u8 *addr);
bool nh_set_ether_dest(struct sk_buff *skb, const u8 *addr);
bool nh_overwrite(struct sk_buff *skb, int at, const void *bytes, int len);
void nh_accept(struct sk_buff *skb);
bool nh_ether_dest_is_link_local(const struct sk_buff *skb);
u32 __percpu *nh_alloc_counter(void);
void nh_free_counter(u32 __percpu *counter);
u32 nh_inc_counter(u32 __percpu *counter);
u64 __percpu *nh_alloc_counters(unsigned int count);
void nh_free_counters(u64 __percpu *counters);
void nh_add_to_counter(u64 __percpu *counters, unsigned int place, unsigned int count);
u64 nh_sum_counter(u64 __percpu *counters, unsigned int place);
u32 nh_random_u32(void);

/* workqueue.h, spinlock.h, rcupdate.h */
struct workqueue_struct *nh_alloc_workqueue(const char *name);
struct workqueue_struct *nh_alloc_free_workqueue(const char *name);
void nh_init_delayed_work(struct delayed_work *work, work_func_t func, const char *name,
			  struct lock_class_key *class);
void nh_init_rcu_work(struct rcu_work *work, work_func_t func);
bool nh_mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *work,
			 unsigned long delay);
void nh_init_work(struct work_struct *work, work_func_t func, const char *name,
		  struct lock_class_key *class);
bool nh_queue_work(struct workqueue_struct *wq, struct work_struct *work);
void nh_spin_lock_init(spinlock_t *lock, const char *name, struct lock_class_key *class);
void nh_spin_lock(spinlock_t *lock);
void nh_spin_lock_nested(spinlock_t *lock, int subclass);
void nh_spin_unlock(spinlock_t *lock);
void nh_spin_lock_bh(spinlock_t *lock);
void nh_spin_unlock_bh(spinlock_t *lock);
u64 nh_jiffies(void);
u64 nh_monotonic_ms(void);
u64 nh_monotonic_us(void);

/* net/netns/generic.h, linux/capability.h */
void *nh_net_generic(const struct net *net, unsigned int id);
bool nh_net_admin(const struct net *net);
struct list_head *nh_net_devices(struct net *net);
struct proc_dir_entry *nh_proc_net(const struct net *net);
const struct ns_common *nh_net_ns(const struct net *net);

/* netdevice.h: header operations of another device */
int nh_header_create(struct net_device *dev, struct sk_buff *skb, u16 type,
		     const void *daddr, const void *saddr, unsigned int len);
int nh_header_parse(const struct net_device *dev, const struct sk_buff *skb, u8 *haddr);

/* linux/sysfs.h, linux/sched/signal.h */
int nh_restart_syscall(void);
void nh_sysfs_attr_init(struct attribute *attr);

/* neighbour.h */
int nh_neigh_setup_from(struct net_device *dev, struct neighbour *neigh);

/* neighbour.h, net/arp.h: RCU */
bool nh_is_mc_member(struct net_device *dev, const u8 *addr);
void nh_neigh_ha(struct net_device *dev, const struct neighbour *neigh, u8 *addr);
int nh_neigh_family(const struct neighbour *neigh);
struct sk_buff *nh_arp_probe(struct net_device *dev, __be32 target, const u8 *to);

/* hrtimer.h */
void nh_hrtimer_setup(struct hrtimer *timer, enum hrtimer_restart (*func)(struct hrtimer *));
void nh_hrtimer_start_at_us(struct hrtimer *timer, u64 us);

/* net/route.h, net/ip6_route.h: RCU; NULL without a route */
struct net_device *nh_route_dev(struct net *net, __be32 daddr);
struct net_device *nh_route_dev6(struct net *net, const struct in6_addr *daddr, int oif);
bool nh_vlan_tag(const struct net_device *dev, u16 *proto, u16 *vid);

/* inetdevice.h, net/addrconf.h: RCU */
__be32 nh_confirm_addr(struct net_device *dev, __be32 daddr, __be32 local);
bool nh_has_addr6(struct net_device *dev, const struct in6_addr *addr);
bool nh_is_bridge_addr(struct net *net, __be32 addr);
bool nh_is_bridge_addr6(struct net *net, const struct in6_addr *addr);
bool nh_source_addr6(struct net_device *dev, const struct in6_addr *daddr, struct in6_addr *saddr);

/* net/arp.h, net/ndisc.h: complete frames, to which VLAN tags can be added */
struct sk_buff *nh_arp_request(struct net_device *dev, __be32 daddr, __be32 saddr);
struct sk_buff *nh_ndisc_solicitation(struct net_device *dev, const struct in6_addr *daddr,
				      const struct in6_addr *saddr);
struct sk_buff *nh_vlan_insert_tag(struct sk_buff *skb, u16 proto, u16 vid);
void nh_vlan_put_tag(struct sk_buff *skb, u16 proto, u16 vid);
int nh_solicited_node_change(struct net_device *dev, const struct in6_addr *addr, const u8 *broadcast,
			     bool join);

/* net/switchdev.h: RTNL */

/* Where the caller collects what nh_each_station() finds. */
typedef void (*nh_station_t)(void *context, const u8 *addr, u16 proto, u16 vid);
int nh_each_station(struct net_device *port, nh_station_t call, void *context);

/* net_namespace.h */
unsigned int nh_net_number(const struct net *net);
void nh_each_netdev(void (*call)(struct net_device *dev, void *context), void *context);

/* platform_device.h: the end of the machine's run. Sleeps. */
struct nh_shutdown;
struct nh_shutdown *nh_shutdown_register(const char *name, void (*stops)(void));
void nh_shutdown_unregister(struct nh_shutdown *shutdown);

#endif
