"""Measures a linked firmware: bytes of flash and RAM, by where they come from and by what they are.

How to read it: Elf reads sections and symbols of a 32-bit little-endian ELF file; `sizes` reads the linker map, whose lines name
for every input section the object file that it came from.
"""

from __future__ import annotations

import bisect
import pathlib
import re
import struct

MAP_LINE = re.compile(r"^ (\.[\w.$*+-]+|COMMON)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+(\S.*)$")


class Elf:
    """Section table and symbol table of an ELF32 file."""

    def __init__(self, path: pathlib.Path):
        self.data = path.read_bytes()
        if self.data[:5] != b"\x7fELF\x01":
            raise ValueError(f"{path} is not a 32-bit ELF file")
        (offset,) = struct.unpack_from("<I", self.data, 32)
        entry, count, names = struct.unpack_from("<HHH", self.data, 46)
        headers = [struct.unpack_from("<10I", self.data, offset + i * entry) for i in range(count)]
        table = headers[names]
        self.sections = {self._text(table[4] + h[0]): h for h in headers}

    def _text(self, offset: int) -> str:
        return self.data[offset : self.data.index(b"\0", offset)].decode()

    def section_data(self, name: str) -> bytes:
        """Content of a section, empty if there is none of that name."""
        if name not in self.sections:
            return b""
        header = self.sections[name]
        return self.data[header[4] : header[4] + header[5]]

    def section_size(self, name: str) -> int:
        return self.sections[name][5] if name in self.sections else 0

    def symbols(self) -> list[tuple[str, int, int, int]]:
        """(name, address without the Thumb bit for functions, size, type: 1 = object, 2 = function)."""
        data, strings = self.section_data(".symtab"), self.sections[".strtab"][4]
        found = []
        for name, value, size, info, _, _ in struct.iter_unpack("<IIIBBH", data):
            kind = info & 15
            found.append((self._text(strings + name), value & ~1 if kind == 2 else value, size, kind))
        return found


def profile_by_function(elf: Elf, blocks: list[tuple[int, int, int]]) -> list[list]:
    """Sums (address, instructions, cycles) of executed blocks per function: [[name, instructions, cycles], ...]."""
    functions = sorted((address, size, name) for name, address, size, kind in elf.symbols() if kind == 2)
    starts = [f[0] for f in functions]
    sums: dict[str, list[int]] = {}
    for address, instructions, cycles in blocks:
        index = bisect.bisect_right(starts, address) - 1
        name = functions[index][2] if index >= 0 else "?"
        entry = sums.setdefault(name, [0, 0])
        entry[0] += instructions
        entry[1] += cycles
    return sorted(([name, *counts] for name, counts in sums.items()), key=lambda row: (-row[2], -row[1], row[0]))


def _kind(section: str) -> str | None:
    """What an input section is: code, constants, data or bss."""
    if section.startswith((".rodata.str", ".rodata.cst", ".text", ".ARM.ex", ".vectors", ".init_array")):
        return "code"
    for prefix, kind in ((".rodata", "constants"), (".srodata", "constants"), (".data", "data"), (".sdata", "data")):
        if section.startswith(prefix):
            return kind
    return "bss" if section.startswith((".bss", ".sbss", "COMMON")) else None


def read_map(text: str) -> list[tuple[str, int, str]]:
    """Input sections that were linked: (section, bytes, object file)."""
    body = text[text.index("Linker script and memory map") :]
    body = re.sub(r"\n (\.[^\s]+)\n\s+0x", r"\n \1 0x", body)  # long names stand on a line of their own
    found = []
    for line in body.splitlines():
        match = MAP_LINE.match(line)
        if match and int(match[3], 16) > 0:
            found.append((match[1], int(match[3], 16), match[4]))
    return found


def sizes(image) -> dict:
    """Bytes: flash and ram totals as linked (ram without the stack), and per origin (model, main, board, library)
    {code, constants, data, bss}. Of the model, constants are its weights and tables and code is all else that it puts into flash."""
    elf = Elf(image.elf)
    origins: dict[str, dict[str, int]] = {
        name: {"code": 0, "constants": 0, "data": 0, "bss": 0} for name in ("model", "main", "board", "library")
    }
    for section, size, file in read_map(image.map.read_text()):
        kind = _kind(section)
        if kind is not None:
            origins[image.origins.get(file, "library")][kind] += size
    flash = sum(elf.section_size(s) for s in (".vectors", ".text", ".rodata", ".ARM.extab", ".ARM.exidx", ".data"))
    return {
        "flash": flash,
        "ram": elf.section_size(".data") + elf.section_size(".bss"),
        "text": elf.section_size(".text"),
        "rodata": elf.section_size(".rodata"),
        "data": elf.section_size(".data"),
        "bss": elf.section_size(".bss"),
        "origins": origins,
    }
