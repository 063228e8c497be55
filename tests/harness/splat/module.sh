# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# splat_module [KERNEL]: builds the module that makes the kernel complain; SPLAT is where the guest has it.
splat_module() {
	local kernel=${1-distro} out words
	out=build/harness/splat-$kernel
	mkdir -p "$out"
	words=$(
		. scripts/env/common.sh
		module_words "$(kernel_folder "$kernel")/kdir"
	)
	mapfile -t words <<<"$words"
	scripts/env/in-tree --kernel "$kernel" make -s -C /usr/src/kdir M=/project/tests/harness/splat MO="/project/$out" "${words[@]}"
	# shellcheck disable=SC2034
	SPLAT=/project/$out/splat.ko
}
