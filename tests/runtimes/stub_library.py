"""A shared library for Linux on x86-64 that exports one name and holds no code, for linking that is never called."""

import struct

_HEADER, _SEGMENT, _SYMBOL = 64, 56, 24
_HASH, _STRINGS, _SYMBOLS, _STRINGS_SIZE, _SYMBOL_SIZE = 4, 5, 6, 10, 11  # tags of the dynamic section


def stub_library(name: str) -> bytes:
    """Return the library: an ELF header, three segments, and the tables that the dynamic linker looks names up in.

    The third says that it needs no stack that code runs on: without a word of that glibc 2.41 refuses it.

    Source: System V ABI, chapters 4 and 5.
    """
    strings = b"\0" + name.encode() + b"\0"
    strings += b"\0" * (-len(strings) % 8)
    symbols_at = _HEADER + 3 * _SEGMENT
    strings_at = symbols_at + 2 * _SYMBOL
    hash_at = strings_at + len(strings)
    table = struct.pack("<6I", 1, 2, 1, 0, 0, 0)  # one bucket, which starts and ends with the only symbol
    dynamic_at = hash_at + len(table)
    entries = [
        (_HASH, hash_at),
        (_STRINGS, strings_at),
        (_SYMBOLS, symbols_at),
        (_STRINGS_SIZE, len(strings)),
        (_SYMBOL_SIZE, _SYMBOL),
        (0, 0),
    ]
    dynamic = b"".join(struct.pack("<2Q", *entry) for entry in entries)
    size = dynamic_at + len(dynamic)
    identity = b"\x7fELF\2\1\1".ljust(16, b"\0")
    header = identity + struct.pack("<2HI3QI6H", 3, 62, 1, 0, _HEADER, 0, 0, _HEADER, _SEGMENT, 3, 64, 0, 0)
    loaded = struct.pack("<2I6Q", 1, 6, 0, 0, 0, size, size, 4096)
    linked = struct.pack("<2I6Q", 2, 6, dynamic_at, dynamic_at, dynamic_at, len(dynamic), len(dynamic), 8)
    stack = struct.pack("<2I6Q", 0x6474E551, 6, 0, 0, 0, 0, 0, 16)
    symbols = bytes(_SYMBOL) + struct.pack("<IBBHQQ", 1, 0x12, 0, 1, _HEADER, 0)
    return header + loaded + linked + stack + symbols + strings + table + dynamic
