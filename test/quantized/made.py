"""Small networks that onnxruntime's quantizer turns into quantized models while the tests run."""

from __future__ import annotations

import logging
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

logging.disable(logging.WARNING)  # the quantizer recommends preprocessing that these models do not need


class Network:
    """A chain of nodes; `last` is the newest tensor."""

    def __init__(self, shape: list[int], seed: int):
        self.random = np.random.default_rng(seed)
        self.shape, self.last, self.nodes, self.initializers = shape, "x", [], []

    def weight(self, *shape: int) -> str:
        spread = np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 4.0
        return self.constant((self.random.standard_normal(shape) / spread).astype(np.float32))

    def constant(self, array) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def add(self, op: str, inputs: list[str] | None = None, outputs: int = 1, **attributes):
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs or [self.last], names, name=f"n{len(self.nodes)}", **attributes))
        self.last = names[0]
        return names if outputs > 1 else names[0]

    def conv(self, channels: int, outputs: int, kernel: int, group: int = 1, x: str | None = None, **attributes) -> str:
        operands = [x or self.last, self.weight(outputs, channels // group, kernel, kernel), self.weight(outputs)]
        return self.add("Conv", operands, group=group, kernel_shape=[kernel, kernel], **attributes)

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "made", [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
                                  [helper.make_tensor_value_info(self.last, TensorProto.FLOAT, None)], self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        return onnx.shape_inference.infer_shapes(model)


def cnn() -> Network:
    """Convolutions of all kinds, clamps, a residual, pools, a dense layer, softmax."""
    n = Network([1, 3, 12, 12], 1)
    n.conv(3, 8, 3, pads=[1, 1, 1, 1])
    first = n.add("Relu")
    n.conv(8, 8, 3, group=8, pads=[1, 1, 1, 1])
    n.add("Clip", [n.last, n.constant(np.float32(0)), n.constant(np.float32(6))])
    n.conv(8, 8, 1)
    n.add("Add", [n.last, first])
    n.conv(8, 8, 3, group=2, strides=[2, 2], pads=[1, 1, 1, 1])
    n.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    n.add("GlobalAveragePool")
    n.add("Flatten")
    n.add("Gemm", [n.last, n.weight(5, 8), n.weight(5)], transB=1)
    n.add("Softmax", axis=-1)
    return n


def functions() -> Network:
    """Functions of one operand, which become tables, sums and products between dense layers."""
    n = Network([2, 20], 2)
    n.add("MatMul", [n.last, n.weight(20, 16)])
    n.add("Add", [n.last, n.weight(16)])
    gate = n.add("Sigmoid")
    n.add("MatMul", [n.last, n.weight(16, 16)])
    n.add("Tanh")
    n.add("Mul", [n.last, gate])
    n.add("HardSwish")
    y = n.add("LeakyRelu", alpha=0.1)
    large = n.add("Greater", [y, n.constant(np.float32(1))])
    n.add("Where", [large, y, n.add("Softplus", [y])])  # PyTorch's softplus
    n.add("MatMul", [n.last, n.weight(16, 4)])
    return n


def moves() -> Network:
    """What only moves elements, with equal scales and with different ones."""
    n = Network([1, 4, 6, 6], 3)
    n.conv(4, 6, 1)
    other = n.add("HardSigmoid", alpha=0.2, beta=0.5)
    n.conv(4, 6, 3, x="x", pads=[1, 1, 1, 1])
    n.add("Concat", [n.last, other], axis=1)
    n.add("Resize", [n.last, "", n.constant(np.array([1, 1, 2, 2], np.float32))], mode="nearest",
          coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    n.add("Transpose", perm=[0, 2, 3, 1])
    n.add("Pad", [n.last, n.constant(np.array([0, 1, 1, 0, 0, 1, 1, 0], np.int64))])
    n.add("Slice", [n.last, n.constant(np.array([2])), n.constant(np.array([12])), n.constant(np.array([1]))])
    n.add("Transpose", perm=[0, 3, 1, 2])
    halves = n.add("Split", [n.last, n.constant(np.array([4, 8]))], outputs=2, axis=1)
    n.conv(8, 4, 3, x=halves[1])
    n.add("AveragePool", kernel_shape=[3, 3])  # 9 elements: no average of stored numbers lies halfway
    n.add("Reshape", [n.last, n.constant(np.array([1, -1]))])
    return n


def attention() -> Network:
    """Products of two activations: scores of queries and keys in two heads, and their mix of the values."""
    n = Network([1, 6, 16], 4)
    heads = []
    for _ in range(3):
        n.add("MatMul", ["x", n.weight(16, 16)])
        n.add("Reshape", [n.last, n.constant(np.array([1, 6, 2, 8]))])
        heads.append(n.add("Transpose", perm=[0, 2, 1, 3]))
    keys = n.add("Transpose", [heads[1]], perm=[0, 1, 3, 2])
    n.add("MatMul", [heads[0], keys])
    n.add("Mul", [n.last, n.constant(np.float32(8**-0.5))])
    shares = n.add("Softmax", axis=-1)
    n.add("MatMul", [shares, heads[2]])
    n.add("Transpose", perm=[0, 2, 1, 3])
    n.add("Reshape", [n.last, n.constant(np.array([1, 6, 16]))])
    n.add("MatMul", [n.last, n.weight(16, 5)])
    return n


def upsampling() -> Network:
    """A transposed convolution, which has no int8 kernel, between convolutions that have."""
    n = Network([1, 3, 6, 6], 5)
    n.conv(3, 8, 3, pads=[1, 1, 1, 1])
    n.add("Relu")
    n.add("ConvTranspose", [n.last, n.weight(8, 4, 2, 2), n.weight(4)], strides=[2, 2])
    n.add("Relu")
    n.conv(4, 2, 3, pads=[1, 1, 1, 1])
    return n


def pools() -> Network:
    """Averages of even numbers of elements, sums and products: what is halfway between stored numbers most."""
    n = Network([1, 3, 16, 16], 6)
    first = n.conv(3, 8, 3, pads=[1, 1, 1, 1])
    second = n.conv(3, 8, 1, x="x")
    n.add("Add", [first, second])
    left = n.add("AveragePool", kernel_shape=[2, 2], strides=[2, 2])
    right = n.add("AveragePool", [second], kernel_shape=[4, 4], strides=[2, 2], pads=[1, 1, 1, 1])
    n.add("Mul", [left, right])
    n.add("AveragePool", kernel_shape=[2, 3], pads=[0, 1, 0, 1], count_include_pad=1)
    n.add("GlobalAveragePool")
    return n


NETWORKS = {"cnn": cnn, "functions": functions, "moves": moves, "attention": attention, "upsampling": upsampling}
# onnxruntime's averages in single precision miss ties, unless scales are powers of two.
TIES = {**NETWORKS, "pools": pools}
FORMS = {
    "int8": {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8, "per_channel": True},
    "int8_tensor": {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8},
    "uint8": {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8},
    "uint8_channels": {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8, "per_channel": True},
    "uint8_weights": {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8},
    "pairs": {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8, "extra_options": {"AddQDQPairToWeight": True, "DedicatedQDQPair": True}},
    "qoperator": {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8, "quant_format": QuantFormat.QOperator},
    "qoperator_int8": {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8, "quant_format": QuantFormat.QOperator, "per_channel": True},
}
# Weights only; activations are quantized while the model runs.
DYNAMIC = {
    "dynamic": {"weight_type": QuantType.QInt8},
    "dynamic_channels": {"weight_type": QuantType.QInt8, "per_channel": True},
    "dynamic_uint8": {"weight_type": QuantType.QUInt8},
}


class Calibration(CalibrationDataReader):
    def __init__(self, shape: list[int]):
        random = np.random.default_rng(4)
        self.samples = iter([{"x": random.standard_normal(shape).astype(np.float32)} for _ in range(8)])

    def get_next(self):
        return next(self.samples, None)


def with_powers_of_two(model: onnx.ModelProto, weight_bits: int = 8) -> onnx.ModelProto:
    """A QDQ model with every scale rounded to a power of two, as other exporters have them: in such a model single precision is exact, and
    sums lie halfway between two stored numbers often; most often with weights of few bits."""
    number = {tensor.name: tensor for tensor in model.graph.initializer}
    stored = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    read = {node.output[0]: node for node in stored}
    scale = {node.input[1]: numpy_helper.to_array(number[node.input[1]]) for node in stored}
    after = {name: np.exp2(np.round(np.log2(values))) for name, values in scale.items()}

    def replace(name: str, values: np.ndarray, like: np.ndarray) -> None:
        number[name].CopyFrom(numpy_helper.from_array(values.astype(like.dtype).reshape(like.shape), name))

    for node in stored:
        values = numpy_helper.to_array(number[node.input[0]]) if node.input[0] in number else np.zeros(0)
        if values.ndim > 1:
            after[node.input[1]] *= 2 ** (8 - weight_bits)
            replace(node.input[0], np.round(values / 2 ** (8 - weight_bits)), values)
    for node in model.graph.node:  # a bias has the scale of its sums, and stays the number that it is
        operands = [read.get(name) for name in node.input]
        if len(operands) == 3 and None not in operands:
            x, w, bias = operands
            after[bias.input[1]] = after[x.input[1]] * after[w.input[1]]
            values = numpy_helper.to_array(number[bias.input[0]])
            replace(bias.input[0], np.round(values * (scale[bias.input[1]] / after[bias.input[1]])), values)
    for name, values in after.items():
        replace(name, values, scale[name])
    return model


def write(name: str, form: str, folder: pathlib.Path) -> pathlib.Path:
    """The quantized model of a network; form: of FORMS or DYNAMIC."""
    network = TIES[name]()
    plain, quantized = folder / f"{name}.onnx", folder / f"{name}_{form}.onnx"
    onnx.save(network.model(), plain)
    if form in DYNAMIC:
        quantize_dynamic(plain, quantized, **DYNAMIC[form])
    else:
        quantize_static(plain, quantized, Calibration(network.shape), **{"quant_format": QuantFormat.QDQ, **FORMS[form]})
    return quantized


class Given(CalibrationDataReader):
    def __init__(self, name: str, samples: np.ndarray):
        self.samples = iter([{name: sample} for sample in samples])

    def get_next(self):
        return next(self.samples, None)


def quantize(model: pathlib.Path, name: str, samples: np.ndarray, path: pathlib.Path) -> None:
    """Quantizes a float model with onnxruntime's quantizer; samples are [count, shape of input `name`...]."""
    quantize_static(model, path, Given(name, samples), quant_format=QuantFormat.QDQ, **FORMS["int8"])
