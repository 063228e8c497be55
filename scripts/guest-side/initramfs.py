# SPDX-License-Identifier: GPL-2.0
"""The guest's initramfs: busybox, the modules that mount a 9p root, and the files of this run."""

import lzma
import os
import stat

# What the init script needs, with all dependencies.
MODULES = ("9pnet_virtio", "9p", "overlay")
COMMANDS = ("mount", "insmod", "mkdir", "cp", "ln", "switch_root", "poweroff", "stty")


def entry(name, mode, data=b""):
    """One member of a cpio archive in the "newc" format."""
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    head = "070701" + "".join(f"{field:08X}" for field in fields)
    record = head.encode() + name.encode() + b"\0"
    record += b"\0" * (-len(record) % 4)
    return record + data + b"\0" * (-len(data) % 4)


def folder(name):
    return entry(name, stat.S_IFDIR | 0o755)


def module_files(modules):
    """Paths of MODULES below the folder of the kernel's modules, each after its dependencies."""
    depends = {}
    with open(os.path.join(modules, "modules.dep"), encoding="utf-8") as file:
        for line in file:
            path, _, needed = line.partition(":")
            depends[os.path.basename(path).split(".")[0].replace("-", "_")] = (path, needed.split())
    ordered = []
    for name in MODULES:
        if name not in depends:
            continue  # built into this kernel
        path, needed = depends[name]
        # modules.dep lists the nearest dependency first.
        for file in [*reversed(needed), path]:
            if file not in ordered:
                ordered.append(file)
    return ordered


def write(target, tree, modules, init, run_files):
    """Write the archive; run_files, name to bytes, become files of /guest."""
    with open(target, "wb") as out:
        for name in ("bin", "proc", "sys", "dev", "modules", "guest"):
            out.write(folder(name))
        # The kernel needs a console before devtmpfs is mounted.
        with open(os.path.join(tree, "bin", "busybox"), "rb") as file:
            out.write(entry("bin/busybox", stat.S_IFREG | 0o755, file.read()))
        for name in COMMANDS:
            out.write(entry("bin/" + name, stat.S_IFLNK | 0o777, b"busybox"))
        with open(init, "rb") as file:
            out.write(entry("init", stat.S_IFREG | 0o755, file.read()))
        order = []
        for path in module_files(modules):
            order.append(os.path.basename(path).removesuffix(".xz"))
            with (lzma.open if path.endswith(".xz") else open)(os.path.join(modules, path), "rb") as file:
                out.write(entry("modules/" + order[-1], stat.S_IFREG | 0o644, file.read()))
        out.write(entry("modules/order", stat.S_IFREG | 0o644, "".join(f"{name}\n" for name in order).encode()))
        for name, data in run_files.items():
            out.write(entry("guest/" + name, stat.S_IFREG | 0o644, data))
        out.write(entry("TRAILER!!!", 0))
