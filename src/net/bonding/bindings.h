/* SPDX-License-Identifier: GPL-2.0 */
/* What bindgen reads of bonds; ../bindings.h includes it. */

#include <linux/if_bonding.h>
#include <net/bonding.h>

#include "helpers.h"
