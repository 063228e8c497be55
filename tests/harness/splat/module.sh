# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# splat_module [KERNEL]: builds the module that makes the kernel complain; SPLAT is where the guest has it.
splat_module() {
	local kernel=${1-distro} out
	out=build/harness/splat-$kernel
	mkdir -p "$out"
	# The compiler that built the kernel.
	scripts/env/in-tree --kernel "$kernel" sh -c '
		compiler=$(sed -nE '\''s/^CONFIG_CC_VERSION_TEXT="([^ "]+).*/\1/p'\'' /usr/src/kdir/.config)
		! grep -q "^CONFIG_CC_IS_CLANG=y" /usr/src/kdir/.config || compiler=clang
		exec make -s -C /usr/src/kdir M=/project/tests/harness/splat MO="/project/$1" CC="$compiler"' sh "$out"
	# shellcheck disable=SC2034
	SPLAT=/project/$out/splat.ko
}
