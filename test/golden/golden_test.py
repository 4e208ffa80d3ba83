"""Checkpoints stored when their format was made: today's emitted code must write the same bytes, load them, and go on training from them.

    golden_test.py            compares
    golden_test.py --write    stores them anew; only for a new format version, see README.md
"""

import pathlib
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
EMITTED = HERE.parent / "emitted"
sys.path.insert(0, str(EMITTED))

from emitted_support import CLASSES, ROOT, defines, emit, main, run  # noqa: E402

STORED = HERE / "version_1"  # of the format: runtime/checkpoint.h

# Options for each stored model. Batch normalization in training has running statistics, Adam two moments and a step count a weight.
MODELS = {
    "cnn_adam": (*CLASSES, "--optimizer", "adam", "--batch-norm", "train"),
    "mlp_sgd": CLASSES,
}


def build(name: str, folder: pathlib.Path, target: str = "nrf52840") -> pathlib.Path:
    emitted = emit(STORED / f"{name}.onnx", *MODELS[name], target=target)
    board, program = ROOT / "test" / "firmware", folder / f"{name}-{target}"
    run("g++", "-std=c++17", "-O2", *defines(), f"-I{emitted}", f"-I{board}", EMITTED / "checkpoints.cpp", emitted / "net.cpp", "-o", program)
    return program


class Golden(unittest.TestCase):
    def check(self, name: str) -> None:
        outputs = (STORED / f"{name}.txt").read_text()
        with tempfile.TemporaryDirectory(prefix="tinytc-golden-") as folder:
            for target in ("nrf52840", "rp2040"):
                with self.subTest(target=target):
                    program = build(name, pathlib.Path(folder), target)
                    self.assertEqual(outputs, run(program, "golden", STORED / f"{name}.bin").stdout)

    def test_adam_and_running_statistics(self):
        self.check("cnn_adam")

    def test_plain_sgd(self):
        self.check("mlp_sgd")


def write() -> None:
    with tempfile.TemporaryDirectory(prefix="tinytc-golden-") as folder:
        for name in MODELS:
            program = build(name, pathlib.Path(folder))
            (STORED / f"{name}.txt").write_text(run(program, "save", STORED / f"{name}.bin").stdout)


if __name__ == "__main__":
    write() if sys.argv[1:] == ["--write"] else main()
