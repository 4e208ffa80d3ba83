"""QEMU's machines: where their memories lie, and how to start them.

Addresses: QEMU 7.2, hw/arm/mps2.c, hw/arm/mps2-tz.c, hw/riscv/virt.c. A firmware is placed there, within the sizes of its target.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Board:
    """One machine: program and board-support source, and base address and size in bytes of the memories used.

    vectors_base: where the core expects its vector table (RISC-V: its first instruction).
    """

    program: str
    arguments: tuple[str, ...]
    startup: str
    vectors_base: int
    flash_base: int
    flash_size: int
    ram_base: int
    ram_size: int


MB = 1024 * 1024


def _arm(machine: str, flash: int, flash_size: int, ram: int, vectors: int = 0) -> Board:
    return Board("qemu-system-arm", ("-M", machine), "board_cortex_m.cpp", vectors, flash, flash_size, ram, 16 * MB)


BOARDS = {
    # Code in SSRAM1, data in PSRAM. Below the PSRAM nothing is mapped, so a stack that overflows faults.
    "mps2-an385": _arm("mps2-an385", 0x00000000, 4 * MB, 0x21000000),  # Cortex-M3; also for code built for M0 and M0+
    "mps2-an386": _arm("mps2-an386", 0x00000000, 4 * MB, 0x21000000),  # Cortex-M4F
    "mps2-an500": _arm("mps2-an500", 0x00000000, 4 * MB, 0x60000000),  # Cortex-M7, double-precision FPU
    # Armv8-M starts in the Secure state: the Secure alias of SSRAM1.
    "mps2-an505": _arm("mps2-an505", 0x10000000, 4 * MB, 0x80000000, 0x10000000),  # Cortex-M33
    # Vectors where the core looks for them (ITCM), everything else in the Secure alias of DDR4.
    "mps3-an547": _arm("mps3-an547", 0x70000000, 32 * MB, 0x74000000, 0x10000000),  # Cortex-M55
    "virt": Board(
        "qemu-system-riscv32",
        ("-M", "virt", "-cpu", "rv32", "-bios", "none"),
        "board_riscv.cpp",
        0x80000000,
        0x80000000,
        64 * MB,
        0x84000000,
        60 * MB,
    ),
}
