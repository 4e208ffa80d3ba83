"""Forms of quantized models that exporters write: operands computed from constants, types of inputs and outputs, what is said of them.

    python test/quantized/import_test.py [Known|Dynamic|Wide|Flattened|Types|Messages]

Exit code 77: onnx or onnxruntime are missing.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    from quantized_support import TARGET, emit, emitted_support, host_function, kernels
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)


class Model:
    """A graph of `x` [1, 2, 4, 4] and `y`; what a test adds to it."""

    def __init__(self, shape=(1, 2, 4, 4), stored=TensorProto.FLOAT):
        self.nodes, self.constants, self.shape, self.stored, self.opset = [], [], shape, stored, 17

    def constant(self, array) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(array), f"c{len(self.constants)}"))
        return self.constants[-1].name

    def add(self, op: str, *inputs: str, output: str = "", **attributes) -> str:
        output = output or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"n{len(self.nodes)}", **attributes))
        return output

    def through(self, x: str, scale: float, zero_point, output: str = "") -> str:
        """x as a stored number and back."""
        operands = [self.constant(np.float32(scale)), self.constant(zero_point)]
        return self.add("DequantizeLinear", self.add("QuantizeLinear", x, *operands), *operands, output=output)

    def real(self, number, scale: float) -> str:
        """A constant as quantizers write it."""
        return self.add("DequantizeLinear", self.constant(np.int8(number)), self.constant(np.float32(scale)), self.constant(np.int8(0)))

    def write(self, folder: pathlib.Path, output=TensorProto.FLOAT, shape=None) -> pathlib.Path:
        """shape: of the output, where ONNX cannot infer it."""
        graph = helper.make_graph(self.nodes, "g", [helper.make_tensor_value_info("x", self.stored, self.shape)],
                                  [helper.make_tensor_value_info("y", output, shape)], self.constants)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        path = folder / f"model{len(list(folder.iterdir()))}.onnx"  # another for each: what is emitted from a file is kept
        onnx.save(onnx.shape_inference.infer_shapes(model), path)
        return path


class InFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tinytc-import-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def reference(self, path: pathlib.Path, x: np.ndarray) -> np.ndarray:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]

    def compare(self, model: Model, step: float) -> list[str]:
        """At most one step off onnxruntime, and that seldom; the kernels."""
        path = model.write(self.folder)
        folder = emit(path)
        predict = host_function(folder)
        random, distances = np.random.default_rng(3), []
        for _ in range(50):
            x = random.standard_normal(model.shape).astype(np.float32)
            wanted = self.reference(path, x)
            distances.append(np.abs(predict(x, wanted) - wanted) / step)
        self.assertLess(np.max(distances), 1.001)  # the real numbers that carry the steps are rounded to single precision
        self.assertLess(np.mean(np.array(distances) > 0.5), 0.01)
        return kernels(folder)


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


class Dynamic(InFolder):
    """What is quantized while the model runs: integers with every bit, real numbers but for their rounding."""

    def dynamic(self, m: Model, x: str) -> list[str]:
        names = [f"{x}/{part}" for part in ("stored", "scale", "zero")]
        m.nodes.append(helper.make_node("DynamicQuantizeLinear", [x], names, name=f"d{len(m.nodes)}"))
        return names

    def same_bits(self, m: Model, output=TensorProto.INT32, sizes=(1.0, 30.0), reference: Model | None = None) -> list[str]:
        """reference: what onnxruntime runs, if it has no kernel for the model itself."""
        path = m.write(self.folder, output)
        folder = emit(path)
        path = reference.write(self.folder, output) if reference else path
        predict = host_function(folder)
        for seed, size in enumerate(sizes):
            x = size * np.random.default_rng(seed).standard_normal(m.shape)
            x = x.astype(np.float32) if m.stored == TensorProto.FLOAT else np.clip(40 * x, 0, 255).astype(np.uint8)
            wanted = self.reference(path, x)
            np.testing.assert_array_equal(predict(x, wanted), wanted)
        return kernels(folder)

    def test_there_and_back(self):
        m = Model((3, 7))
        self.assertEqual(3, len(stored := self.dynamic(m, "x")))
        m.add("DequantizeLinear", *stored, output="y")
        path = m.write(self.folder)
        predict = host_function(emit(path))
        for seed, size in ((1, 1.0), (2, 30.0), (3, 0.0)):
            x = (size * np.random.default_rng(seed).standard_normal(m.shape)).astype(np.float32)
            wanted = self.reference(path, x)
            # Quotients and products are single ones on both sides; the scale's two roundings may differ in the last bit.
            np.testing.assert_allclose(predict(x, wanted), wanted, rtol=1e-6, atol=0)

    def test_stored(self):
        """A range on both sides of 0, on one, and none: every stored number."""
        for function in ("Identity", "Abs"):
            m = Model((4, 9))
            m.add("Identity", self.dynamic(m, m.add(function, "x"))[0], output="y")
            self.same_bits(m, TensorProto.UINT8, (1.0, 1e-3, 1e30, 0.0))

    def test_products(self):
        """Weights of both types with a zero point for all, for each column, none; those that are computed, and of 1,000 terms."""
        random, called = np.random.default_rng(6), set()
        for shape, kind, zeros in (((3, 20), np.int8, None), ((1, 21), np.uint8, "one"), ((2, 7), np.uint8, "each"), ((1, 3, 6), np.int8, "each"), ((5, 1000), np.int8, "one")):
            with self.subTest(shape, kind=kind, zeros=zeros):
                m, ends = Model(shape), np.iinfo(kind)
                stored, _, zero = self.dynamic(m, "x")
                w = random.integers(ends.min, ends.max + 1, (shape[-1], 5)).astype(kind)
                operands = [stored, m.constant(w), zero]
                if zeros is not None:
                    operands.append(m.constant(random.integers(ends.min, ends.max + 1, [5] if zeros == "each" else []).astype(kind)))
                m.add("MatMulInteger", *operands, output="y")
                quantize, product = self.same_bits(m)
                self.assertEqual("dynamic_quantize_linear", quantize)
                called.add(product)
        self.assertEqual({"q_integer_dense", "q_integer_dense_paired"}, called)
        m = Model((4, 6))
        a, _, zero = self.dynamic(m, "x")
        m.add("MatMulInteger", a, m.add("Transpose", a), zero, zero, output="y")
        self.assertIn("q_integer_matmul", self.same_bits(m))

    def test_convolutions(self):
        random = np.random.default_rng(7)
        for channels, outputs, kind, zeros, attributes, kernel in (
            (3, 5, np.int8, None, {"pads": [1, 1, 1, 1]}, "q_integer_conv2d"),
            (3, 4, np.uint8, "one", {"strides": [2, 1], "pads": [0, 2, 1, 0]}, "q_integer_conv2d"),
            (4, 6, np.uint8, "each", {"group": 2, "dilations": [1, 2]}, "q_integer_conv2d"),
            (5, 5, np.uint8, "each", {"group": 5, "pads": [1, 1, 1, 1]}, "q_integer_depthwise"),
            (2, 4, np.uint8, "one", {"group": 2}, "q_integer_conv2d_plain"),
        ):
            with self.subTest(channels, kind=kind, attributes=attributes):
                m, ends = Model((2, channels, 6, 7), TensorProto.UINT8), np.iinfo(kind)
                w = random.integers(ends.min, ends.max + 1, (outputs, channels // attributes.get("group", 1), 3, 3)).astype(kind)
                zero = random.integers(ends.min, ends.max + 1, [outputs] if zeros == "each" else []).astype(kind) if zeros else kind(0)
                m.add("ConvInteger", "x", m.constant(w), m.constant(np.uint8(131)), *([m.constant(zero)] if zeros else []), output="y", **attributes)
                # onnxruntime has no zero points by channel: in float32, where sums of 54 products are exact.
                real = Model(m.shape, m.stored)
                x = real.add("Sub", real.add("Cast", "x", to=TensorProto.FLOAT), real.constant(np.float32(131)))
                numbers = w.astype(np.float32) - zero.astype(np.float32).reshape(-1, 1, 1, 1)
                real.add("Cast", real.add("Conv", x, real.constant(numbers), **attributes), output="y", to=TensorProto.INT32)
                self.assertIn(kernel, self.same_bits(m, reference=real if zeros == "each" else None))

    def test_fused_forms(self):
        """As onnxruntime's optimizer saves a model."""
        for kind, zero in ((np.int8, 0), (np.uint8, 120)):
            with self.subTest(kind):
                random, ends, m = np.random.default_rng(8), np.iinfo(kind), Model((3, 12))
                weights = [m.constant(random.integers(ends.min, ends.max + 1, (12, 12)).astype(kind)) for _ in range(2)]
                scales = [m.constant(np.float32(0.01)), m.constant(random.uniform(0.01, 0.03, 12).astype(np.float32))]
                bias, zero_point = m.constant(random.standard_normal(12).astype(np.float32)), m.constant(kind(zero))
                stored, scale, point = self.dynamic(m, "x")
                first = m.add("MatMulIntegerToFloat", stored, weights[0], scale, scales[0], point, zero_point, bias, domain="com.microsoft")
                columns = m.constant(np.full(12, zero, kind))
                m.add("DynamicQuantizeMatMul", first, weights[1], scales[1], columns, output="y", domain="com.microsoft")
                path = m.write(self.folder, shape=m.shape)
                folder = emit(path)
                self.assertFalse({"gemm", "gemm_row", "cast", "q_integer_matmul"} & set(kernels(folder)), kernels(folder))
                predict = host_function(folder)
                for seed in range(20):
                    x = np.random.default_rng(seed).standard_normal(m.shape).astype(np.float32)
                    wanted = self.reference(path, x)
                    # Two products and a sum, each rounded once on both sides but in another order.
                    np.testing.assert_allclose(predict(x, wanted), wanted, rtol=1e-6, atol=1e-6 * np.abs(wanted).max())

    def test_mistakes(self):
        for operands, message in (
            ((np.ones((8, 4), np.float32),), "input 1 is f32, must be i8 or u8"),
            ((np.ones((8, 4), np.int8), "", np.zeros(3, np.int8)), "3 zero points in i8[3] for 4 output channels"),
            ((np.ones((8, 4), np.int8), "", np.zeros((4, 1), np.int8)), "4 zero points in i8[4,1] for 4 output channels"),
            ((np.ones((8, 4), np.int8), np.zeros(2, np.uint8)), "2 zero points of input 0; one for the whole tensor is supported"),
            ((np.ones((8, 4), np.int8), np.int8(0)), "the zero point of input 0 is i8, the tensor u8"),
        ):
            with self.subTest(message):
                m = Model((2, 8), TensorProto.UINT8)
                m.add("MatMulInteger", "x", *(operand if isinstance(operand, str) else m.constant(operand) for operand in operands), output="y")
                path = m.write(self.folder, TensorProto.INT32, [2, 4])
                done = subprocess.run([emitted_support.TINYTC, path, "--target", TARGET, "-o", self.folder / "out"], capture_output=True, text=True)
                self.assertEqual(1, done.returncode, done.stdout + done.stderr)
                self.assertIn(message, done.stderr)


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
        """A convolution, Gemm or MatMul of 4 channels in QDQ or QOperator form, its int8 weights with these zero points: one, or one a channel."""
        random, zeros, operator = np.random.default_rng(6), np.asarray(zero_points, np.int8), form.split("_")[0]
        shape, axis = {"Conv": ((4, 2, 3, 3), 0), "Gemm": ((4, 32), 0), "MatMul": ((32, 4), 1)}[operator]
        m = Model() if operator == "Conv" else Model((1, 32))
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
