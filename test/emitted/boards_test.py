"""What a model computes and learns has the same bits on the host and on the emulated boards; so does its own self-test."""

import pathlib
import tempfile
import unittest

from emitted_support import BENCH, CLASSES, DIGITS, HERE, NETWORKS, SHOULDER, defines, emit, main, missing

import emulation

SELF_TEST = """#include "board.h"
#include "net.h"
namespace { net::Model model; }
int main(int, char**) { return model.self_test() ? 0 : 1; }
"""


class Boards(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tinytc-boards-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def execute(self, target: str, main_file: pathlib.Path, emitted: pathlib.Path, cxxflags=()) -> dict:
        image = emulation.build(target, main_file, self.folder / target, sources=[str(emitted / "net.cpp")], include=[str(emitted)],
                                cxxflags=[*cxxflags, *defines()], stack="16K")
        return emulation.run(image, count=False, timeout=300)

    def output(self, target: str, emitted: pathlib.Path, cxxflags=()) -> str:
        result = self.execute(target, HERE / "steps.cpp", emitted, cxxflags)
        self.assertEqual(0, result["exit_code"], result["output"])
        return result["output"]

    def test_every_network_on_the_cortex_m4(self):
        for name, (model, options) in NETWORKS.items():
            with self.subTest(name):
                emitted = emit(model, *options)
                host = self.output("host", emitted)
                self.assertNotIn("7fc00000", host)  # no NaN: that would hide differences
                self.assertEqual(host, self.output("nrf52840", emitted))

    def test_every_board_and_optimisation(self):
        """One network, compiled for each target, on its core; the bits are those of the host at every optimisation."""
        model, options = NETWORKS["cnn_bn_momentum"]
        expected = self.output("host", emit(model, *options))
        for level in ("-O0", "-O3", "-Os", "-ffp-contract=off", "-march=native"):
            with self.subTest(level):
                self.assertEqual(expected, self.output("host", emit(model, *options), [level]))
        targets = ["rp2040", "stm32f746", "nrf5340", "corstone-300"] + ([] if missing("riscv64-unknown-elf-g++") else ["esp32c3"])
        for target in targets:
            with self.subTest(target):
                self.assertEqual(expected, self.output(target, emit(model, *options, target=target)))

    def test_self_test(self):
        program = self.folder / "self_test.cpp"
        program.write_text(SELF_TEST)
        for model, options in ((SHOULDER, ()), (DIGITS, CLASSES), (BENCH / "cnn_28x28.onnx", ())):
            with self.subTest(model.name):
                emitted = emit(model, *options, "--self-test")
                for target in ("host", "nrf52840"):
                    self.assertEqual(0, self.execute(target, program, emitted)["exit_code"], target)

    def test_self_test_finds_a_broken_kernel(self):
        """A product computed wrongly must be noticed: the model's own mul_add is spoilt."""
        program = self.folder / "self_test.cpp"
        program.write_text(SELF_TEST)
        emitted = emit(DIGITS, "--self-test")
        spoilt = self.folder / "spoilt"
        spoilt.mkdir()
        (spoilt / "net.h").write_text((emitted / "net.h").read_text())
        source = (emitted / "net.cpp").read_text()
        self.assertIn("return sum + rounded(a * b);", source)
        (spoilt / "net.cpp").write_text(source.replace("return sum + rounded(a * b);", "return sum - rounded(a * b);"))
        self.assertEqual(1, self.execute("host", program, spoilt)["exit_code"])


if __name__ == "__main__":
    if missing("arm-none-eabi-g++", "qemu-system-arm"):
        print("skipped: arm-none-eabi-g++ or qemu-system-arm is not installed")
        raise SystemExit(77)
    main()
