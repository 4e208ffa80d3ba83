"""The multiplying float kernels give the same bits in portable code on the host and in assembly on the boards, at every
optimization level."""

import unittest

from emulation_support import ROOT, EmulationTest, emulation

# Cortex-M4F, M7 and M33 run the assembly, the Cortex-M0+ of the rp2040 the portable code with software floats.
RUNS = [
    ("nrf52840", "-O2"), ("nrf52840", "-O3"), ("nrf52840", "-Os"), ("stm32f746", "-O2"), ("nrf5340", "-O2"),
    ("stm32l4r5", "-O2 -flto"), ("rp2040", "-O2"),
]  # fmt: skip


class Kernels(EmulationTest):
    def run_bits(self, target: str, flags: str) -> str:
        folder = self.folder / f"{target}{flags}".replace(" ", "")
        main = ROOT / "test" / "firmware" / "kernels_bits.cpp"
        image = emulation.build(target, main, folder, cxxflags=flags.split() + ["-std=gnu++17"])
        result = emulation.run(image, timeout=120)
        self.assertEqual(result["exit_code"], 0)
        return result["output"]

    def test_same_bits_everywhere(self):
        expected = self.run_bits("host", "-O2")
        self.assertEqual(len(expected.splitlines()), 6)
        for target, flags in RUNS:
            with self.subTest(target=target, flags=flags):
                self.assertEqual(self.run_bits(target, flags), expected)


if __name__ == "__main__":
    unittest.main()
