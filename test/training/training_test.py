"""Emitted code learns as PyTorch does, and with the same bits on the host and on the emulated board.

    python test/training/training_test.py [Host|Dropout|Board]      (unittest; $TINYTC is the compiler, else build/tinytc)

Each case of make_reference.py is trained by PyTorch and by the code that tinytc emits for it.
"""

from __future__ import annotations

import collections
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "test" / "training"), str(ROOT / "scripts")]
import emulation  # noqa: E402
import make_reference  # noqa: E402

TINYTC = pathlib.Path(os.environ.get("TINYTC", ROOT / "build" / "tinytc"))
CASES = make_reference.cases()

# Rounding differs: PyTorch sums in another order. Losses: the bound that the project promises at each of ten steps.
LOSS_RELATIVE, LOSS_ABSOLUTE = 1e-4, 1e-6
# Outputs before training are an inference (DESIGN.md section 5); ten updates carry the losses' bound into the weights, and Adam's
# first steps divide a gradient by its own size, which enlarges the rounding of gradients near zero.
BEFORE, AFTER = 1e-5, 5e-4

# One of each optimizer and kind of layer; the rest of the networks differ in nothing that a board could compute otherwise.
ON_BOARD = ["mlp_adam", "cnn_bn_frozen_nesterov", "cnn_bn_train_adamw", "depthwise_residual_momentum", "transformer_adamw",
            "autoencoder_mse_sgd", "mlp_sigmoid_binary_cross_entropy_sgd", "mlp_huber_sgd", "encoder_layer_cross_entropy_sgd",
            "bench_cnn_28x28_padded", "cnn_bn_accumulate_momentum", "cnn_bn_batch_adam", "tied_mse_sgd"]

Outcome = collections.namedtuple("Outcome", "before losses after checkpoint")


def record_bytes(reference: dict) -> bytes:
    """The file that learn.cpp reads."""
    words = [struct.pack("<fii", reference["learning_rate"], reference["group"], len(reference["calls"]))]
    floats = lambda numbers: words.append(struct.pack(f"<{len(numbers)}f", *numbers))  # noqa: E731
    floats(reference["probe"]["input"])
    for call in reference["calls"]:
        floats(call["input"])
        if "labels" in call:
            words.append(struct.pack(f"<{len(call['labels'])}i", *call["labels"]))
        else:
            floats(call["target"])
    return b"".join(words)


def outcome_of(output: str, checkpoint: bytes) -> Outcome:
    numbers = {"output": [], "loss": []}
    for kind, bits in re.findall(r"^(output|loss) ([0-9a-f]{8})$", output, re.MULTILINE):
        numbers[kind].append(struct.unpack(">f", bytes.fromhex(bits))[0])
    half = len(numbers["output"]) // 2
    return Outcome(numbers["output"][:half], numbers["loss"], numbers["output"][half:], checkpoint)


class Training(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tinytc-training-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def emit(self, name: str, reference: dict) -> pathlib.Path:
        out = self.folder / name
        command = [TINYTC, ROOT / reference["onnx"], "--target", "nrf52840", "--name", "net", "-q", *reference["options"], "-o", out]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        self.assertEqual(0, done.returncode, done.stderr)
        return out

    def learn(self, target: str, emitted: pathlib.Path, reference: dict) -> Outcome:
        """Runs the whole record on a target."""
        call = reference["calls"][0]
        targets = len(call.get("labels") or call["target"])
        defines = [f"TARGETS={targets}", f"GROUPED={int(reference['group'] > 0)}"]
        work = emitted / target
        image = emulation.build(target, ROOT / "test/training/learn.cpp", work, sources=[str(emitted / "net.cpp")],
                                include=[str(emitted)], defines=defines, stack="16K")
        record, checkpoint = work / "record", work / "checkpoint"
        record.write_bytes(record_bytes(reference))
        result = emulation.run(image, [str(record), str(checkpoint)], count=False)
        self.assertEqual(0, result["exit_code"], result["output"])
        return outcome_of(result["output"], checkpoint.read_bytes())

    def assert_close(self, expected: list, got: list, share_of_range: float, what: str) -> None:
        self.assertEqual(len(expected), len(got), what)
        # A single output has no range: its size stands in for it.
        extent = (max(expected) - min(expected)) or abs(expected[0])
        worst = max(abs(a - b) for a, b in zip(expected, got)) / extent
        self.assertLessEqual(worst, share_of_range, what)


class Host(Training):
    def check(self, name: str) -> None:
        reference = make_reference.train(CASES[name])
        outcome = self.learn("host", self.emit(name, reference), reference)
        self.assert_close(reference["probe"]["before"], outcome.before, BEFORE, "output before training")
        self.assertEqual(len(reference["calls"]), len(outcome.losses))
        for step, (call, loss) in enumerate(zip(reference["calls"], outcome.losses)):
            bound = LOSS_RELATIVE * abs(call["loss"]) + LOSS_ABSOLUTE
            self.assertLessEqual(abs(loss - call["loss"]), bound, f"loss {step}: {loss}, PyTorch {call['loss']}")
        self.assertNotEqual(outcome.before, outcome.after)
        if CASES[name]["batch_norm"] == "train" and CASES[name]["optimizer"].startswith("adam"):
            return  # conv2's bias, before a normalization, has gradient zero: Adam divides its rounding error by itself
        self.assert_close(reference["probe"]["after"], outcome.after, AFTER, "output after training")


def test_of(name: str):
    return lambda self: self.check(name)


for case_name in CASES:
    setattr(Host, f"test_{case_name}", test_of(case_name))


class Dropout(Training):
    """No generator is the same in PyTorch, so these are properties: dropped in training, and only there."""

    def losses(self, ratio: float) -> Outcome:
        """Of the same sample forty times, learning nothing."""
        random = np.random.default_rng(4)
        tensors = [numpy_helper.from_array(random.normal(0, 0.5, shape).astype(np.float32), name)
                   for name, shape in (("w1", (6, 16)), ("w2", (16, 3)))]
        nodes = [helper.make_node("MatMul", ["x", "w1"], ["h"]), helper.make_node("Dropout", ["h", "ratio"], ["d"]),
                 helper.make_node("MatMul", ["d", "w2"], ["y"])]
        tensors.append(numpy_helper.from_array(np.float32(ratio), "ratio"))
        info = helper.make_tensor_value_info
        graph = helper.make_graph(nodes, "main", [info("x", TensorProto.FLOAT, [1, 6])], [info("y", TensorProto.FLOAT, [1, 3])], tensors)
        model = self.folder / "dropout.onnx"
        save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), str(model))
        sample = {"input": [0.5, -1.0, 0.25, 1.0, 2.0, -0.5], "labels": [1]}
        reference = {"onnx": model, "options": ["--train", "all", "--loss", "cross-entropy"], "learning_rate": 0.0, "group": 0,
                     "calls": [sample] * 40, "probe": {"input": sample["input"]}}
        return self.learn("host", self.emit("dropout", reference), reference)

    def test_active_in_training_only(self):
        outcome = self.losses(0.5)
        self.assertGreater(len(set(outcome.losses)), 30)  # 2^16 masks: the same twice is rare
        self.assertEqual(outcome.before, outcome.after)

    def test_nothing_dropped_at_ratio_0(self):
        outcome = self.losses(0.0)
        scores = np.array(outcome.before, np.float64)
        expected = np.log(np.exp(scores).sum()) - scores[1]
        for loss in outcome.losses:
            self.assertAlmostEqual(expected, loss, delta=LOSS_RELATIVE * expected)


class Board(Training):
    def test_same_losses_and_weights_as_on_the_host(self):
        for name in ON_BOARD:
            with self.subTest(name):
                reference = make_reference.train(CASES[name])
                emitted = self.emit(name, reference)
                host, board = self.learn("host", emitted, reference), self.learn("nrf52840", emitted, reference)
                self.assertEqual(host, board)
                self.assertFalse([loss for loss in host.losses if loss != loss], "NaN equals nothing, so it would hide differences")


if __name__ == "__main__":
    if not TINYTC.exists():
        print(f"skipped: {TINYTC} is not built")
        raise SystemExit(77)
    if not {"Host", "Dropout"} & set(sys.argv[1:]) and not (shutil.which("arm-none-eabi-g++") and shutil.which("qemu-system-arm")):
        print("skipped: arm-none-eabi-g++ or qemu-system-arm is not installed")
        raise SystemExit(77)
    unittest.main()
