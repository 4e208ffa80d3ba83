"""Quantized models, as they come: compiled for a board, run on the host and on the emulated board.

    python test/quantized/quantized_test.py [Reference|Made|Exporters|Interface|Refusals]

Exit code 77: onnx, onnxruntime or the reference networks (../shared/models) are missing.
"""

from __future__ import annotations

import itertools
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    import made
    from layers import session_of
    from quantized_support import EXPORTERS, SHARED, TARGET, VECTORS, emit, emitted_support, host_function, kernels
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

FLOAT_KERNELS = {"conv2d", "conv2d_pointwise", "depthwise_conv2d", "depthwise_conv2d_one", "gemm", "gemm_row", "binary"}
SELF_TEST = """#include "board.h"
#include "net.h"
namespace { net::Model model; }
int main(int, char**) { return model.self_test() ? 0 : 1; }
"""


class Reference(unittest.TestCase):
    """Published int8 networks and what onnxruntime (MLPerf Tiny) or exact arithmetic (MCUNet) gives for them."""

    NETWORKS = {
        "mlperf_tiny/kws_int8.onnx": ("mlperf_tiny/kws_io.npz", "outputs_onnx"),
        "mlperf_tiny/ic_int8.onnx": ("mlperf_tiny/ic_io.npz", "outputs_onnx"),
        "mlperf_tiny/vww_int8.onnx": ("mlperf_tiny/vww_io.npz", "outputs_onnx"),
        "mlperf_tiny/ad_int8.onnx": ("mlperf_tiny/ad_io.npz", "outputs_onnx"),
        "mcunet/mcunet_vww1_int8.onnx": ("mcunet/mcunet_vww1_io.npz", "outputs_halfeven"),
        "mcunet/mcunet5fps_safe_int8.onnx": ("mcunet/mcunet5fps_io.npz", "logits_halfeven"),
    }

    def setUp(self):
        if not SHARED.is_dir():
            self.skipTest("../shared/models is not there")

    def test_every_bit(self):
        for (model, (file, key)), target in itertools.product(self.NETWORKS.items(), (TARGET, VECTORS)):
            with self.subTest(model, target=target):
                predict = host_function(emit(SHARED / model, target=target))
                samples = np.load(SHARED / file)
                for x, y in zip(samples["inputs"], samples[key]):
                    np.testing.assert_array_equal(predict(x.astype(np.int8), y), y)

    def test_winograd(self):
        """--prefer speed: four of ic's convolutions become Winograd's, and no bit changes; less RAM or flash takes some of them back."""
        model = SHARED / "mlperf_tiny" / "ic_int8.onnx"
        samples = np.load(SHARED / "mlperf_tiny" / "ic_io.npz")
        for limits, least, most in ([], 4, 4), (["--ram", "40K"], 1, 3), (["--ram", "34K"], 1, 3), (["--flash", "150K"], 1, 3):
            with self.subTest(limits):
                folder = emit(model, "--prefer", "speed", *limits)
                count = len(re.findall(r"^  call_q_winograd_conv2d\w*\(at<", (folder / "net.cpp").read_text(), re.MULTILINE))
                self.assertTrue(least <= count <= most, count)
                predict = host_function(folder)
                for x, y in zip(samples["inputs"], samples["outputs_onnx"]):
                    np.testing.assert_array_equal(predict(x.astype(np.int8), y), y)

    def test_size_calls_one_convolution(self):
        """--prefer size: all convolutions of a network are one function with the shape as data."""
        source = (emit(SHARED / "mlperf_tiny" / "ic_int8.onnx", "--prefer", "size") / "net.cpp").read_text()
        self.assertEqual(9, len(re.findall(r"^  call_q_conv2d\(", source, re.MULTILINE)))
        self.assertNotIn("call_q_conv2d_n2", source)
        self.assertIn("#define TINYTC_SMALL 1", source)

    def test_every_bit_on_the_board(self):
        """The self-test compares with what the host computed from random inputs."""
        import emulation
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "self_test.cpp"
            program.write_text(SELF_TEST)
            cases = [(model, target, "balanced") for model, target in itertools.product(list(self.NETWORKS)[:4], (TARGET, VECTORS))]
            for model, target, prefer in [*cases, ("mlperf_tiny/ic_int8.onnx", TARGET, "speed"), ("mlperf_tiny/ic_int8.onnx", TARGET, "size"), ("mlperf_tiny/vww_int8.onnx", TARGET, "size")]:
                with self.subTest(model, target=target, prefer=prefer):
                    emitted = emit(SHARED / model, "--self-test", "--prefer", prefer, target=target)
                    image = emulation.build(target, program, pathlib.Path(folder) / target / pathlib.Path(model).stem, sources=[str(emitted / "net.cpp")],
                                            include=[str(emitted)], cxxflags=emitted_support.defines(), stack="16K")
                    self.assertEqual(0, emulation.run(image, count=False, timeout=600)["exit_code"])


class Made(unittest.TestCase):
    """onnxruntime's quantizer, its forms, against onnxruntime without its own fused kernels: what ONNX's operators mean."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tinytc-quantized-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def compare(self, name: str, form: str, target: str = TARGET) -> list[str]:
        """Compares 100 samples (a value on the other side of a tie moves others behind it). Returns the kernels."""
        path = made.write(name, form, self.folder)
        folder = emit(path, target=target)
        predict = host_function(folder)
        session = session_of(onnx.load(path))
        random, off, total = np.random.default_rng(5), 0, 0
        step = self.step(path)
        for _ in range(100):
            x = random.standard_normal(session.get_inputs()[0].shape).astype(np.float32)
            (wanted,) = session.run(None, {"x": x})
            distance = np.abs(predict(x, wanted) - wanted) / step
            # One step; the real numbers that carry the steps are rounded to single precision.
            self.assertLess(distance.max(), 1.001)
            off, total = off + int((distance > 0.5).sum()), total + distance.size
        self.assertLessEqual(off, 0.01 * total)
        return kernels(folder)

    @staticmethod
    def step(path: pathlib.Path) -> float:
        """Scale of the conversion that gives the model's output."""
        graph = onnx.load(path).graph
        numbers = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        (last,) = [node for node in graph.node if graph.output[0].name in node.output]
        return float(numbers[last.input[1]])

    def test_static_forms(self):
        for name in made.NETWORKS:
            for form in made.FORMS:
                with self.subTest(name, form=form):
                    called = self.compare(name, form)
                    if form != "uint8_weights":  # their zero points need not leave 8 bits
                        self.assertFalse({*FLOAT_KERNELS, "softmax"} & set(called), called)

    def test_vectors(self):
        """Layers with weights take the kernels for vectors, unless a scale needs a shift."""
        called = set()
        for name in made.NETWORKS:
            with self.subTest(name):
                called |= set(self.compare(name, "int8", target=VECTORS))
        self.assertLessEqual({"q_vector_conv2d", "q_vector_depthwise", "q_vector_dense"}, called)

    def test_dynamic_form(self):
        """Weights in int8 or uint8, activations quantized as they come: only real numbers are rounded in another order, by 3e-7 of the largest here.
        Where that moves an activation to the other side of a tie, what stands behind it moves by a step of it; none of these does, another
        onnxruntime's may."""
        for name, weight in itertools.product(("functions", "cnn", "attention"), made.DYNAMIC):
            with self.subTest(name, weight=weight):
                path = made.write(name, weight, self.folder)
                folder = emit(path)
                predict, session = host_function(folder), session_of(onnx.load(path))
                random, distances = np.random.default_rng(5), []
                for _ in range(100):
                    x = random.standard_normal(session.get_inputs()[0].shape).astype(np.float32)
                    (wanted,) = session.run(None, {"x": x})
                    distances.append(np.abs(predict(x, wanted) - wanted).max() / np.abs(wanted).max())
                self.assertLess(np.mean(np.array(distances) > 1e-6), 0.02)
                self.assertLess(max(distances), 0.02)
                called = set(kernels(folder))
                self.assertLessEqual({"dynamic_quantize_linear", *({"q_integer_conv2d", "q_integer_depthwise"} if name == "cnn" else ())}, called)
                self.assertTrue({"q_integer_dense", "q_integer_dense_paired"} & called, called)
                self.assertFalse({"conv2d", "depthwise_conv2d", "gemm_row", "cast", "q_integer_matmul"} & called, called)

    def test_dynamic_form_on_the_board(self):
        """The same bits as on the host, real numbers included."""
        import emulation
        program = self.folder / "self_test.cpp"
        program.write_text(SELF_TEST)
        emitted = emit(made.write("cnn", "dynamic_uint8", self.folder), "--self-test")
        image = emulation.build(TARGET, program, self.folder / "board", sources=[str(emitted / "net.cpp")], include=[str(emitted)], cxxflags=emitted_support.defines(), stack="16K")
        self.assertEqual(0, emulation.run(image, count=False, timeout=600)["exit_code"])


class Exporters(unittest.TestCase):
    """PyTorch's and Brevitas's forms (exporters/make.py), against onnxruntime without its own fused kernels."""

    def differences(self, name: str):
        """(differences, onnxruntime's outputs, kernels) for 100 samples."""
        path = EXPORTERS / f"{name}.onnx"
        folder = emit(path)
        predict = host_function(folder)
        session = session_of(onnx.load(path))
        random, wanted, got = np.random.default_rng(5), [], []
        for _ in range(100):
            x = random.standard_normal((1, 3, 12, 12)).astype(np.float32)
            wanted += session.run(None, {session.get_inputs()[0].name: x})
            got.append(predict(x, wanted[-1]))
        return np.abs(np.array(got) - np.array(wanted)), np.array(wanted), kernels(folder)

    def test_quantized_outputs(self):
        """At most one step off. layers_test.py is the strict check; behind eight layers, what one moves has moved others: 5.6 % at most."""
        for name in ("brevitas_tensor", "brevitas_channels", "brevitas_power_of_two", "fake_quantized_old", "pt2e_tensor"):
            with self.subTest(name):
                distance, wanted, called = self.differences(name)
                numbers = np.unique(np.round(wanted, 6))
                step = np.diff(numbers)[np.diff(numbers) > 1e-5].min()
                self.assertGreater(len(numbers), 10)
                self.assertLess(distance.max() / step, 1.01)  # single precision of small scales
                self.assertLess((distance > 0.5 * step).mean(), 0.06)
                self.assertTrue({"q_conv2d", "q_conv2d_plain"} & set(called), called)

    def test_all_of_a_program_is_int8(self):
        called = self.differences("pt2e_tensor")[2]
        self.assertFalse(FLOAT_KERNELS & set(called), called)

    def test_float_outputs(self):
        """Weights of -128 (a reduced range of activations), and an output that stays a real number: within 1 % of its range."""
        distance, wanted, called = self.differences("pt2e_channels")
        self.assertLess(distance.max() / (wanted.max() - wanted.min()), 0.01)
        self.assertIn("q_conv2d_plain", called)


class Interface(unittest.TestCase):
    """A quantized model keeps its types, and Info says what they mean."""

    def model(self, folder: pathlib.Path, stored: int, zero_point) -> pathlib.Path:
        """x -> DequantizeLinear -> Relu -> QuantizeLinear -> y."""
        nodes = [helper.make_node("DequantizeLinear", ["x", "scale", "zero"], ["real"]), helper.make_node("Relu", ["real"], ["positive"]),
                 helper.make_node("QuantizeLinear", ["positive", "scale", "zero"], ["y"])]
        constants = [numpy_helper.from_array(np.float32(0.25), "scale"), numpy_helper.from_array(zero_point, "zero")]
        graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", stored, [1, 6])],
                                  [helper.make_tensor_value_info("y", stored, [1, 6])], constants)
        path = folder / "model.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        return path

    def test_types_scale_and_zero_point(self):
        for stored, zero_point, name in ((TensorProto.INT8, np.int8(-3), "std::int8_t"), (TensorProto.UINT8, np.uint8(100), "std::uint8_t")):
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                emitted = emit(self.model(pathlib.Path(folder), stored, zero_point))
                header = (emitted / "net.h").read_text()
                self.assertIn(f"{name}* input() noexcept", header)
                self.assertIn(f"const {name}* output() const noexcept", header)
                for port in ("input", "output"):
                    self.assertIn(f"static constexpr float {port}_scale = 0.25F;", header)
                    self.assertIn(f"static constexpr std::int32_t {port}_zero_point = {int(zero_point)};", header)
                x = np.array([[0, 1, 99, 100, 101, 127]], zero_point.dtype)
                np.testing.assert_array_equal(np.maximum(x, zero_point), host_function(emitted)(x, x))

    def test_moves_of_stored_numbers(self):
        """What only moves int8 elements, before and behind the conversions, leaves them and their scale as they are."""
        conversion = ["scale", "zero"]
        nodes = [helper.make_node("Transpose", ["x"], ["first"], perm=[0, 3, 1, 2]), helper.make_node("DequantizeLinear", ["first", *conversion], ["real"]),
                 helper.make_node("MaxPool", ["real"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
                 helper.make_node("QuantizeLinear", ["pooled", *conversion], ["stored"]), helper.make_node("Transpose", ["stored"], ["y"], perm=[0, 2, 3, 1])]
        constants = [numpy_helper.from_array(np.float32(0.25), "scale"), numpy_helper.from_array(np.int8(-3), "zero")]
        graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.INT8, [1, 6, 4, 3])],
                                  [helper.make_tensor_value_info("y", TensorProto.INT8, [1, 3, 2, 3])], constants)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "model.onnx"
            onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
            emitted = emit(path)
            header = (emitted / "net.h").read_text()
            for port in ("input", "output"):
                self.assertIn(f"static constexpr float {port}_scale = 0.25F;", header)
                self.assertIn(f"static constexpr std::int32_t {port}_zero_point = -3;", header)
            self.assertEqual(["q_max_pool2d"], kernels(emitted))
            x = np.random.default_rng(1).integers(-128, 128, (1, 6, 4, 3)).astype(np.int8)
            wanted = x.reshape(1, 3, 2, 2, 2, 3).max(axis=(2, 4))
            np.testing.assert_array_equal(wanted, host_function(emitted)(x, wanted))


class Refusals(unittest.TestCase):
    """Quantization parameters that mean nothing are bad input, with a message that names the node."""

    def refused(self, scale, zero_point, stored=TensorProto.INT8, shape=(1, 4), **attributes) -> str:
        with tempfile.TemporaryDirectory() as folder:
            constants = [numpy_helper.from_array(np.asarray(scale, np.float32), "scale"), numpy_helper.from_array(np.asarray(zero_point), "zero")]
            node = helper.make_node("DequantizeLinear", ["x", "scale", "zero"], ["y"], name="dq", **attributes)
            graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", stored, shape)],
                                      [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)], constants)
            path = pathlib.Path(folder) / "model.onnx"
            onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
            done = subprocess.run([emitted_support.TINYTC, path, "--target", TARGET, "-o", pathlib.Path(folder) / "out"], capture_output=True, text=True)
            self.assertEqual(1, done.returncode, done.stdout + done.stderr)
            return done.stderr

    def test_scales(self):
        for scale in (0.0, -1.0, float("nan"), float("inf")):
            with self.subTest(scale):
                message = self.refused(scale, np.int8(0))
                self.assertIn("'dq'", message)
                self.assertIn("is not a positive number", message)
                self.assertIn("hint: scales are finite and above 0", message)

    def test_number_of_scales(self):
        self.assertIn("3 scales for the 4 indices of axis 1", self.refused([1.0, 1.0, 1.0], np.zeros(3, np.int8), axis=1))

    def test_zero_points(self):
        self.assertIn("zero point", self.refused(1.0, np.uint8(0)))

    def test_bit_widths(self):
        zero = numpy_helper.from_array(np.zeros((), np.int8), "zero")
        for stored in (TensorProto.INT4, TensorProto.UINT4, TensorProto.FLOAT8E4M3FN):
            message = self.refused(1.0, numpy_helper.to_array(zero), stored=stored)
            for part in ("is not supported", "read by node 'dq' (DequantizeLinear, #0)", "hint: quantize to int8 or uint8"):
                self.assertIn(part, message)


if __name__ == "__main__":
    emitted_support.main()
