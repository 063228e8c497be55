/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions for what Rust cannot express: static inlines, lockdep classes, structures of unions.
 *
 * Context and locking are those of the kernel function that a helper stands for.
 */
#ifndef RDMA_HELPERS_H
#define RDMA_HELPERS_H

#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <rdma/ib_verbs.h>

/* spinlock.h, bottom_half.h */
void rh_spin_lock_init(spinlock_t *lock, const char *name, void *key);
unsigned long rh_spin_lock_irqsave(spinlock_t *lock);
void rh_spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags);
bool rh_bh_disable(void);
void rh_bh_enable(void);

/* workqueue.h */
void rh_init_work(struct work_struct *work, work_func_t func);
void rh_init_delayed_work(struct delayed_work *work, work_func_t func);
bool rh_queue_bh_work(struct work_struct *work);
bool rh_queue_delayed_work(struct delayed_work *work, unsigned int msecs);

/* timekeeping.h */
u64 rh_monotonic_ms(void);

/* rdma/ib_verbs.h: address vectors of InfiniBand ports */
struct rh_av {
	u32 flow_label;
	u32 port_num;
	u16 dlid;
	u8 dgid[16];
	u8 sl;
	u8 static_rate;
	u8 src_path_bits;
	u8 sgid_index;
	u8 hop_limit;
	u8 traffic_class;
	bool grh;
};

void rh_av_from_attr(struct rh_av *av, const struct rdma_ah_attr *attr);
void rh_av_to_attr(const struct rh_av *av, struct rdma_ah_attr *attr);
void rh_set_limits(struct ib_device_attr *attr, u32 qps, u32 sges, u32 mrs, u32 groups);
void rh_set_parent(struct ib_device *ibdev, struct device *parent);

#endif
