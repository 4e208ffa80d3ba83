"""Shared by the tests of what exporters write: models of a few nodes, and their comparison with onnxruntime."""

from __future__ import annotations

import pathlib
import tempfile
import unittest

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from layers import session_of
from quantized_support import emit, host_function, kernels


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
    """A test whose models lie in a folder of its own, until it ends."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tinytc-import-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def reference(self, path: pathlib.Path, x: np.ndarray) -> np.ndarray:
        """onnxruntime's result, without its own fused kernels."""
        return session_of(onnx.load(path)).run(None, {"x": x})[0]

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
