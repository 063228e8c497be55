# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# splat_module [KERNEL]: builds the module that makes the kernel complain; sets SPLAT to its path in
# the guest.
splat_module() {
	local kernel=${1-distro} out
	out=build/harness/splat-$kernel
	mkdir -p "$out"
	scripts/env/make-module "$kernel" M=/project/tests/harness/splat MO="/project/$out"
	# shellcheck disable=SC2034
	SPLAT=/project/$out/splat.ko
}
