#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Print the undefined symbols of a 64-bit little-endian ELF object, so that no binutils are needed.

undefined-symbols.py FILE
"""

import struct
import sys


def undefined_symbols(data):
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a 64-bit little-endian ELF file")
    (table,) = struct.unpack_from("<Q", data, 0x28)
    entry_size, count = struct.unpack_from("<HH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, table + i * entry_size) for i in range(count)]
    for section in sections:
        if section[1] != 2:  # SHT_SYMTAB
            continue
        strings = sections[section[6]]
        for offset in range(section[4], section[4] + section[5], 24):
            name, _, _, index = struct.unpack_from("<IBBH", data, offset)
            if index == 0 and name:
                start = strings[4] + name
                yield data[start:data.index(b"\0", start)].decode()


def main():
    try:
        with open(sys.argv[1], "rb") as file:
            for symbol in undefined_symbols(file.read()):
                print(symbol)
    except (OSError, ValueError) as error:
        sys.exit(f"undefined-symbols: {sys.argv[1]}: {error}: it must be a kernel module for x86-64.")


if __name__ == "__main__":
    main()
