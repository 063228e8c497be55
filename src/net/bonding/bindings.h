/* SPDX-License-Identifier: GPL-2.0 */
/* The headers that bindgen reads for bonds; ../bindings.h includes this file. */

#include <linux/if_bonding.h>
#include <net/bonding.h>

#include "helpers.h"
