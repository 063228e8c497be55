// SPDX-License-Identifier: GPL-2.0

#include <linux/net_tstamp.h>
#include <linux/netdevice.h>
#include <linux/uaccess.h>

#include "helpers.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/* net_tstamp.h */

/* Tells user space that the clock is that of a lower device, and that it may change. */
int nh_hwtstamp_of_lower(struct kernel_hwtstamp_config *config)
{
	void __user *place;
	struct hwtstamp_config copied;

	if (!config->copied_to_user) {
		config->flags |= HWTSTAMP_FLAG_BONDED_PHC_INDEX;
		return 0;
	}

	/* The driver of the lower device has already copied its answer to user space. */
	place = config->ifr->ifr_data;
	if (copy_from_user(&copied, place, sizeof(copied)))
		return -EFAULT;
	copied.flags |= HWTSTAMP_FLAG_BONDED_PHC_INDEX;
	return copy_to_user(place, &copied, sizeof(copied)) ? -EFAULT : 0;
}

/* trace.h */

bool nh_traces_bond_event(void)
{
	return trace_bond_event_enabled();
}

void nh_trace_bond_event(const char *bond, size_t bond_len, const char *text, size_t text_len)
{
	trace_bond_event(bond, bond_len, text, text_len);
}
