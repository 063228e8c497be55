// SPDX-License-Identifier: GPL-2.0
/* Makes the kernel complain, to prove that scripts/guest notices. */

#include <linux/bug.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timer.h>

static char *kind = "none";
module_param(kind, charp, 0444);
MODULE_PARM_DESC(kind, "which fault to make, or none");

static void warn(void)
{
	WARN(1, "splat: asked for\n");
}

static void bug(void)
{
	BUG();
}

static void oops(void)
{
	/* The first page is never mapped. */
	WRITE_ONCE(*(int *)8, 1);
}

/* ---- memory ---- */

static void use_after_free(void)
{
	int *freed = kmalloc(64, GFP_KERNEL);

	kfree(freed);
	OPTIMIZER_HIDE_VAR(freed);
	WRITE_ONCE(freed[1], 1);
}

static void out_of_bounds(void)
{
	char *small = kmalloc(24, GFP_KERNEL);
	size_t length = 24;

	OPTIMIZER_HIDE_VAR(length);
	OPTIMIZER_HIDE_VAR(small);
	if (small)
		WRITE_ONCE(small[length], 1);
	kfree(small);
}

static void shift(void)
{
	int bits = 40;

	OPTIMIZER_HIDE_VAR(bits);
	pr_info("splat: %d\n", 1 << bits);
}

static void array(void)
{
	static int few[4];
	int index = 5;

	OPTIMIZER_HIDE_VAR(index);
	pr_info("splat: %d\n", READ_ONCE(few[index]));
}

static void *forgotten;

static void leak(void)
{
	int i;

	for (i = 0; i < 10; i++)
		WRITE_ONCE(forgotten, kmalloc(192, GFP_KERNEL));
	WRITE_ONCE(forgotten, NULL);
}

static void list(void)
{
	LIST_HEAD(head);
	static struct list_head entry;

	list_add(&entry, &head);
	list_add(&entry, &head);
}

static void refcount(void)
{
	refcount_t count = REFCOUNT_INIT(0);

	refcount_inc(&count);
}

static void expired(struct timer_list *timer)
{
}

/* Freed while it is armed. */
static void object(void)
{
	struct timer_list *timer = kzalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return;
	timer_setup(timer, expired, 0);
	mod_timer(timer, jiffies + 3600 * HZ);
	kfree(timer);
	timer_delete(timer);
}

static void netdev_reference(void)
{
	struct net_device *dev = alloc_netdev(0, "splat%d", NET_NAME_UNKNOWN, ether_setup);
	netdevice_tracker tracker;

	if (!dev)
		return;
	netdev_hold(dev, &tracker, GFP_KERNEL);
	free_netdev(dev);
}

/* Given back twice. */
static void netns_reference(void)
{
	netns_tracker tracker, same;

	__netns_tracker_alloc(&init_net, &tracker, true, GFP_KERNEL);
	same = tracker;
	__netns_tracker_free(&init_net, &tracker, true);
	__netns_tracker_free(&init_net, &same, true);
}

static void debug_net(void)
{
	DEBUG_NET_WARN_ON_ONCE(1);
}

/* ---- contexts ---- */

static void sleep_in_atomic(void)
{
	preempt_disable();
	might_sleep();
	preempt_enable();
}

static void schedule_in_atomic(void)
{
	preempt_disable();
	schedule();
	preempt_enable();
}

static int __rcu *pointer;

static void rcu(void)
{
	if (rcu_dereference(pointer))
		pr_info("splat: a pointer\n");
}

static DEFINE_MUTEX(one);
static DEFINE_MUTEX(other);

static void lock_order(void)
{
	mutex_lock(&one);
	mutex_lock(&other);
	mutex_unlock(&other);
	mutex_unlock(&one);
	mutex_lock(&other);
	mutex_lock(&one);
	mutex_unlock(&one);
	mutex_unlock(&other);
}

/* Never initialised. */
static void lock_key(void)
{
	spinlock_t *lock = kzalloc(sizeof(*lock), GFP_KERNEL);

	if (!lock)
		return;
	spin_lock(lock);
	spin_unlock(lock);
	kfree(lock);
}

static int sleeper(void *unused)
{
	set_current_state(TASK_UNINTERRUPTIBLE);
	schedule_timeout(20 * HZ);
	return 0;
}

static void hang(void)
{
	kthread_run(sleeper, NULL, "splat");
	ssleep(30);
}

static void stall(void)
{
	preempt_disable();
	mdelay(9000);
	preempt_enable();
}

/* ---- data races ---- */

static int shared;

static void count_up(void)
{
	unsigned long end = jiffies + 20 * HZ;
	int i;

	while (time_before(jiffies, end)) {
		for (i = 0; i < 1000; i++) {
			shared++;
			barrier();
		}
		cond_resched();
	}
}

static int racer(void *unused)
{
	count_up();
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void race(void)
{
	struct task_struct *task = kthread_run(racer, NULL, "splat");

	count_up();
	if (!IS_ERR(task))
		kthread_stop(task);
}

static const struct {
	const char *name;
	void (*make)(void);
} kinds[] = {
	{ "warn", warn },
	{ "bug", bug },
	{ "oops", oops },
	{ "use_after_free", use_after_free },
	{ "out_of_bounds", out_of_bounds },
	{ "shift", shift },
	{ "array", array },
	{ "leak", leak },
	{ "list", list },
	{ "refcount", refcount },
	{ "object", object },
	{ "netdev_reference", netdev_reference },
	{ "netns_reference", netns_reference },
	{ "debug_net", debug_net },
	{ "sleep_in_atomic", sleep_in_atomic },
	{ "schedule_in_atomic", schedule_in_atomic },
	{ "rcu", rcu },
	{ "lock_order", lock_order },
	{ "lock_key", lock_key },
	{ "hang", hang },
	{ "stall", stall },
	{ "race", race },
};

static int __init splat_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kind, kinds[i].name))
			continue;
		kinds[i].make();
		return 0;
	}
	return strcmp(kind, "none") ? -EINVAL : 0;
}

static void __exit splat_exit(void)
{
}

module_init(splat_init);
module_exit(splat_exit);
MODULE_DESCRIPTION("Makes the kernel complain, for tests");
MODULE_LICENSE("GPL");
