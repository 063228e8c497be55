// SPDX-License-Identifier: GPL-2.0
/* Makes the kernel complain, to prove that scripts/guest notices. */

#include <linux/bug.h>
#include <linux/module.h>
#include <linux/string.h>

static char *kind = "none";
module_param(kind, charp, 0444);
MODULE_PARM_DESC(kind, "warn, bug, oops, or none");

static int __init splat_init(void)
{
	if (!strcmp(kind, "warn"))
		WARN(1, "splat: asked for\n");
	else if (!strcmp(kind, "bug"))
		BUG();
	else if (!strcmp(kind, "oops"))
		/* The first page is never mapped. */
		WRITE_ONCE(*(int *)8, 1);
	return 0;
}

static void __exit splat_exit(void)
{
}

module_init(splat_init);
module_exit(splat_exit);
MODULE_DESCRIPTION("Makes the kernel complain, for tests");
MODULE_LICENSE("GPL");
