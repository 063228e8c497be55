// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/busy: "TIME IDLE WAKE-UPS": the clock and how much of it the CPU was idle, in nanoseconds, and how
 * often it stopped being idle.
 *
 * In a guest whose clock counts instructions, idle time is skipped, but the clock still includes
 * it. The difference of the two is the number of executed instructions, whatever waited for what.
 * The kernel's own accounting of idle time does not know of interrupts. For one CPU.
 */
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/tracepoint.h>
#include <trace/events/power.h>

/* Written with interrupts off. */
static u64 idle, idle_since, wakeups;
static bool is_idle;

static void end_idle(void)
{
	if (!is_idle)
		return;
	is_idle = false;
	idle += ktime_get_ns() - idle_since;
	wakeups++;
}

static void on_idle(void *data, unsigned int state, unsigned int cpu)
{
	if (state == PWR_EVENT_EXIT) {
		end_idle();
	} else {
		is_idle = true;
		idle_since = ktime_get_ns();
	}
}

/*
 * The event that ends idleness is traced before the idle loop continues. Its arguments do not
 * matter.
 */
static void on_interrupt(void *data)
{
	end_idle();
}

static struct {
	const char *name;
	void *probe;
	struct tracepoint *point;
} watched[] = {
	{ "local_timer_entry", on_interrupt },
	{ "irq_handler_entry", on_interrupt },
	{ "reschedule_entry", on_interrupt },
	{ "call_function_single_entry", on_interrupt },
	{ "irq_work_entry", on_interrupt },
	{ "cpu_idle", on_idle },
};

static void look_at(struct tracepoint *point, void *data)
{
	for (int i = 0; i < ARRAY_SIZE(watched); i++) {
		if (!strcmp(point->name, watched[i].name))
			watched[i].point = point;
	}
}

static int busy_show(struct seq_file *file, void *data)
{
	unsigned long flags;
	u64 time, idle_now, wakeups_now;

	local_irq_save(flags);
	time = ktime_get_ns();
	idle_now = idle;
	wakeups_now = wakeups;
	local_irq_restore(flags);
	seq_printf(file, "%llu %llu %llu\n", time, idle_now, wakeups_now);
	return 0;
}

static void stop(void)
{
	for (int i = 0; i < ARRAY_SIZE(watched); i++) {
		if (watched[i].point)
			tracepoint_probe_unregister(watched[i].point, watched[i].probe, NULL);
	}
	tracepoint_synchronize_unregister();
}

static int __init busy_init(void)
{
	int err = 0;

	for_each_kernel_tracepoint(look_at, NULL);
	for (int i = 0; i < ARRAY_SIZE(watched); i++) {
		if (!watched[i].point)
			pr_info("busy: this kernel has no trace point %s\n", watched[i].name);
		else if (!err)
			err = tracepoint_probe_register(watched[i].point, watched[i].probe, NULL);
		if (err)
			watched[i].point = NULL;
	}
	if (!err && !proc_create_single("busy", 0444, NULL, busy_show))
		err = -ENOMEM;
	if (err)
		stop();
	return err;
}

static void __exit busy_exit(void)
{
	remove_proc_entry("busy", NULL);
	stop();
}

module_init(busy_init);
module_exit(busy_exit);
MODULE_DESCRIPTION("How much of its time the CPU was not idle");
MODULE_LICENSE("GPL");
