"""Dynamic quantization, as exporters write it: DynamicQuantizeLinear, products of integers, onnxruntime's fused forms.

    python test/quantized/dynamic_test.py

Exit code 77: onnx or onnxruntime are missing.
"""

from __future__ import annotations

import subprocess
import sys

try:
    import numpy as np
    from onnx import TensorProto, helper

    from model_support import InFolder, Model
    from quantized_support import TARGET, emit, emitted_support, host_function, kernels
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)


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


if __name__ == "__main__":
    emitted_support.main()
