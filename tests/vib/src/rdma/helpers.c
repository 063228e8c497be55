// SPDX-License-Identifier: GPL-2.0

#include <linux/bottom_half.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <rdma/ib_verbs.h>

#include "helpers.h"

/* spinlock.h, bottom_half.h */

void rh_spin_lock_init(spinlock_t *lock, const char *name, void *key)
{
	spin_lock_init(lock);
	lockdep_set_class_and_name(lock, (struct lock_class_key *)key, name);
}

unsigned long rh_spin_lock_irqsave(spinlock_t *lock)
{
	unsigned long flags;

	spin_lock_irqsave(lock, flags);
	return flags;
}

void rh_spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags)
{
	spin_unlock_irqrestore(lock, flags);
}

/* Where interrupts are off, bottom halves must not be enabled again: says whether they were disabled. */
bool rh_bh_disable(void)
{
	if (irqs_disabled())
		return false;
	local_bh_disable();
	return true;
}

void rh_bh_enable(void)
{
	local_bh_enable();
}

/* workqueue.h */

void rh_init_work(struct work_struct *work, work_func_t func)
{
	INIT_WORK(work, func);
}

void rh_init_delayed_work(struct delayed_work *work, work_func_t func)
{
	INIT_DELAYED_WORK(work, func);
}

bool rh_queue_bh_work(struct work_struct *work)
{
	return queue_work(system_bh_wq, work);
}

bool rh_queue_delayed_work(struct delayed_work *work, unsigned int msecs)
{
	return queue_delayed_work(system_dfl_wq, work, msecs_to_jiffies(msecs));
}

/* timekeeping.h */

u64 rh_monotonic_ms(void)
{
	return ktime_to_ms(ktime_get());
}

/* rdma/ib_verbs.h */

void rh_av_from_attr(struct rh_av *av, const struct rdma_ah_attr *attr)
{
	memset(av, 0, sizeof(*av));
	av->port_num = rdma_ah_get_port_num(attr);
	av->dlid = rdma_ah_get_dlid(attr);
	av->sl = rdma_ah_get_sl(attr);
	av->static_rate = rdma_ah_get_static_rate(attr);
	av->src_path_bits = rdma_ah_get_path_bits(attr);
	if (rdma_ah_get_ah_flags(attr) & IB_AH_GRH) {
		const struct ib_global_route *grh = rdma_ah_read_grh(attr);

		av->grh = true;
		memcpy(av->dgid, grh->dgid.raw, sizeof(av->dgid));
		av->flow_label = grh->flow_label;
		av->sgid_index = grh->sgid_index;
		av->hop_limit = grh->hop_limit;
		av->traffic_class = grh->traffic_class;
	}
}

void rh_av_to_attr(const struct rh_av *av, struct rdma_ah_attr *attr)
{
	memset(attr, 0, sizeof(*attr));
	attr->type = RDMA_AH_ATTR_TYPE_IB;
	rdma_ah_set_port_num(attr, av->port_num);
	rdma_ah_set_dlid(attr, av->dlid);
	rdma_ah_set_sl(attr, av->sl);
	rdma_ah_set_static_rate(attr, av->static_rate);
	rdma_ah_set_path_bits(attr, av->src_path_bits);
	if (av->grh) {
		union ib_gid dgid;

		memcpy(dgid.raw, av->dgid, sizeof(dgid.raw));
		rdma_ah_set_grh(attr, &dgid, av->flow_label, av->sgid_index,
				av->hop_limit, av->traffic_class);
	}
}

/* The limits are signed up to 7.2, and unsigned from 7.3 on. */
void rh_set_limits(struct ib_device_attr *attr, u32 qps, u32 sges, u32 mrs, u32 groups)
{
	attr->max_qp = qps;
	attr->max_send_sge = sges;
	attr->max_recv_sge = sges;
	attr->max_sge_rd = sges;
	attr->max_mr = mrs;
	attr->max_mcast_grp = groups;
	attr->max_mcast_qp_attach = qps;
	attr->max_total_mcast_qp_attach = qps;
}

void rh_set_parent(struct ib_device *ibdev, struct device *parent)
{
	ibdev->dev.parent = parent;
}
