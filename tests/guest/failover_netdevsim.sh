#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest: --icount
# timeout: 600
# kernels: distro debug kcsan
#
# Failover over netdevsim. Its devices use the instance lock, and their link events are not urgent
# by themselves: a driver that does not mark its slaves as ports hears of a lost link up to a second
# late.

LINKS=netdevsim
. "${BASH_SOURCE[0]%/*}/failover/cases.sh"

ktap_main "$@"
