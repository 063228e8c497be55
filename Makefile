# SPDX-License-Identifier: GPL-2.0
#
# bonding.ko in Rust: for people. The kernel's build system reads Kbuild, not this file.
# The targets make the build environment by themselves; scripts/ does the work.

MAKEFLAGS += --no-print-directory
BUILD = scripts/build $(if $(KDIR),--kdir '$(KDIR)')

.PHONY: all
all:
	@$(BUILD)
