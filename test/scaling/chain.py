"""Writes chain models of any number of nodes: what the compiler's cost is measured on."""

from __future__ import annotations

import pathlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

CHANNELS, SIZE = 4, 6


def chain(count: int):
    """`count` nodes in blocks of Conv, Relu, Conv, Add (the block's input comes back), as residual networks have them. Every
    convolution has weights of its own; kernels of 1 and 3 alternate."""
    random = np.random.default_rng(3)
    nodes, tensors = [], []

    def conv(x: str, index: int, kernel: int) -> str:
        weight = random.normal(0, 0.3 / kernel, (CHANNELS, CHANNELS, kernel, kernel)).astype(np.float32)
        tensors.append(numpy_helper.from_array(weight, f"w{index}"))
        tensors.append(numpy_helper.from_array(random.normal(0, 0.1, CHANNELS).astype(np.float32), f"b{index}"))
        pads = [kernel // 2] * 4
        nodes.append(helper.make_node("Conv", [x, f"w{index}", f"b{index}"], [f"v{index}"], f"conv{index}", pads=pads))
        return f"v{index}"

    x = saved = "input"
    for index in range(count):
        if index % 4 in (0, 2):
            x = conv(x, index, 3 if index % 8 < 4 else 1)
        elif index % 4 == 1:
            nodes.append(helper.make_node("Relu", [x], [f"v{index}"], f"relu{index}"))
            x = f"v{index}"
        else:
            nodes.append(helper.make_node("Add", [x, saved], [f"v{index}"], f"add{index}"))
            x = saved = f"v{index}"
    shape = [1, CHANNELS, SIZE, SIZE]
    graph = helper.make_graph(nodes, "chain", [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info(x, TensorProto.FLOAT, shape)], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def write(count: int, path: pathlib.Path) -> None:
    save(chain(count), str(path))
