/* SPDX-License-Identifier: GPL-2.0 */
/* The tracepoint of bonds; see trace.rs. */

#undef TRACE_SYSTEM
#define TRACE_SYSTEM bonding

#if !defined(NET_HELPERS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define NET_HELPERS_TRACE_H

#include <linux/tracepoint.h>

TRACE_EVENT(bond_event,
	TP_PROTO(const char *bond, size_t bond_len, const char *text, size_t text_len),
	TP_ARGS(bond, bond_len, text, text_len),
	TP_STRUCT__entry(
		__string_len(bond, bond, bond_len)
		__string_len(text, text, text_len)
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
