"""Checks the example and test models: sizes, validity, agreement with PyTorch, and that C++ reads the same samples.

    python test/models/models_test.py        (unittest; needs the packages of models/requirements.txt)
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import onnx
import onnxruntime
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "test" / "training"), str(ROOT / "test" / "import")]
import handmade  # noqa: E402
import make_reference  # noqa: E402
import networks  # noqa: E402
from models import lcg, onnx_files, oracle  # noqa: E402
from models.bench import networks as bench  # noqa: E402
from models.digits import digits  # noqa: E402
from models.shoulder import data, network, samples  # noqa: E402

IMPORTED = ROOT / "test" / "import" / "data"
SHOULDER, DIGITS = ROOT / "models/shoulder/shoulder.onnx", ROOT / "models/digits/digits.onnx"


def committed() -> list[pathlib.Path]:
    return sorted([*ROOT.glob("models/*/*.onnx"), *IMPORTED.glob("*.onnx")])


def run(path: pathlib.Path, *inputs: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {meta.name: value for meta, value in zip(session.get_inputs(), inputs)})


class Files(unittest.TestCase):
    def test_every_model_is_valid_and_carries_no_path(self):
        self.assertGreater(len(committed()), 40)
        for path in committed():
            with self.subTest(path.name):
                onnx.checker.check_model(str(path), full_check=True)
                content = path.read_bytes()
                for trace in (b"site-packages", b"/tmp/", b"/home/", b".py\""):
                    self.assertNotIn(trace, content)

    def test_sizes(self):
        self.assertLess(SHOULDER.stat().st_size, 200_000)
        self.assertLess(sum(p.stat().st_size for p in (ROOT / "models/shoulder/samples").iterdir()), 1_400_000)
        for path in IMPORTED.glob("*.onnx"):
            self.assertLess(path.stat().st_size, 50_000, path.name)

    def test_handmade_graphs_are_the_committed_ones(self):
        for name, make in handmade.GRAPHS.items():
            expected = onnx_files.clean(make()).SerializeToString(deterministic=True)
            self.assertEqual((IMPORTED / f"{name}.onnx").read_bytes(), expected, name)


class Agreement(unittest.TestCase):
    """onnxruntime on the file against the PyTorch module: weights, order of outputs, export options."""

    def compare(self, path: pathlib.Path, module: torch.nn.Module, shape) -> None:
        x = make_reference.uniform(lcg.Random(3), shape, -1.0, 1.0)
        with torch.no_grad():
            expected = module(x).numpy()
        # Two float32 implementations of the same sums of at most 784 products of size one: 1e-5 of the range.
        tolerance = 1e-5 * max(1.0, float(np.ptp(expected)))
        np.testing.assert_allclose(run(path, x.numpy())[0], expected, rtol=0, atol=tolerance, err_msg=path.name)

    def test_examples(self):
        self.compare(SHOULDER, onnx_files.load_state(network.ShoulderNet(), SHOULDER), (1, 6, 100))
        legacy = IMPORTED / "shoulder_legacy.onnx"
        self.compare(legacy, onnx_files.load_state(network.ShoulderNet(), SHOULDER), (1, 6, 100))
        self.compare(DIGITS, onnx_files.load_state(digits.DigitsNet(), DIGITS), (1, 1, 8, 8))

    def test_bench(self):
        for name in bench.NETWORKS:
            module, example = bench.build(name)
            self.compare(ROOT / "models" / "bench" / f"{name}.onnx", module, tuple(example.shape))

    def test_exported_forms(self):
        for name, (_, shape, _) in networks.NETWORKS.items():
            for path in sorted(IMPORTED.glob(f"{name}_*.onnx")):
                other = any(path.stem.startswith(n) for n in networks.NETWORKS if len(n) > len(name))
                if other or not path.stem.startswith(name):
                    continue
                module = networks.build(name).train(path.stem.endswith("_training"))
                batch = 3 if path.stem.endswith("_dynamic") else 1
                with self.subTest(path.name):
                    self.compare(path, module, (batch, *shape[1:]))

    def test_losses(self):
        x = make_reference.uniform(lcg.Random(4), (1, 12), -1.0, 1.0)
        target = make_reference.uniform(lcg.Random(5), (1, 4), -1.0, 1.0)
        with torch.no_grad():
            y = networks.build("mlp")(x)
        label = torch.tensor([2])
        expected = {"cross_entropy": (torch.nn.functional.cross_entropy(y, label), label),
                    "nll": (torch.nn.functional.cross_entropy(y, label), label),
                    "mse": (torch.nn.functional.mse_loss(y, target), target)}
        for name, (loss, second) in expected.items():
            for form in ("dynamo", "legacy"):
                got = run(IMPORTED / f"loss_{name}_{form}.onnx", x.numpy(), second.numpy())[0]
                self.assertAlmostEqual(float(got), float(loss), delta=1e-5, msg=f"{name} {form}")


class Samples(unittest.TestCase):
    def test_tests_are_later_and_disjoint(self):
        for subject in data.HELD_OUT:
            pool, test = samples.read(samples.path_of(subject))
            self.assertEqual(set(pool.labels), set(range(7)))
            for recording in set(test.recordings):
                last = pool.starts[pool.recordings == recording].max() + data.WINDOW
                self.assertLessEqual(last, test.starts[test.recordings == recording].min())

    def test_protocol_names_the_held_out_people(self):
        self.assertEqual(tuple(samples.protocol()["subjects"]), data.HELD_OUT)
        self.assertFalse(set(data.HELD_OUT) & set(data.TRAINING))

    @unittest.skipUnless(shutil.which("g++"), "no g++")
    def test_cpp_sees_the_same_samples_in_the_same_order(self):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "print"
            subprocess.run(["g++", "-std=c++14", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror",
                            f"-I{ROOT}", str(ROOT / "test/models/print_samples.cpp"), "-o", str(program)], check=True)
            for seed in (0, 9):
                lines = subprocess.run([str(program), str(samples.path_of(8)), str(digits.SAMPLES), str(seed)],
                                       check=True, capture_output=True, text=True).stdout.splitlines()
                self.compare_samples(lines, seed)

    def compare_samples(self, lines: list[str], seed: int) -> None:
        protocol = samples.protocol()
        pool, test = samples.read(samples.path_of(8))
        order = samples.sequence(pool, 8, seed, protocol["windows_per_recording"], len(protocol["learning_rates"]))
        self.assertEqual(lines[0].split(), [str(i) for i in order])
        labels = np.concatenate([pool.labels, test.labels])
        self.assertEqual(lines[1].split(), [str(i) for i in labels])
        last = test.inputs()[-1].flatten()
        np.testing.assert_array_equal(np.array(lines[2].split(), np.float32), last)
        (x, y), (_, test_labels) = digits.read()
        orders = digits.orders(len(y), seed, digits.protocol())
        self.assertEqual(lines[3].split(), [str(i) for epoch in orders for i in epoch])
        self.assertEqual(lines[4].split(), [str(i) for i in np.concatenate([y, test_labels])])
        np.testing.assert_array_equal(np.array(lines[5].split(), np.float32), x[1].flatten())


class Learning(unittest.TestCase):
    """The oracle's own figures. The device's must agree with them within one point."""

    def test_adaptation_gains_three_points(self):
        result = oracle.shoulder(SHOULDER, None, None)
        self.assertEqual(len(result["people"]), 5)
        self.assertGreaterEqual(result["gain"], 0.03)

    def test_digits_learn_from_scratch(self):
        result = oracle.train_digits(DIGITS, None, None)
        self.assertLess(result["before"], 0.3)
        self.assertGreaterEqual(min(result["after"]), 0.95)

    def test_reference_training_is_reproducible(self):
        case = make_reference.cases()["depthwise_residual_momentum"]
        record = make_reference.train(case)
        self.assertEqual(record, make_reference.train(case))
        self.assertEqual(len(record["calls"]), make_reference.STEPS)
        self.assertNotEqual(record["probe"]["before"], record["probe"]["after"])


if __name__ == "__main__":
    unittest.main()
