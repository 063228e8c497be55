# SPDX-License-Identifier: GPL-2.0
#
# bonding.ko in Rust: the targets for people. The kernel's build system reads Kbuild, not this file.
# Every target makes what it needs, the build environment included; scripts/ does the work.

MAKEFLAGS += --no-print-directory
# Where guests are concerned: distro, debug, kcsan or uml.
GUEST_KERNEL = $(or $(KERNEL),distro)
T ?=
ALSO ?=
ALSO_BEFORE ?=
ALSO_UNTIL ?=
B ?=

.PHONY: help all install deb check test test-reference test-debug test-list fuzz bench demo demo-ethernet fmt fmt-check clippy sparse doc \
	setup update debug-kernel kcsan-kernel uml-kernel guest guest-module clean

all: ## build bonding.ko for the running or the distribution's kernel (KDIR=tree: for another prepared kernel tree; KERNEL=debug: for the debug kernel)
	@scripts/build $(if $(KDIR),--kdir '$(KDIR)') $(if $(KERNEL),--kernel '$(KERNEL)')

help: ## show the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1	\2/p' Makefile | expand -t 24

install: ## install bonding.ko for the running kernel (KDIR=tree: for that tree's kernel)
	@scripts/install $(if $(KDIR),--kdir '$(KDIR)')

deb: ## build the Debian packages, into build/deb (KERNEL_SERIES in the environment: with the modules for that series)
	@scripts/deb

check: ## what a change has to pass first: the sources, and all tests with checkers in User-Mode Linux
	@tests/run --check

test: ## run all tests (T=name or T=name:case: only these; ALSO=name@debug: these, too; ALSO_BEFORE=s, ALSO_UNTIL=s: if their kernel's turn, and their own, comes that early)
	@tests/run --kernel '$(GUEST_KERNEL)' $(if $(ALSO),--also '$(ALSO)') $(if $(ALSO_BEFORE),--also-before '$(ALSO_BEFORE)') \
		$(if $(ALSO_UNTIL),--also-until '$(ALSO_UNTIL)') $(T)

test-reference: ## the same, and the in-tree driver through all tests that say what it does
	@tests/run --kernel '$(GUEST_KERNEL)' --reference

test-debug: ## run the guest tests in kernels with every checker: for hours (T=name: only these)
	@tests/run --kernel debug $(or $(T),--also kcsan)

test-list: ## list the tests, each with the command that runs it alone
	@tests/run --list

fuzz: guest-module ## go on with generated input that nobody has tried (MINUTES=n, default 10; SEED=n OPS=n: this one; SCRIPT=file: this script)
	@tests/fuzz/run --kernel '$(GUEST_KERNEL)' $(if $(MINUTES),--minutes '$(MINUTES)') $(if $(SEED),--seed '$(SEED)') \
		$(if $(OPS),--operations '$(OPS)') $(if $(SCRIPT),--script '$(SCRIPT)') $(if $(CPUS),--cpus '$(CPUS)')

bench: guest-module ## compare what our driver and the in-tree one cost (B="packet scale": only these sections)
	@tests/bench/run $(B)

demo: guest-module ## see it work: two InfiniBand ports as one, while a cable is pulled
	@scripts/guest --kernel '$(GUEST_KERNEL)' --icount -- bash /project/tests/demo.sh

demo-ethernet: guest-module ## the same with Ethernet: a failover, packet by packet
	@scripts/guest --kernel '$(GUEST_KERNEL)' --icount -- bash /project/tests/demo-ethernet.sh

fmt: ## format the sources by the kernel's rules
	@scripts/fmt

fmt-check:
	@scripts/fmt --check

clippy: ## lint host and kernel side
	@scripts/cargo clippy --locked --all-targets -- -D warnings
	@scripts/build --kernel '$(GUEST_KERNEL)' CLIPPY=1

sparse: ## check the C wrappers with sparse
	@scripts/build --kernel '$(GUEST_KERNEL)' C=2

doc: ## documentation of all crates, to build/doc
	@scripts/doc

setup: ## make the build environment (other targets do it when it is missing)
	@scripts/env/setup

update: ## look for a newer kernel
	@scripts/env/setup --update

debug-kernel: ## build the kernel with all checkers (20 minutes or more, once)
	@scripts/env/debug-kernel debug

kcsan-kernel: ## build the kernel that detects data races (the same)
	@scripts/env/debug-kernel kcsan

uml-kernel: ## build the kernel with checkers that needs no emulation (7 to 20 minutes, once)
	@scripts/env/debug-kernel uml

guest: guest-module ## a shell in a guest with our module
	@scripts/guest --kernel '$(GUEST_KERNEL)' --shell

# The module for the guest's kernel, whichever kernel runs here.
guest-module:
	@scripts/build --kernel '$(GUEST_KERNEL)'

clean: ## remove what was built here; the cache stays
	@rm -rf build target
