// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/busy: "TIME IDLE", both in nanoseconds: the clock, and how much of it the first CPU was idle.
 *
 * In a guest whose clock counts instructions, idle time is skipped, and the clock shows it all the
 * same. The difference of both is the instructions that were executed, whatever waited for what.
 */
#include <linux/kernel_stat.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

static int busy_show(struct seq_file *file, void *data)
{
	unsigned long flags;
	u64 time, idle;

	local_irq_save(flags);
	time = ktime_get_ns();
	idle = get_cpu_idle_time_us(0, NULL) + get_cpu_iowait_time_us(0, NULL);
	local_irq_restore(flags);
	seq_printf(file, "%llu %llu\n", time, idle * NSEC_PER_USEC);
	return 0;
}

static int __init busy_init(void)
{
	return proc_create_single("busy", 0444, NULL, busy_show) ? 0 : -ENOMEM;
}

static void __exit busy_exit(void)
{
	remove_proc_entry("busy", NULL);
}

module_init(busy_init);
module_exit(busy_exit);
MODULE_DESCRIPTION("How much of its time the CPU was not idle");
MODULE_LICENSE("GPL");
