/* SPDX-License-Identifier: GPL-2.0 */
/* Like ../helpers.h, for what only bonds have. */
#ifndef NET_BONDING_HELPERS_H
#define NET_BONDING_HELPERS_H

#include <linux/net_tstamp.h>
#include <linux/types.h>

/* net_tstamp.h */
int nh_hwtstamp_of_lower(struct kernel_hwtstamp_config *config);

/* trace.h */
bool nh_traces_bond_event(void);
void nh_trace_bond_event(const char *bond, size_t bond_len, const char *text, size_t text_len);

#endif
