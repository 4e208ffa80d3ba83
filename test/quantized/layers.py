"""Cuts a quantized model into its layers: what lies between stored (int8, uint8) activations.

All layers stay in one model, side by side: every stored activation that a layer reads becomes an input of the model, every one that a layer
computes an output. So one compilation serves all layers of many models, and each can be given exactly what onnxruntime gave it.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import onnx.compose
import onnxruntime
from onnx import helper


@dataclasses.dataclass
class Layer:
    name: str  # of the activation that it computes, in the model as it came
    ops: list[str]  # its operators without the conversions


@dataclasses.dataclass
class Cut:
    model: onnx.ModelProto  # the original
    separated: onnx.ModelProto  # its layers side by side
    reads: list[str]  # activations of the original model that `separated` takes as inputs, in order
    layers: list[Layer]  # what its outputs are, in order


def session_of(model: onnx.ModelProto, level=onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL) -> onnxruntime.InferenceSession:
    """By default without onnxruntime's fused kernels: what ONNX's operators mean, one by one."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.log_severity_level = 3  # old exporters list initializers as inputs too
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def with_outputs(model: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    """The model with other outputs; onnxruntime finds their types itself."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.output[:]
    result.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return result


def inputs_of(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    constants = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in constants]


def varying(graph: onnx.GraphProto) -> list[str]:
    """Names of all values that depend on an input of the model."""
    names = {value.name: None for value in inputs_of(graph)}
    for node in graph.node:
        if any(name in names for name in node.input):
            names.update((name, None) for name in node.output if name)
    return list(names)


def reads_stored(node: onnx.NodeProto) -> bool:
    """Whether the node takes its operands as scaled numbers; others only move or clamp what is stored, inside a layer."""
    return node.op_type == "DequantizeLinear" or node.op_type.startswith("QLinear")


def operators(graph: onnx.GraphProto, output: str, boundaries: set[str]) -> list[str]:
    """The operators between the boundaries and `output`, without conversions."""
    makers = {name: node for node in graph.node for name in node.output}
    found, pending = {}, [output]
    while pending:
        node = makers.get(pending.pop())
        if node is None or node.output[0] in found:
            continue
        found[node.output[0]] = node.op_type
        pending += [name for name in node.input if name not in boundaries]
    return sorted(op for op in found.values() if op not in ("QuantizeLinear", "DequantizeLinear", "Identity"))


def cut(model: onnx.ModelProto, example: dict[str, np.ndarray]) -> Cut:
    """example: one set of inputs, for types and shapes."""
    graph = model.graph
    names = varying(graph)
    value = dict(zip(names, session_of(with_outputs(model, names)).run(names, example)))
    stored = {name for name in names if value[name].dtype in (np.int8, np.uint8)}
    boundaries = {name for node in graph.node if reads_stored(node) for name in node.input} & stored
    arguments, results = [entry.name for entry in inputs_of(graph)], [entry.name for entry in graph.output]
    starts = [name for name in names if name in boundaries or name in arguments]
    ends = [name for name in names if (name in boundaries or name in results) and name not in arguments]

    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.value_info[:], result.graph.input[:], result.graph.output[:]
    reading = {name: f"read{i}" for i, name in enumerate(starts)}
    making = {name: f"made{i}" for i, name in enumerate(ends)}
    for node in result.graph.node:
        node.input[:] = [reading.get(name, making.get(name, name)) for name in node.input]
        node.output[:] = [making.get(name, name) for name in node.output]
    for list_, table in ((result.graph.input, reading), (result.graph.output, making)):
        list_.extend(helper.make_tensor_value_info(new, helper.np_dtype_to_tensor_dtype(value[old].dtype), value[old].shape) for old, new in table.items())
    return Cut(model, result, starts, [Layer(name, operators(graph, name, set(starts))) for name in ends])


def join(cuts: list[Cut]) -> onnx.ModelProto:
    """The layers of several models as one model; they must be of one version of the operator set."""
    result = onnx.ModelProto()
    for i, part in enumerate(cuts):
        model = onnx.compose.add_prefix(part.separated, f"m{i}_")
        if i == 0:
            result.CopyFrom(model)
            continue
        assert list(model.opset_import) == list(result.opset_import), (model.opset_import, result.opset_import)
        for field in ("node", "initializer", "input", "output"):
            getattr(result.graph, field).extend(getattr(model.graph, field))
    return result
