/* SPDX-License-Identifier: GPL-2.0 */
/* What bindgen reads: the C headers that the crate wraps, and the helpers. */

#include <linux/moduleparam.h>
#include <linux/workqueue.h>
#include <rdma/ib_mad.h>
#include <rdma/ib_verbs.h>

#include "helpers.h"
