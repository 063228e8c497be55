/* SPDX-License-Identifier: GPL-2.0 */
/* The trace point of bonds; see trace.rs. */

#undef TRACE_SYSTEM
#define TRACE_SYSTEM bonding

#if !defined(NET_HELPERS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define NET_HELPERS_TRACE_H

#include <linux/netdevice.h>
#include <linux/tracepoint.h>

TRACE_EVENT(bond_event,
	TP_PROTO(const struct net_device *dev, const char *text, size_t len),
	TP_ARGS(dev, text, len),
	TP_STRUCT__entry(
		__string(bond, dev->name)
		__string_len(text, text, len)
	),
	TP_fast_assign(
		__assign_str(bond);
		__assign_str(text);
	),
	TP_printk("%s: %s", __get_str(bond), __get_str(text))
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
