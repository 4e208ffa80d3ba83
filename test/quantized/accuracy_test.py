"""Accuracy of models that tinytc quantizes, and the report about it.

    python test/quantized/accuracy_test.py [Figures|Wide|Examples|Agreement|Mistakes]

Exit code 77: onnx, onnxruntime, torch or the reference networks (../shared/models) are missing.
"""

from __future__ import annotations

import json
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "test" / "emitted"), str(ROOT / "test" / "quantized")]
try:
    import numpy as np
    import onnx
    import onnxruntime
    import torch
    from onnx import numpy_helper
    from onnxruntime import quantization

    import emitted_support
    from models.digits import digits
    from models.shoulder import npz
    from quantized_support import SHARED, TARGET, host_function
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

SHOULDER, DIGITS = ROOT / "models" / "shoulder" / "shoulder.onnx", ROOT / "models" / "digits" / "digits.onnx"


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tinytc-accuracy-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def save(self, name: str, **arrays: np.ndarray) -> pathlib.Path:
        np.savez(self.folder / f"{name}.npz", **arrays)
        return self.folder / f"{name}.npz"

    def compile(self, model: pathlib.Path, *options, check: bool = True):
        """(folder of the emitted code, what was printed)"""
        out = self.folder / f"out{len(list(self.folder.iterdir()))}"
        done = emitted_support.run(emitted_support.TINYTC, model, "--target", TARGET, "--name", "net", *options, "-o", out, check=check)
        return out, done

    def validation(self, model: pathlib.Path, *options) -> dict:
        return json.loads((self.compile(model, "--quantize", "int8", *options)[0] / "net.report.json").read_text())["validation"]


def run(model: pathlib.Path, inputs: np.ndarray) -> np.ndarray:
    """Outputs of a model sample by sample, by ONNX's definitions: none of onnxruntime's fused int8 kernels."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: x[None]})[0] for x in inputs])


class Figures(Case):
    """The report's figures are those of the emitted code, which runs here on the same samples."""

    def test_against_emitted_code(self):
        (calibration, _), (x, labels) = npz.people()
        x, labels = x[::8], labels[::8]
        calibrate, held_out = self.save("calibrate", imu=calibration[::8]), self.save("held_out", imu=x, labels=labels)
        options = ("--quantize", "int8", "--calibrate", calibrate, "--validate", held_out)
        out, done = self.compile(SHOULDER, *options)
        like = np.zeros((1, 7), np.float32)
        int8 = host_function(out)
        int8 = np.concatenate([int8(sample[None], like) for sample in x])
        real = host_function(self.compile(SHOULDER)[0])
        real = np.concatenate([real(sample[None], like) for sample in x]).astype(np.float64)
        report = json.loads((out / "net.report.json").read_text())["validation"]

        self.assertEqual("held_out.npz", report["file"])
        self.assertEqual(len(x), report["samples"])
        self.assertAlmostEqual((int8.argmax(1) == labels).mean(), report["int8_accuracy"], places=6)
        self.assertAlmostEqual((real.argmax(1) == labels).mean(), report["float_accuracy"], places=6)
        self.assertAlmostEqual((real.argmax(1) == int8.argmax(1)).mean(), report["argmax_agreement"], places=6)
        (output,) = report["outputs"]
        self.assertEqual("logits", output["tensor"])
        # The report has four digits of the error and two behind the point of the ratio; the real numbers that the emitted code gives are
        # products in single precision.
        self.assertAlmostEqual(10 * np.log10((real**2).sum() / ((int8 - real) ** 2).sum()), output["sqnr_db"], delta=0.0051)
        self.assertAlmostEqual(np.abs(int8 - real).mean() / output["mean_absolute_error"], 1, delta=6e-4)
        ratios = [layer["sqnr_db"] for layer in report["layers"]]
        self.assertEqual(sorted(ratios), ratios)
        self.assertEqual({"imu", "logits"}, {"imu", "logits"} & {layer["tensor"] for layer in report["layers"]})
        self.assertIn(f"accuracy {100 * report['float_accuracy']:.2f} % float, {100 * report['int8_accuracy']:.2f} % int8", done.stdout)

    def test_calibration_data_when_there_is_no_other(self):
        calibrate = self.save("calibrate", imu=npz.people()[0][0][:16])
        report = self.validation(SHOULDER, "--calibrate", calibrate)
        self.assertEqual(("calibrate.npz", 16, None), (report["file"], report["samples"], report["int8_accuracy"]))


class Wide(Case):
    """int16 activations."""

    def setUp(self):
        super().setUp()
        (calibration, _), (self.x, _) = npz.people()
        self.x = self.x[::16]
        self.options = ("--calibrate", self.save("calibrate", imu=calibration[::8]), "--validate", self.save("x", imu=self.x))

    def sqnr(self, *options) -> dict[str, float]:
        return {layer["tensor"]: layer["sqnr_db"] for layer in self.validation(SHOULDER, *self.options, *options)["layers"]}

    def test_all(self):
        narrow, wide = self.sqnr(), self.sqnr("--activations", "int16")
        print(f"shoulder, int8: {narrow}; int16: {wide}")
        self.assertEqual(set(narrow), set(wide))
        # An input is rounded and nothing else: 256 times finer steps are 48 dB, but for where numbers lie between them.
        self.assertGreater(wide["imu"], narrow["imu"] + 45)
        # Weights of 8 bits remain.
        self.assertGreater(wide["logits"], narrow["logits"] + 3)

    def test_some(self):
        """The first convolution: what it reads, and what it computes, which is stored behind its ReLU and its pooling."""
        some = self.sqnr("--activations", "int16:node_conv1d")
        wide = self.sqnr("--activations", "int16")
        self.assertEqual({"imu", "max_pool1d"}, {tensor for tensor in wide if wide[tensor] == some[tensor]})
        self.assertLess(some["logits"], wide["logits"])

    def test_emitted_code_is_what_the_report_measured(self):
        out, _ = self.compile(SHOULDER, "--quantize", "int8", *self.options, "--activations", "int16")
        source = (out / "net.cpp").read_text()
        for kernel in ("q16_conv2d<", "q16_dense<"):
            self.assertIn(kernel, source)
        predict, like = host_function(out), np.zeros((1, 7), np.float32)
        stored = np.concatenate([predict(sample[None], like) for sample in self.x])
        real = run(SHOULDER, self.x).astype(np.float64)
        (output,) = json.loads((out / "net.report.json").read_text())["validation"]["outputs"]
        # Two digits behind the point, and onnxruntime's order of sums for the float model.
        self.assertAlmostEqual(10 * np.log10((real**2).sum() / ((stored - real) ** 2).sum()), output["sqnr_db"], delta=0.02)

    def test_unknown(self):
        for value in ("int32", "int16:nothing_like_it"):
            _, done = self.compile(SHOULDER, "--quantize", "int8", *self.options, "--activations", value, check=False)
            self.assertIn(done.returncode, (1, 2))
            self.assertIn("--activations", done.stderr)


class Examples(Case):
    """int8 is within half a point of float on all data that the models have not seen."""

    POINTS = 0.005

    def check(self, model: pathlib.Path, calibration: np.ndarray, x: np.ndarray, labels: np.ndarray, least: float):
        report = self.validation(model, "--calibrate", self.save("calibrate", x=calibration), "--validate", self.save("held_out", x=x, labels=labels))
        print(f"{model.stem}: {report['samples']} samples, float {report['float_accuracy']}, int8 {report['int8_accuracy']}, "
              f"agreement {report['argmax_agreement']}, logits {report['outputs'][0]['sqnr_db']} dB")
        self.assertEqual(len(x), report["samples"])
        self.assertGreater(report["float_accuracy"], least)  # the comparison means nothing for a model that has not learned
        self.assertGreaterEqual(report["int8_accuracy"], report["float_accuracy"] - self.POINTS)

    def test_shoulder(self):
        (calibration, pool_labels), (x, labels) = npz.people()
        self.check(SHOULDER, calibration[::4], np.concatenate([x, calibration]), np.concatenate([labels, pool_labels]), 0.6)

    def test_files_of_the_readme(self):
        npz.write(self.folder)
        report = self.validation(SHOULDER, "--calibrate", self.folder / "calibration.npz", "--validate", self.folder / "held_out.npz")
        self.assertEqual(len(npz.people()[1][1]), report["samples"])
        self.assertGreater(report["float_accuracy"], 0.8)  # labels stand beside their windows
        self.assertGreaterEqual(report["int8_accuracy"], report["float_accuracy"] - self.POINTS)

    def test_digits(self):
        (x, labels), (held_out, held_out_labels) = digits.read()
        self.check(self.trained_digits(x, labels), x[:200], held_out, held_out_labels, 0.9)

    def trained_digits(self, x: np.ndarray, labels: np.ndarray) -> pathlib.Path:
        """The model with weights that 60 steps over all training digits give; the committed file has those before training."""
        torch.manual_seed(1)
        torch.set_num_threads(1)
        net = digits.DigitsNet()
        optimizer = torch.optim.Adam(net.parameters(), 0.02)
        for _ in range(60):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(torch.tensor(x)), torch.tensor(labels.astype(np.int64))).backward()
            optimizer.step()
        model = onnx.load(DIGITS)
        weights = {name: tensor.detach().numpy() for name, tensor in net.named_parameters()}
        for initializer in model.graph.initializer:
            if initializer.name in weights:
                initializer.CopyFrom(numpy_helper.from_array(weights.pop(initializer.name), initializer.name))
        self.assertFalse(weights)
        onnx.save(model, self.folder / "digits.onnx")
        return self.folder / "digits.onnx"


class Reader(quantization.CalibrationDataReader):
    def __init__(self, name: str, inputs: np.ndarray):
        self.samples = iter([{name: x[None]} for x in inputs])

    def get_next(self):
        return next(self.samples, None)


class Agreement(Case):
    """A float network quantized here names the float network's class at least as often as onnxruntime's static quantizer makes it do."""

    CALIBRATION, CANDIDATES, SAMPLES = 64, 1200, 400

    def setUp(self):
        super().setUp()
        if not SHARED.is_dir():
            self.skipTest("../shared/models is not there")

    def inputs(self, shape: list[int], count: int, scale: float, zero_point: int, seed: int) -> np.ndarray:
        """Smooth waves of random frequencies, contrast and brightness with noise, within what the int8 input of the network can hold."""
        random, result = np.random.default_rng(seed), []
        axes = shape[:2] if len(shape) == 3 else shape
        for _ in range(count):
            x = np.zeros(shape)
            for _ in range(3):
                waves = [np.sin(2 * np.pi * (random.uniform(0, 4) * np.arange(n) / n + random.uniform())) for n in axes]
                wave = waves[0] if len(waves) == 1 else np.multiply.outer(*waves)[..., None] * random.uniform(-1, 1, shape[2])
                x += wave
            x = x * random.uniform(10, 90) + random.normal(0, random.uniform(1, 30), shape) + random.uniform(-60, 60)
            result.append(scale * (np.clip(np.round(x), -128, 127) - zero_point))
        return np.stack(result).astype(np.float32)

    def input_scale(self, name: str) -> tuple[float, int]:
        """Of the reference int8 network: the real numbers that the float network was made for."""
        graph = onnx.load(SHARED / f"mlperf_tiny/{name}_int8.onnx").graph
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        first = next(node for node in graph.node if node.op_type == "DequantizeLinear" and node.input[0] not in constants)
        return float(constants[first.input[1]]), int(constants[first.input[2]])

    def check(self, name: str):
        model = SHARED / f"mlperf_tiny/{name}_float.onnx"
        port = onnx.load(model).graph.input[0]
        shape = [dim.dim_value for dim in port.type.tensor_type.shape.dim][1:]
        scale, zero_point = self.input_scale(name)
        calibration = self.inputs(shape, self.CALIBRATION, scale, zero_point, 1)
        x = self.inputs(shape, self.CANDIDATES, scale, zero_point, 2)
        real = run(model, x)
        # The samples that are hardest to tell apart: where the two largest results are nearest.
        nearest = np.argsort(np.diff(np.sort(real, 1)[:, -2:])[:, 0], kind="stable")[:self.SAMPLES]
        x, real = x[nearest], real[nearest]

        other = self.folder / "onnxruntime.onnx"
        quantization.quantize_static(str(model), str(other), Reader(port.name, calibration), quant_format=quantization.QuantFormat.QDQ,
                                     per_channel=True, activation_type=quantization.QuantType.QInt8, weight_type=quantization.QuantType.QInt8)
        theirs = run(other, x)
        report = self.validation(model, "--calibrate", self.save("calibrate", x=calibration), "--validate", self.save("x", x=x))
        agreement = float((theirs.argmax(1) == real.argmax(1)).mean())
        ratio = 10 * np.log10((real.astype(float) ** 2).sum() / ((theirs - real).astype(float) ** 2).sum())
        print(f"{name}: agreement {report['argmax_agreement']}, onnxruntime {agreement}; "
              f"output {report['outputs'][0]['sqnr_db']} dB, onnxruntime {ratio:.2f} dB; worst {report['layers'][0]['tensor']} {report['layers'][0]['sqnr_db']} dB")
        self.assertGreaterEqual(report["argmax_agreement"], agreement)

    def test_kws(self):
        self.check("kws")

    def test_ic(self):
        self.check("ic")

    def test_vww(self):
        self.check("vww")

    def test_ad(self):
        self.check("ad")


class Mistakes(Case):
    """Bad data for calibration and validation: exit code 1, the file's and the array's name, nothing written."""

    def refusal(self, *options, code: int = 1) -> str:
        out, done = self.compile(SHOULDER, *options, check=False)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        self.assertFalse(out.exists())
        return done.stderr

    def test_files(self):
        good = np.zeros((3, 6, 100), np.float32)
        bad = good.copy()
        bad[1, 2, 3] = np.nan
        whole = self.save("whole", imu=good).read_bytes()
        (self.folder / "half.npz").write_bytes(whole[:len(whole) // 2])
        cases = {
            "misshaped.npz: array 'imu': is f32[3,6,99], expected [N,6,100] or [N,1,6,100]": self.save("misshaped", imu=good[..., :99]),
            "unknown.npz: array 'extra' is f32[3]": self.save("unknown", imu=good, extra=good[:, 0, 0]),
            "missing.npz: no array 'imu'": self.save("missing", a=good, b=good),
            "nan.npz: array 'imu': element 203 of sample 1 (counted from 0) is nan": self.save("nan", imu=bad),
            "none.npz: array 'imu': is f32[0,6,100]: there is no sample in it": self.save("none", imu=good[:0]),
            "half.npz: is truncated": self.folder / "half.npz",
            "absent.npz: cannot be read": self.folder / "absent.npz",
        }
        for message, path in cases.items():
            for options in (("--calibrate", path), ("--calibrate", self.folder / "whole.npz", "--validate", path)):
                with self.subTest(message, option=options[-2]):
                    self.assertIn(message, self.refusal("--quantize", "int8", *options))

    def test_labels(self):
        good = np.zeros((3, 6, 100), np.float32)
        message = self.refusal("--quantize", "int8", "--calibrate", self.save("labelled", imu=good, labels=np.array([0, 7, 1])))
        self.assertIn("labelled.npz: label 7 of sample 1 (counted from 0) is none of the 7 classes", message)

    def test_usage(self):
        self.assertIn("--validate", self.refusal("--validate", self.save("x", imu=np.zeros((1, 6, 100))), code=2))


if __name__ == "__main__":
    emitted_support.main()
