/* SPDX-License-Identifier: GPL-2.0 */
/* How the tools of the benchmark measure. */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends a tool because of a system call's errno. */
static void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

/*
 * The nanoseconds (that is, instructions) during which the CPU has not been idle so far; see
 * modules/busy.c.
 */
static uint64_t busy(void)
{
	unsigned long long clock, idle;
	FILE *file = fopen("/proc/busy", "r");

	if (!file || fscanf(file, "%llu %llu", &clock, &idle) != 2)
		die("/proc/busy");
	fclose(file);
	return clock - idle;
}
