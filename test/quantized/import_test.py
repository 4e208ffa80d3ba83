"""Forms of quantized models that exporters write: operands computed from constants, types of inputs and outputs, what is said of them.

    python test/quantized/import_test.py [Known|Wide|Flattened|Types|Messages]

Exit code 77: onnx or onnxruntime are missing.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import sys

try:
    import numpy as np
    from onnx import TensorProto

    from model_support import InFolder, Model
    from quantized_support import TARGET, emit, emitted_support, host_function, kernels
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)


class Known(InFolder):
    """Operands that must be known while compiling, computed from constants."""

    def test_padding_and_bounds(self):
        """A quantizer puts DequantizeLinear before Pad's number and Clip's bounds, too."""
        pads = np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64)
        for number in (0, 12):  # 12 * 0.05: a number that the tensor can store as well
            with self.subTest(number):
                m = Model()
                x = m.through("x", 0.05, np.int8(-3))
                padded = m.add("Pad", x, m.constant(pads), m.real(number, 0.05))
                m.through(m.add("Clip", padded, m.real(-10, 0.1), m.real(15, 0.1)), 0.02, np.int8(10), output="y")
                called = self.compare(m, 0.02)
                self.assertIn("q_table", called)
                self.assertFalse({"unary", "binary"} & set(called), called)

    def test_scales_computed_from_a_weight(self):
        """PyTorch's older exporter of fake quantization writes a weight's scales as the weight's largest number by channel over 127."""
        m = Model()
        w = m.constant(np.random.default_rng(1).standard_normal((3, 2, 3, 3)).astype(np.float32))
        scale = m.add("Div", m.add("ReduceMax", m.add("Abs", w), axes=[1, 2, 3], keepdims=0), m.constant(np.float32(127)))
        operands = [scale, m.constant(np.zeros(3, np.int8))]
        weight = m.add("DequantizeLinear", m.add("QuantizeLinear", w, *operands, axis=0), *operands, axis=0)
        m.through(m.add("Conv", m.through("x", 0.03, np.int8(2)), weight, pads=[1, 1, 1, 1]), 0.08, np.int8(0), output="y")
        called = self.compare(m, 0.08)
        self.assertEqual(1, sum(name.startswith(("q_conv2d", "q_grouped")) for name in called), called)
        self.assertFalse({"conv2d", "unary", "reduce"} & set(called), called)


class Wide(InFolder):
    """int16 activations with a zero point, as onnxruntime's quantizer makes them unless told otherwise."""

    def test_product_and_sum(self):
        """Less its zero point a number has 16 bits and a sign: products of two such leave 32 bits, and are computed in float32."""
        for zero, scale in ((-32768, 5e-5), (0, 1e-4)):
            with self.subTest(zero):
                m, at = Model(), np.int16(zero)
                m.opset = 21
                x = m.through(m.add("Abs", "x"), scale, at)
                y = m.through(m.add("Mul", x, m.through(m.add("Sigmoid", "x"), scale / 4, at)), scale, at)
                m.through(m.add("Add", x, y), 2.13 * scale, at, output="y")
                called = self.compare(m, 2.13 * scale)
                self.assertIn("q16_add", called)
                self.assertEqual(zero == 0, "q16_mul" in called, called)


class Flattened(InFolder):
    """A dense layer behind a flattened convolution: its weights take the order of the convolution's result, whatever the batch."""

    def test_no_copy_between(self):
        for batch, flatten in ((1, "Flatten"), (3, "Reshape")):
            with self.subTest(flatten):
                random, m = np.random.default_rng(4), Model((batch, 2, 4, 5))
                weights = [m.add("DequantizeLinear", m.constant(random.integers(-127, 128, shape).astype(np.int8)), m.constant(np.float32(0.01)),
                                 m.constant(np.int8(0))) for shape in ((4, 2, 3, 3), (7, 4 * 2 * 3))]
                y = m.through(m.add("Conv", m.through("x", 0.03, np.int8(2)), weights[0]), 0.07, np.int8(-1))
                y = m.add("Flatten", y) if flatten == "Flatten" else m.add("Reshape", y, m.constant(np.array([batch, -1])))
                m.through(m.add("Gemm", y, weights[1], transB=1), 0.1, np.int8(0), output="y")
                called = self.compare(m, 0.1)
                self.assertNotIn("copy", called[called.index("q_conv2d"):], called)


class Types(InFolder):
    """--input-type and --output-type, beyond moves and for uint8: the same bits as with the model's own types."""

    CONVERSION = 0.05

    def model(self, zero_point, is_stored: bool) -> pathlib.Path:
        """NHWC to NCHW, a convolution and back; `is_stored`: the moves are of stored numbers."""
        kind = TensorProto.INT8 if zero_point.dtype == np.int8 else TensorProto.UINT8
        m = Model((1, 4, 4, 2), kind if is_stored else TensorProto.FLOAT)
        operands = [m.constant(np.float32(self.CONVERSION)), m.constant(zero_point)]
        x = m.add("Transpose", "x", perm=[0, 3, 1, 2])
        x = m.add("DequantizeLinear", x if is_stored else m.add("QuantizeLinear", x, *operands), *operands)
        scale = m.constant(np.float32(0.01))
        weight = m.constant(np.random.default_rng(1).integers(-127, 128, (4, 2, 3, 3)).astype(np.int8))
        y = m.add("Conv", x, m.add("DequantizeLinear", weight, scale, m.constant(np.int8(0))), pads=[1, 1, 1, 1])
        y = m.add("QuantizeLinear", y, *operands)
        m.add("Transpose", y if is_stored else m.add("DequantizeLinear", y, *operands), perm=[0, 2, 3, 1], output="y")
        return m.write(self.folder, kind if is_stored else TensorProto.FLOAT)

    def stored(self, real: np.ndarray, zero_point) -> np.ndarray:
        limits = np.iinfo(zero_point.dtype)
        return np.clip(np.rint(real / np.float32(self.CONVERSION)) + int(zero_point), limits.min, limits.max).astype(zero_point.dtype)

    def test_same_bits(self):
        x = np.random.default_rng(2).standard_normal((1, 4, 4, 2)).astype(np.float32)
        for zero_point, is_stored in ((np.int8(-3), False), (np.int8(-3), True), (np.uint8(125), False), (np.uint8(125), True)):
            with self.subTest(zero_point.dtype, stored=is_stored):
                path, signed = self.model(zero_point, is_stored), np.int8(-3)
                real = emit(path, "--input-type", "float32", "--output-type", "float32")
                small = emit(path, "--input-type", "int8", "--output-type", "int8")
                y = host_function(real)(x, np.zeros((1, 4, 4, 4), np.float32))
                (wanted,) = self.reference(path, self.stored(x, zero_point) if is_stored else x),
                wanted = (wanted.astype(np.float32) - int(zero_point)) * np.float32(self.CONVERSION) if is_stored else wanted
                self.assertLess(np.abs(y - wanted).max(), 1.001 * self.CONVERSION)
                np.testing.assert_array_equal(self.stored(y, signed), host_function(small)(self.stored(x, signed), np.zeros(y.shape, np.int8)))
                self.assertEqual([name for name in kernels(small) if not name.startswith("q_")], [])
                for port in ("input", "output"):
                    self.assertIn(f"{port}_zero_point = -3;", (small / "net.h").read_text())


class Messages(InFolder):
    """What is said of models that are not, or not wholly, int8."""

    def run_tinytc(self, model: pathlib.Path, *options) -> tuple[int, str]:
        command = [emitted_support.TINYTC, model, "--target", TARGET, "-o", self.folder / "out", *options]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def dense(self, zero_point=np.int8(0), quantized: bool = True) -> pathlib.Path:
        """Weights of -126, or what stands for it as uint8."""
        m = Model((1, 8))
        if quantized:
            weight = -126 if zero_point.dtype == np.int8 else 2
            operands = [m.constant(np.full((8, 4), weight, zero_point.dtype)), m.constant(np.float32(0.1)), m.constant(zero_point)]
            m.through(m.add("Gemm", m.through("x", 0.05, np.int8(0)), m.add("DequantizeLinear", *operands)), 0.1, np.int8(0), output="y")
        else:
            m.add("MatMul", "x", m.constant(np.ones((8, 4), np.float32)), output="y")
        return m.write(self.folder)

    def samples(self, x: np.ndarray) -> pathlib.Path:
        np.savez(self.folder / "samples.npz", x=x)
        return self.folder / "samples.npz"

    def test_what_stays_float_of_an_imported_model(self):
        """On the terminal and in the report, with the reason."""
        self.assertIn("quantized as it came; in float32: nothing", self.run_tinytc(self.dense())[1])
        code, text = self.run_tinytc(self.dense(np.uint8(133)), "--name", "net")
        self.assertEqual(0, code, text)
        self.assertIn("in float32: node 'n3' (Gemm, #3) because its weights less their zero point exceed 8 bits", text)
        facts = json.loads((self.folder / "out" / "net.report.json").read_text())["quantized"]
        self.assertIsNone(facts["calibration"])
        self.assertEqual(["its weights less their zero point exceed 8 bits"], [node["reason"] for node in facts["float_nodes"]])
        self.assertNotIn("quantized", self.run_tinytc(self.dense(quantized=False))[1])

    def layer(self, form: str, zero_points) -> tuple[pathlib.Path, Model]:
        """A convolution, its transpose, Gemm or MatMul of 4 channels in QDQ or QOperator form, its int8 weights with these zero points: one, or one a channel."""
        random, zeros, operator = np.random.default_rng(6), np.asarray(zero_points, np.int8), form.split("_")[0]
        shape, axis = {"Conv": ((4, 2, 3, 3), 0), "ConvTranspose": ((2, 4, 3, 3), 1), "Gemm": ((4, 32), 0), "MatMul": ((32, 4), 1)}[operator]
        m = Model() if operator.startswith("Conv") else Model((1, 32))
        stored = random.integers(-127, 128, shape).astype(np.int8)
        weight = [m.constant(stored), m.constant(np.full(zeros.shape, 0.01, np.float32)), m.constant(zeros)]
        of_input, of_output = ([m.constant(np.float32(scale)), m.constant(np.int8(zero))] for scale, zero in ((0.03, 2), (0.1, -5)))
        x = m.add("QuantizeLinear", "x", *of_input)
        if form.endswith("operator"):
            y = m.add(f"QLinear{operator}", x, *of_input, *weight, *of_output)
        else:
            attributes = {"axis": axis} if zeros.ndim else {}
            operands = [m.add("DequantizeLinear", x, *of_input), m.add("DequantizeLinear", *weight, **attributes)]
            y = m.add("QuantizeLinear", m.add(operator, *operands, **({"transB": 1} if operator == "Gemm" else {})), *of_output)
        m.add("DequantizeLinear", y, *of_output, output="y")
        return m.write(self.folder), m

    def test_weights_with_a_zero_point(self):
        """Refused for each operator and form, with node, weight, number and remedies; the remedy --keep-float works, and computes what ONNX says."""
        for form in ("Conv", "Gemm", "MatMul", "Conv_operator", "MatMul_operator"):
            for zeros, said in ((3, "zero point 3, "), ([0, 0, -2, 1], "zero point -2 in channel 2, ")):
                with self.subTest(form, zeros=zeros):
                    path, m = self.layer(form, zeros)
                    code, text = self.run_tinytc(path)
                    name = "n1" if form.endswith("operator") else "n3"
                    self.assertEqual(1, code, text)
                    self.assertFalse((self.folder / "out").exists())
                    self.assertIn(f"node '{name}' (", text)
                    self.assertIn(f"int8 weight 'c0' has the {said}", text)
                    self.assertIn(f"--keep-float '{name}'", text)
                    self.assertIn("WeightSymmetric", text)
                    folder = emit(path, "--keep-float", name)
                    x = np.random.default_rng(7).standard_normal(m.shape).astype(np.float32)
                    wanted = self.reference(path, x)
                    np.testing.assert_allclose(host_function(folder)(x, wanted), wanted, atol=1e-6)
                    self.assertFalse([called for called in kernels(folder) if called.startswith(("q_conv", "q_dense", "q_matmul", "q_paired"))])
                    code, text = self.run_tinytc(path, "--keep-float", name)
                    self.assertIn("because --keep-float names it", text)
                    shutil.rmtree(self.folder / "out")

    def test_weights_with_a_zero_point_of_no_int8_layer(self):
        """ConvTranspose computes in float32 whatever its weights are: not refused, and what ONNX says."""
        for zeros in (3, [0, 0, -2, 1]):
            with self.subTest(zeros=zeros):
                path, m = self.layer("ConvTranspose", zeros)
                self.assertIn("in float32: node 'n3' (ConvTranspose, #3) because it has no int8 form", self.run_tinytc(path)[1])
                shutil.rmtree(self.folder / "out")
                x = np.random.default_rng(7).standard_normal(m.shape).astype(np.float32)
                wanted = self.reference(path, x)
                # Both give the same stored numbers, times the scale in single precision.
                np.testing.assert_allclose(host_function(emit(path))(x, wanted), wanted, atol=1e-6)

    def test_weights_without(self):
        for form in ("Conv", "Gemm", "MatMul", "Conv_operator", "MatMul_operator"):
            for zeros in (0, [0, 0, 0, 0]):
                with self.subTest(form, zeros=zeros):
                    self.assertIn("in float32: nothing", self.run_tinytc(self.layer(form, zeros)[0])[1])

    def test_keep_float_of_a_model_that_came_quantized(self):
        self.assertIn("(Gemm, #3) because --keep-float names it", self.run_tinytc(self.dense(), "--keep-float", "n3")[1])
        shutil.rmtree(self.folder / "out")
        for model, pattern, message in ((self.dense(), "n2", "no node has such a name"),  # a conversion
                                        (self.dense(quantized=False), "*", "the model is not quantized, all of it computes in float32")):
            code, text = self.run_tinytc(model, "--keep-float", pattern)
            self.assertEqual(1, code, text)
            self.assertIn(message, text)
            self.assertFalse((self.folder / "out").exists())

    def test_all_kept_float(self):
        random = self.samples(np.random.default_rng(1).standard_normal((4, 1, 8)).astype(np.float32))
        code, text = self.run_tinytc(self.dense(quantized=False), "--quantize", "int8", "--calibrate", random, "--keep-float", "*")
        self.assertEqual(1, code)
        self.assertIn("with --keep-float no operator becomes int8", text)
        self.assertIn("hint: keep fewer nodes", text)

    def test_nothing_to_train(self):
        code, text = self.run_tinytc(self.dense(), "--train", "last:1", "--loss", "mse")
        self.assertEqual(1, code)
        self.assertIn("trainable tensors are: none, because its weights are quantized", text)

    def test_constant_calibration(self):
        """A mistake of whoever wrote the samples; not refused."""
        options = ("--quantize", "int8", "--calibrate")
        code, text = self.run_tinytc(self.dense(quantized=False), *options, self.samples(np.zeros((4, 1, 8), np.float32)))
        self.assertEqual(0, code, text)
        self.assertIn("warning: samples.npz: all elements of 'x' are 0 in all samples", text)
        self.assertNotIn("warning", self.run_tinytc(self.dense(quantized=False), *options, self.samples(np.eye(8, dtype=np.float32)[:, None]))[1])


if __name__ == "__main__":
    emitted_support.main()
