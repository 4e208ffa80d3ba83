"""Writes one layer as an ONNX model of its own, in float32 or quantized to int8 (QDQ).

Inputs and outputs of convolutions and pools are channels-last, with Transposes around the layer as the networks have them, so that what
is measured is the layer and not a change of layout.
"""

from __future__ import annotations

import math
import pathlib

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from .layers import Layer

# What one step of an int8 input stands for, and of a weight; outputs are scaled so that they fill their range.
INPUT_STEP, WEIGHT_STEP = 1 / 64, 1 / 128
DEVIATION = 74.0  # of bytes drawn uniformly
WANTED_DEVIATION = 50.0  # of an int8 output


class _Writer:
    """Nodes and constants of the model as they are made."""

    def __init__(self, layer: Layer, int8: bool, seed: int):
        self.layer, self.int8, self.random = layer, int8, numpy.random.default_rng(seed)
        self.nodes: list = []
        self.constants: list = []
        self.spatial = layer.op in ("Conv", "MaxPool", "AveragePool")
        # An average of many lies close to the middle, a sum of products whose factors are both on one side far from it: zero points are
        # in the middle there, or nothing would be left of the range.
        most = 2 if layer.op == "AveragePool" or (layer.op == "MatMul" and layer.two_inputs) else 128
        self.zero_points = {name: int(self.random.integers(-most, most)) for name in ("x", "x2")}

    def add(self, op: str, inputs: list[str], name: str, **attributes) -> str:
        self.nodes.append(helper.make_node(op, inputs, [name], f"make {name}", **attributes))
        return name

    def constant(self, name: str, array) -> str:
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def parameters(self, name: str, step, zero_point: int | None = None) -> list[str]:
        """Scale and, unless it is zero, zero point as constants."""
        scale = self.constant(f"{name} scale", numpy.asarray(step, numpy.float32))
        return [scale] if zero_point is None else [scale, self.constant(f"{name} zero", numpy.int8(zero_point))]

    def input(self, name: str) -> str:
        """The input as real numbers, channels first."""
        if self.spatial:
            rank = len(self.layer.size)
            name = self.add("Transpose", [name], f"{name} first", perm=[0, rank + 1, *range(1, rank + 1)])
        if not self.int8:
            return name
        key = name.split()[0]
        return self.add("DequantizeLinear", [name, *self.parameters(key, INPUT_STEP, self.zero_points[key])], f"{name} real")

    def weight(self, name: str, shape: tuple[int, ...], sum_length: int, axis: int | None) -> str:
        """A constant operand: float in [-1, 1) / sqrt(terms of a sum), or int8 with one scale for each index of the axis."""
        if not self.int8:
            values = self.random.uniform(-1, 1, shape) / math.sqrt(sum_length)
            return self.constant(name, values.astype(numpy.float32))
        stored = self.constant(f"{name} stored", self.random.integers(-127, 128, shape).astype(numpy.int8))
        if axis is None:
            return self.add("DequantizeLinear", [stored, *self.parameters(name, WEIGHT_STEP)], name)
        steps = WEIGHT_STEP * self.random.uniform(0.5, 1, shape[axis])
        self.steps = steps
        return self.add("DequantizeLinear", [stored, *self.parameters(name, steps)], name, axis=axis)

    def bias(self, sum_length: int) -> list[str]:
        if not self.layer.bias:
            return []
        channels = self.layer.channels_out
        if not self.int8:
            return [self.constant("b", self.random.uniform(-1, 1, channels).astype(numpy.float32))]
        size = DEVIATION**2 * math.sqrt(sum_length)
        stored = self.constant("b stored", self.random.uniform(-size, size, channels).astype(numpy.int32))
        return [self.add("DequantizeLinear", [stored, *self.parameters("b", INPUT_STEP * self.steps)], "b", axis=0)]

    def output(self, name: str, deviation: float) -> str:
        """deviation: of the real numbers, about; the output's step follows from it."""
        if self.layer.relu:
            name = self.add("Relu", [name], f"{name} positive")
        if self.int8:
            step, zero_point = deviation / WANTED_DEVIATION, -128 if self.layer.relu else 3
            if self.layer.op == "Softmax":
                step, zero_point = 1 / 256, -128
            if self.layer.op == "MaxPool":  # it only moves: its output means what its input means
                step, zero_point = INPUT_STEP, self.zero_points["x"]
            name = self.add("QuantizeLinear", [name, *self.parameters("y", step, zero_point)], f"{name} stored")
        if self.spatial:
            rank = len(self.layer.size)
            name = self.add("Transpose", [name], f"{name} last", perm=[0, *range(2, rank + 2), 1])
        return name


def _multiplying(w: _Writer) -> str:
    """Conv, Gemm, MatMul: the sum's deviation is that of a product times the root of its length."""
    layer = w.layer
    terms = layer.channels_in // layer.group * math.prod(layer.kernel)
    x = w.input("x")
    if layer.op == "Conv":
        names = [w.weight("w", (layer.channels_out, layer.channels_in // layer.group, *layer.kernel), terms, 0), *w.bias(terms)]
        attributes = {"strides": layer.stride, "pads": layer.pads, "dilations": layer.dilation, "group": layer.group}
    elif layer.op == "Gemm":
        names, attributes = [w.weight("w", (layer.channels_out, layer.channels_in), terms, 0), *w.bias(terms)], {"transB": 1}
    else:
        names, attributes = [w.input("x2") if layer.two_inputs else w.weight("w", (layer.channels_in, layer.channels_out), terms, 1)], {}
    y = w.add(layer.op, [x, *names], "sum", **attributes)
    other_step = INPUT_STEP if layer.two_inputs else WEIGHT_STEP
    return w.output(y, DEVIATION**2 * math.sqrt(terms) * INPUT_STEP * other_step)


def _pool(w: _Writer) -> str:
    layer = w.layer
    y = w.add(layer.op, [w.input("x")], "pooled", kernel_shape=layer.kernel, strides=layer.stride, pads=layer.pads)
    return w.output(y, DEVIATION * INPUT_STEP / math.sqrt(math.prod(layer.kernel) if layer.op == "AveragePool" else 1))


def _two_operands(w: _Writer) -> str:
    layer = w.layer
    second = w.input("x2") if layer.two_inputs else w.weight("w", (layer.channels_out,), 1, None)
    y = w.add(layer.op, [w.input("x"), second], "combined")
    return w.output(y, DEVIATION * INPUT_STEP * (2 if layer.op == "Add" else 1))


def _softmax(w: _Writer) -> str:
    return w.output(w.add("Softmax", [w.input("x")], "shares", axis=-1), 0)


WRITERS = {"Conv": _multiplying, "Gemm": _multiplying, "MatMul": _multiplying, "MaxPool": _pool, "AveragePool": _pool,
           "Add": _two_operands, "Mul": _two_operands, "Softmax": _softmax}  # fmt: skip


def input_shapes(layer: Layer) -> list[tuple[int, ...]]:
    """Of the model's inputs x and, if it has two, x2."""
    batch = () if layer.op in ("MatMul", "Softmax") else (1,)
    first = (*batch, *layer.size, layer.channels_in)
    if not layer.two_inputs:
        return [first]
    return [first, (layer.size[0], layer.channels_in, layer.channels_out) if layer.op == "MatMul" else first]


def to_onnx(layer: Layer, int8: bool, path: pathlib.Path, seed: int) -> None:
    """Writes the layer as a model with random constants."""
    writer = _Writer(layer, int8, seed)
    last = WRITERS[layer.op](writer)
    kind = TensorProto.INT8 if int8 else TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info(n, kind, s) for n, s in zip(("x", "x2"), input_shapes(layer))]
    batch = () if layer.op in ("MatMul", "Softmax") else (1,)
    y = helper.make_tensor_value_info(last, kind, [*batch, *layer.output_size(), layer.channels_out])
    graph = helper.make_graph(writer.nodes, "layer", inputs, [y], writer.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
