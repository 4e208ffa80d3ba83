"""Graphs written with onnx.helper: forms that other exporters produce and PyTorch's do not.

Each function returns a ModelProto; GRAPHS names them. Weights are seeded.
"""

from __future__ import annotations

import pathlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from models import onnx_files


def weights(seed: int, **shapes) -> list:
    """Seeded float32 initializers of the given names and shapes, uniform in +-1/sqrt(fan-in)."""
    generator = np.random.default_rng(seed)
    tensors = []
    for name, shape in shapes.items():
        bound = 1 / np.sqrt(max(1, int(np.prod(shape[1:]))))
        tensors.append(numpy_helper.from_array(generator.uniform(-bound, bound, shape).astype(np.float32), name))
    return tensors


def model(nodes, inputs, outputs, initializers, opset: int = 21):
    """inputs and outputs: (name, shape) or (name, shape, dtype)."""
    def infos(entries):
        return [helper.make_tensor_value_info(e[0], e[2] if len(e) > 2 else TensorProto.FLOAT, e[1]) for e in entries]
    graph = helper.make_graph(nodes, "main", infos(inputs), infos(outputs), initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10,
                             producer_name="tinytc-tests")


def keras_nhwc():
    """As tf2onnx writes Keras: NHWC input, Transpose around each convolution, dense layers as MatMul and Add."""
    nodes = [
        helper.make_node("Transpose", ["image"], ["t1"], "to_nchw", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t1", "conv1/kernel"], ["c1"], "conv1", strides=[2, 2], kernel_shape=[3, 3],
                         auto_pad="SAME_UPPER"),
        helper.make_node("Transpose", ["c1"], ["c1_nhwc"], "to_nhwc", perm=[0, 2, 3, 1]),
        helper.make_node("Add", ["c1_nhwc", "conv1/bias"], ["b1"], "bias1"),
        helper.make_node("Relu", ["b1"], ["r1"], "relu1"),
        helper.make_node("Transpose", ["r1"], ["t2"], "to_nchw_2", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t2", "dw/kernel", "dw/bias"], ["c2"], "depthwise", group=4, kernel_shape=[3, 3],
                         pads=[1, 1, 1, 1]),
        helper.make_node("Clip", ["c2", "zero", "six"], ["r2"], "relu6"),
        helper.make_node("MaxPool", ["r2"], ["p2"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Transpose", ["p2"], ["p2_nhwc"], "to_nhwc_2", perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["p2_nhwc", "flat"], ["f"], "flatten"),
        helper.make_node("MatMul", ["f", "dense/kernel"], ["m"], "dense"),
        helper.make_node("Add", ["m", "dense/bias"], ["a"], "dense_bias"),
        helper.make_node("Softmax", ["a"], ["probabilities"], "softmax", axis=-1),
    ]
    constants = [numpy_helper.from_array(np.float32(0), "zero"), numpy_helper.from_array(np.float32(6), "six"),
                 numpy_helper.from_array(np.array([-1, 36], np.int64), "flat")]
    tensors = weights(1, **{"conv1/kernel": (4, 2, 3, 3), "conv1/bias": (4,), "dw/kernel": (4, 1, 3, 3),
                            "dw/bias": (4,), "dense/kernel": (36, 3), "dense/bias": (3,)})
    return model(nodes, [("image", [1, 11, 12, 2])], [("probabilities", [1, 3])], tensors + constants)


def _dense_head():
    nodes = [helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], "fc1", transB=1), helper.make_node("Relu", ["h"], ["r"]),
             helper.make_node("Gemm", ["r", "w2", "b2"], ["y"], "fc2", transB=1)]
    return nodes, weights(2, w1=(8, 6), b1=(8,), w2=(4, 8), b2=(4,))


def _classifier(nodes_of_loss, batch: int, extra=()):
    nodes, tensors = _dense_head()
    return model(nodes + nodes_of_loss, [("x", [batch, 6]), ("label", [batch], TensorProto.INT64)],
                 [("loss", []), ("y", [batch, 4])], tensors + list(extra))


def softmax_cross_entropy():
    """Ends in SoftmaxCrossEntropyLoss."""
    return _classifier([helper.make_node("SoftmaxCrossEntropyLoss", ["y", "label"], ["loss"], "sce")], 1)


def softmax_cross_entropy_weighted():
    """Class weights, ignore_index, batch of 3, second output of the loss used as a graph output."""
    nodes, tensors = _dense_head()
    tensors.append(numpy_helper.from_array(np.array([1, 0.5, 2, 0.25], np.float32), "class_weight"))
    nodes.append(helper.make_node("SoftmaxCrossEntropyLoss", ["y", "label", "class_weight"], ["loss", "log_prob"],
                                  "sce", ignore_index=-1, reduction="mean"))
    return model(nodes, [("x", [3, 6]), ("label", [3], TensorProto.INT64)], [("loss", []), ("log_prob", [3, 4])],
                 tensors)


def negative_log_likelihood():
    """LogSoftmax and NegativeLogLikelihoodLoss, reduction sum, batch of 2."""
    return _classifier([helper.make_node("LogSoftmax", ["y"], ["log_prob"], "log_softmax", axis=1),
                        helper.make_node("NegativeLogLikelihoodLoss", ["log_prob", "label"], ["loss"], "nll",
                                         reduction="sum")], 2)


def _regression(nodes_of_loss, extra=()):
    nodes, tensors = _dense_head()
    return model(nodes + nodes_of_loss, [("x", [1, 6]), ("target", [1, 4])], [("loss", []), ("y", [1, 4])],
                 tensors + list(extra))


def mse_sub_mul():
    """Mean squared error as Sub, Mul with itself, ReduceMean."""
    return _regression([helper.make_node("Sub", ["y", "target"], ["d"]), helper.make_node("Mul", ["d", "d"], ["s"]),
                        helper.make_node("ReduceMean", ["s"], ["loss"], "mean", keepdims=0)])


def mse_sub_pow():
    """Mean squared error as Sub, Pow 2, ReduceMean over given axes."""
    extra = [numpy_helper.from_array(np.float32(2), "two"), numpy_helper.from_array(np.array([0, 1], np.int64), "axes")]
    return _regression([helper.make_node("Sub", ["target", "y"], ["d"]), helper.make_node("Pow", ["d", "two"], ["s"]),
                        helper.make_node("ReduceMean", ["s", "axes"], ["loss"], "mean", keepdims=0)], extra)


def one_hot_cross_entropy():
    """Cross entropy against probabilities: LogSoftmax, Mul, ReduceSum, Neg, ReduceMean."""
    extra = [numpy_helper.from_array(np.array([1], np.int64), "axis1")]
    return _regression([helper.make_node("LogSoftmax", ["y"], ["lp"], axis=1),
                        helper.make_node("Mul", ["lp", "target"], ["m"]),
                        helper.make_node("ReduceSum", ["m", "axis1"], ["s"], keepdims=0),
                        helper.make_node("Neg", ["s"], ["n"]),
                        helper.make_node("ReduceMean", ["n"], ["loss"], keepdims=0)], extra)


GRAPHS = {
    "keras_nhwc": keras_nhwc,
    "loss_sce": softmax_cross_entropy,
    "loss_sce_weighted": softmax_cross_entropy_weighted,
    "loss_nll_sum": negative_log_likelihood,
    "loss_mse_sub_mul": mse_sub_mul,
    "loss_mse_sub_pow": mse_sub_pow,
    "loss_one_hot": one_hot_cross_entropy,
}


def write_all(folder: pathlib.Path) -> None:
    for name, make in GRAPHS.items():
        onnx_files.save(make(), folder / f"{name}.onnx")
