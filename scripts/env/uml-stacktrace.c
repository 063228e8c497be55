// SPDX-License-Identifier: GPL-2.0
/*
 * Stack traces of User-Mode Linux, in place of arch/um/kernel/stacktrace.c when scripts/env builds that kernel.
 *
 * The kernel's own looks up each word of a stack, whether it may be an address, and the checkers ask for a trace at
 * each allocation and each release: four fifths of all that such a kernel did. This one goes from frame to frame, along
 * the frame pointers, and finds the same.
 */
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <linux/stacktrace.h>
#include <asm/sections.h>
#include <asm/stacktrace.h>

static bool is_text(unsigned long address)
{
	return core_kernel_text(address) || (address >= MODULES_VADDR && address < MODULES_END);
}

void noinline __no_sanitize_address dump_trace(struct task_struct *task, const struct stacktrace_ops *ops, void *data)
{
	struct pt_regs *regs = task->thread.segv_regs;
	unsigned long low = (unsigned long)get_stack_pointer(task, regs);
	unsigned long end = (low | (THREAD_SIZE - 1)) + 1;
	struct stack_frame *frame = (void *)get_frame_pointer(task, regs);

	/* Callers lie above whom they call, on the same stack. What begins a stack is no frame. */
	while ((unsigned long)frame >= low && (unsigned long)(frame + 1) <= end &&
	       IS_ALIGNED((unsigned long)frame, sizeof(long))) {
		unsigned long address = READ_ONCE_NOCHECK(frame->return_address);

		if (!is_text(address))
			break;
		ops->address(data, address, 1);
		low = (unsigned long)(frame + 1);
		frame = READ_ONCE_NOCHECK(frame->next_frame);
	}
}

static void keep(void *data, unsigned long address, int reliable)
{
	struct stack_trace *trace = data;

	if (trace->skip)
		trace->skip--;
	else if (trace->nr_entries < trace->max_entries)
		trace->entries[trace->nr_entries++] = address;
}

static const struct stacktrace_ops keep_ops = {
	.address = keep,
};

void save_stack_trace(struct stack_trace *trace)
{
	/* The first one is this function. */
	trace->skip++;
	dump_trace(current, &keep_ops, trace);
}
EXPORT_SYMBOL_GPL(save_stack_trace);

void save_stack_trace_tsk(struct task_struct *task, struct stack_trace *trace)
{
	trace->skip += task == current;
	dump_trace(task, &keep_ops, trace);
}
EXPORT_SYMBOL_GPL(save_stack_trace_tsk);
