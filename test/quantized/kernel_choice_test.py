"""Which kernel an int8 layer of its own gets, on a core with dual multiplications and on one without, and that the host computes
what onnxruntime computes.

Exit code 77: onnx or onnxruntime are missing.
"""

import pathlib
import sys
import tempfile
import unittest

try:
    import numpy as np
    import onnxruntime
    from quantized_support import ROOT, emit, host_call, kernels

    sys.path.insert(0, str(ROOT / "scripts"))
    from benchmarks.layer_models import to_onnx
    from benchmarks.layers import Layer, square, window
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

DUAL, SCALAR = "nrf52840", "rp2040"
PRODUCT = Layer("MatMul", 24, 10, (2, 7), bias=False, relu=False, two_inputs=True)
# Layer, kernel with dual multiplications, kernel without.
CHOICES = [
    (square(8, 1, 9, 3), "q_narrow_conv2d", "q_narrow_conv2d"),
    (square(8, 2, 9, 3), "q_narrow_conv2d", "q_narrow_conv2d"),
    (square(8, 3, 9, 3), "q_narrow_conv2d", "q_scalar_conv2d"),
    (square(8, 4, 9, 3), "q_conv2d", "q_scalar_conv2d"),
    (square(12, 6, 9, 3, group=3), "q_widened_conv2d", "q_narrow_conv2d"),
    (square(12, 15, 9, 3, group=3), "q_widened_conv2d", "q_scalar_conv2d"),
    (square(1, 4, 9, 3), "q_grouped_conv2d", "q_scalar_conv2d"),
    (square(1, 16, 9, 3), "q_grouped_conv2d", "q_scalar_conv2d"),
    (square(3, 24, 9, 3), "q_conv2d", "q_scalar_conv2d"),
    (square(6, 6, 9, 3, group=6), "q_depthwise_conv2d", "q_scalar_depthwise"),
    (square(6, 6, 9, 5, group=6), "q_depthwise_taps", "q_depthwise_taps"),
    (PRODUCT, "q_paired_matmul", "q_matmul"),
    (Layer("Gemm", 24, 10), "q_dense", "q_scalar_dense"),
    (Layer("MatMul", 24, 10, (2, 7), bias=False, relu=False), "q_conv2d", "q_scalar_dense"),
    (Layer("MatMul", 24, 3, (2, 7), bias=False, relu=False), "q_narrow_conv2d", "q_scalar_dense"),
    (Layer("MatMul", 3, 10, (2, 7), bias=False, relu=False), "q_conv2d", "q_scalar_dense"),
    (window("AveragePool", 6, (9, 9), (2, 2), (2, 2)), "q_average_pool2d", "q_average_pool2d"),
]


class Choice(unittest.TestCase):
    def test_kernels_and_outputs(self):
        for layer, *chosen in CHOICES:
            for target, kernel in zip((DUAL, SCALAR), chosen):
                with self.subTest(str(layer), target=target), tempfile.TemporaryDirectory() as folder:
                    path = pathlib.Path(folder) / "layer.onnx"
                    to_onnx(layer, True, path, 1)
                    emitted = emit(path, target=target)
                    self.assertEqual([kernel], kernels(emitted))
                    self.compare(path, emitted)

    def compare(self, path: pathlib.Path, emitted: pathlib.Path) -> None:
        """At most one step off, in at most 2 % of the values: ties, and onnxruntime's products in single precision."""
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        random = np.random.default_rng(3)
        inputs = {item.name: random.integers(-128, 128, item.shape).astype(np.int8) for item in session.get_inputs()}
        wanted = session.run(None, inputs)
        (got,) = host_call(emitted)(list(inputs.values()), wanted)
        distance = np.abs(got.astype(int) - wanted[0].astype(int))
        self.assertLessEqual(distance.max(), 1)
        self.assertLessEqual((distance > 0).mean(), 0.02)


if __name__ == "__main__":
    unittest.main()
