"""Shared by the tests of this folder: finds scripts/emulation, skips where tools are missing, builds small programs."""

import pathlib
import shutil
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
TOOLS = ["arm-none-eabi-g++", "riscv64-unknown-elf-g++", "qemu-system-arm", "qemu-system-riscv32"]


def require_tools() -> None:
    """Ends the test program as skipped when a tool is missing."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        print("skipped: not installed: " + ", ".join(missing))
        sys.exit(77)


require_tools()
import emulation  # noqa: E402


class EmulationTest(unittest.TestCase):
    """A test with a folder of its own for each program."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tinytc-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def build(self, text: str, target: str = "nrf52840", **options) -> emulation.Image:
        main = self.folder / "main.cpp"
        main.write_text('#include "board.h"\n#include "marker.h"\n' + text)
        return emulation.build(target, main, self.folder / "work", **options)

    def execute(self, text: str, target: str = "nrf52840", args: list[str] = (), **options) -> dict:
        return emulation.run(self.build(text, target, **options), args, timeout=60)
