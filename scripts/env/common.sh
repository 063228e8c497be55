# SPDX-License-Identifier: GPL-2.0
# Shared by the environment scripts: messages, the cache, root, and steps with progress.
# Sourced, never run.

ENV_DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
PROJECT=$(readlink -f "$ENV_DIR/../..")
PATH=$PATH:/usr/sbin:/sbin # not in everybody's PATH
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/bonding-rs

# The series of kernels whose tests pass, the preferred one first; no other place names them.
# Modules have no stable interface in the kernel, so moving to a newer series is a deliberate step,
# not a surprise on a Monday.
SUPPORTED_SERIES="7.3 7.2"
# The folder of the links to the kernels in use: "kernel", "debug" and "kcsan". A series that was
# chosen by hand has a folder of links of its own, next to those of the default.
LINKS=$CACHE${KERNEL_SERIES:+/series-$KERNEL_SERIES}

# Print one sentence for a person on standard error, and exit.
die() {
	printf '%s: %s\n' "${PROG:-${0##*/}}" "$*" >&2
	exit 1
}

say() { printf '%s\n' "$*" >&2; }

if [ -n "${KERNEL_SERIES:-}" ] && ! [[ $KERNEL_SERIES =~ ^[0-9]+\.[0-9]+$ ]]; then
	die "KERNEL_SERIES is \"$KERNEL_SERIES\" and must be one series of kernels, such as ${SUPPORTED_SERIES%% *}: correct it, or unset it for the newest that is supported."
fi

# say_if_untested RELEASE: warns if the kernel is of a series that is not supported.
say_if_untested() {
	local series
	series=$(grep -oE '^[0-9]+\.[0-9]+' <<<"$1") || series=$1
	[[ " $SUPPORTED_SERIES " != *" $series "* ]] || return 0
	say "Kernel $1 is of the series $series, with which this driver was not tested; those that it was tested with are $SUPPORTED_SERIES."
}

# Make the link NAME, in the folder of the kernels in use, point to FOLDER of the cache.
use() { # FOLDER NAME
	local up=
	[ "$LINKS" = "$CACHE" ] || up=../
	mkdir -p "$LINKS"
	ln -sfn "$up$1" "$LINKS/$2"
}

# The folder of the cache to which a link of the kernels in use points.
used() { # NAME
	basename "$(readlink "$LINKS/$1")" 2>/dev/null
}

# Print "ID VERSION" of the machine's distribution.
distribution() {
	(
		# shellcheck source=/dev/null
		. "${BONDING_OS_RELEASE:-/etc/os-release}" 2>/dev/null && echo "${ID:-unknown} ${VERSION_ID:-}"
	) || echo unknown
}

# kernel_folder NAME: prints the folder of a kernel's prepared tree (kdir) and modules.
kernel_folder() {
	case $1 in
	distro) echo "$LINKS/kernel" ;;
	debug | kcsan | uml) echo "$LINKS/$1" ;;
	*) die "there is no kernel \"$1\": it is distro, debug, kcsan or uml." ;;
	esac
}

# module_words TREE: prints the arguments that "make" needs to build a module for the kernel of a
# prepared tree, one per line.
module_words() {
	local compiler
	# Use the compiler that prepared the tree, not whatever "gcc" is.
	compiler=$(sed -nE 's/^CONFIG_CC_VERSION_TEXT="([^ "]+).*/\1/p' "$1/.config")
	! grep -q '^CONFIG_CC_IS_CLANG=y' "$1/.config" || compiler=clang
	[ -n "$compiler" ] || die "$1/.config does not say which compiler built the kernel (CONFIG_CC_VERSION_TEXT): prepare the tree again."
	echo "CC=$compiler"
	grep -q '^CONFIG_UML=y' "$1/.config" || return 0
	# User-Mode Linux's module loader does not support a GOT, and modules are loaded at any
	# address. Clang warns about the kernel's own header for I/O ports, which are at address 0
	# there.
	printf '%s\n' ARCH=um "RUSTFLAGS_MODULE=-Crelocation-model=static -Ccode-model=large" KCFLAGS=-Wno-null-pointer-arithmetic
}

# kernel_config RELEASE: prints the path of an installed kernel's configuration; fails if there is
# none.
kernel_config() {
	local file
	for file in "/lib/modules/$1/config" "/boot/config-$1"; do
		if [ -r "$file" ]; then
			echo "$file"
			return
		fi
	done
	return 1
}

# Whether this machine's own tools can build modules for the running kernel.
builds_natively() {
	local config
	[ "$(distribution)" = "debian 13" ] && config=$(kernel_config "$(uname -r)") && grep -qx 'CONFIG_RUST=y' "$config"
}

# Start the calling script again as root, with the same cache, unless it is root already.
# Called as: become_root "what root is needed for" "$0" "$@"
become_root() {
	local why=$1
	shift
	[ "$(id -u)" -eq 0 ] && return
	command -v sudo >/dev/null ||
		die "root is needed to $why, and sudo is not installed: run this as root, or install sudo."
	exec sudo env "XDG_CACHE_HOME=${CACHE%/*}" "HOME=$HOME" "PATH=$PATH" "TERM=${TERM:-dumb}" ${CI:+CI="$CI"} \
		${KERNEL_SERIES:+KERNEL_SERIES="$KERNEL_SERIES"} ${BONDING_NEED_GB:+BONDING_NEED_GB="$BONDING_NEED_GB"} \
		${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} "$@"
}

# Hold the lock of the cache on descriptor 9 until this process and its children end.
# Children inherit it on purpose: what an interrupted run left running still writes, so it still
# holds the lock.
lock_cache() {
	exec 9>>"$CACHE/lock" || die "cannot write to the cache folder $CACHE: set XDG_CACHE_HOME to a folder that you can write."
	flock -n 9 && return
	say "Another set-up of the build environment is running: waiting for it to finish."
	flock 9 || die "cannot lock $CACHE/lock: is the cache on a file system without locks? Set XDG_CACHE_HOME to a local one."
}

# Turn the log of a failed step into a reason that a person can act on.
reason_of_failure() {
	local log=$1
	if grep -qE 'No space left on device|not enough free space' "$log"; then
		echo "the disk is full; free some space under ${CACHE%/*}, or set XDG_CACHE_HOME to a larger disk, and run it again"
	elif grep -qE 'Temporary failure resolving|Could not resolve|Could not connect|Unable to connect|Connection failed|Network is unreachable|Failed to fetch' "$log"; then
		echo "the Debian mirror cannot be reached; check the network and run it again"
	elif grep -qE 'NO_PUBKEY|EXPKEYSIG|is not signed' "$log"; then
		echo "the mirror's signature is unknown here; update the package debian-archive-keyring and run it again"
	else
		echo "the lines above, the last of $log, say why"
	fi
}

# step TITLE SECONDS COMMAND ...: runs it with its output in a log, shows that it is alive, and
# stops on failure.
# STEP and STEPS count the steps; SECONDS is the usual duration, so that a person can plan a coffee.
step() {
	local title=$1 usual=$2 log start now last=0 pid status=0
	shift 2
	STEP=$((${STEP:-0} + 1))
	mkdir -p "$CACHE/log"
	log=$CACHE/log/$STEP-$(printf '%s' "$title" | tr -cs 'A-Za-z0-9' '-').log
	say "[$STEP/$STEPS] $title (usually $usual s)"
	start=$(date +%s)
	set -m # a process group of its own, so that an interrupt ends the whole group
	("$@") >"$log" 2>&1 </dev/null &
	pid=$!
	set +m
	# shellcheck disable=SC2064
	trap "kill -TERM -- -$pid 2>/dev/null; wait $pid || :; say 'Interrupted: nothing unfinished is kept, run it again.'; exit 130" INT TERM HUP
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		now=$(($(date +%s) - start))
		if [ $((now - last)) -ge 10 ]; then
			last=$now
			say "      $now s: $(tail -c 400 "$log" | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1 | cut -c 1-100)"
		fi
	done
	wait "$pid" || status=$?
	trap - INT TERM HUP
	if [ "$status" -ne 0 ]; then
		tail -n 25 "$log" >&2
		die "\"$title\" failed: $(reason_of_failure "$log")."
	fi
	say "      done in $(($(date +%s) - start)) s"
}

# need_space GIGABYTES PATH
need_space() {
	local free
	free=$(($(df --output=avail -k "$2" | tail -n 1) / 1048576))
	[ "$free" -ge "$1" ] ||
		die "$2 has $free GB free and the build environment needs $1 GB: free some space, or set XDG_CACHE_HOME to a larger disk."
}
