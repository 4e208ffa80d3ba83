"""Float models that tinytc quantizes (--quantize int8), against onnxruntime's static quantizer, and how its options are refused.

    python test/quantized/float_test.py

Exit code 77: onnx, onnxruntime or the reference networks (../shared/models) are missing.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import numpy_helper

    import made
    from quantized_support import ROOT, SHARED, TARGET, emit, emitted_support, host_function
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)


class Float(unittest.TestCase):
    """--quantize: as near to the float model as onnxruntime's static quantizer with the same calibration data."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tinytc-float-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    @staticmethod
    def outputs(path: pathlib.Path, samples: np.ndarray) -> np.ndarray:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        (name,) = [entry.name for entry in session.get_inputs()]
        return np.stack([session.run(None, {name: x})[0] for x in samples])

    def agreements(self, model: pathlib.Path, calibration: np.ndarray, samples: np.ndarray):
        """(float, ours, onnxruntime's) classes of the samples; both arrays are [samples, shape of the input...]."""
        name = onnx.load(model).graph.input[0].name
        shape = [d.dim_value for d in onnx.load(model).graph.input[0].type.tensor_type.shape.dim]
        calibration, samples = (array.astype(np.float32).reshape(len(array), *shape) for array in (calibration, samples))
        np.savez(self.folder / "calibration.npz", **{name: calibration})
        real = self.outputs(model, samples)
        predict = host_function(emit(model, "--quantize", "int8", "--calibrate", str(self.folder / "calibration.npz")))
        ours = np.stack([predict(x, real[0]) for x in samples])
        made.quantize(model, name, calibration, self.folder / "theirs.onnx")
        theirs = self.outputs(self.folder / "theirs.onnx", samples)
        return [array.reshape(len(array), -1).argmax(1) for array in (real, ours, theirs)]

    def check(self, model: pathlib.Path, calibration: np.ndarray, samples: np.ndarray, labels: np.ndarray | None = None):
        real, ours, theirs = self.agreements(model, calibration, samples)
        self.assertGreaterEqual((ours == real).mean(), (theirs == real).mean())
        if labels is not None:
            self.assertGreaterEqual((ours == labels).mean(), (real == labels).mean() - 0.005)

    def test_reference_networks(self):
        """On the noise of their self-tests: there is no data for them here."""
        if not SHARED.is_dir():
            self.skipTest("../shared/models is not there")
        for name in ("kws", "ic", "ad"):
            with self.subTest(name):
                graph = onnx.load(SHARED / f"mlperf_tiny/{name}_int8.onnx").graph
                numbers = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
                (first,) = [node for node in graph.node if node.input[0] == graph.input[0].name]
                scale, zero = numbers[first.input[1]], int(numbers[first.input[2]])
                stored = np.load(SHARED / f"mlperf_tiny/{name}_io.npz")["inputs"]
                noise = np.stack([np.random.default_rng(1000 + i).integers(0, 256, stored[0].size) - 128 for i in range(100)])
                self.check(SHARED / f"mlperf_tiny/{name}_float.onnx", (stored.astype(np.float32) - zero) * scale, (noise - zero) * scale)

    def test_shoulder(self):
        sys.path.insert(0, str(ROOT))
        from models.shoulder import data, samples
        people = [samples.read(samples.path_of(subject)) for subject in data.HELD_OUT]
        windows = [np.concatenate([part[i].counts * data.SCALES[:, None] for part in people]) for i in (0, 1)]
        self.check(ROOT / "models/shoulder/shoulder.onnx", windows[0][::4], windows[1], np.concatenate([test.labels for _, test in people]))

    def test_types_of_input_and_output(self):
        header = self.header("--input-type", "int8", "--output-type", "int8")
        self.assertIn("std::int8_t* input() noexcept", header)
        self.assertIn("const std::int8_t* output() const noexcept", header)
        self.assertIn("input_scale", header)
        header = self.header()
        self.assertIn("float* input() noexcept", header)
        self.assertIn("const float* output() const noexcept", header)

    def calibrated(self, *options: str) -> list[str]:
        np.savez(self.folder / "few.npz", imu=np.random.default_rng(1).standard_normal((4, 6, 100)).astype(np.float32))
        return ["--quantize", "int8", "--calibrate", str(self.folder / "few.npz"), *options]

    def header(self, *options: str) -> str:
        return (emit(ROOT / "models/shoulder/shoulder.onnx", *self.calibrated(*options)) / "net.h").read_text()

    def refused(self, code: int, *options: str) -> str:
        command = [emitted_support.TINYTC, ROOT / "models/shoulder/shoulder.onnx", "--target", TARGET, "-o", self.folder / "out", *options]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        self.assertFalse((self.folder / "out").exists())
        return done.stderr

    def test_refusals(self):
        self.assertIn("--quantize needs --calibrate", self.refused(2, "--quantize", "int8"))
        self.assertIn("only int8 is supported", self.refused(2, "--quantize", "int4", "--calibrate", "x.npz"))
        self.assertIn("not supported yet", self.refused(2, *self.calibrated("--train", "all", "--loss", "mse")))
        self.assertIn("belongs to --quantize int8", self.refused(2, "--calibrate", "x.npz"))
        self.assertIn("no node has such a name", self.refused(1, *self.calibrated("--keep-float", "nothing")))
        self.assertIn("--input-type int8", self.refused(1, "--input-type", "int8"))
        for array in (np.zeros((4, 5, 100)), np.full((4, 6, 100), np.nan), np.zeros((0, 6, 100))):
            np.savez(self.folder / "bad.npz", imu=array.astype(np.float32))
            self.assertIn("bad.npz", self.refused(1, "--quantize", "int8", "--calibrate", str(self.folder / "bad.npz")))


if __name__ == "__main__":
    emitted_support.main()
