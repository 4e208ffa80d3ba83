"""Writes ONNX files the way all example models and tests want them: one file, no machine traces, checked.

How to read: `export` runs one of PyTorch's two exporters, `save` cleans and writes any ModelProto. Make scripts of
models/ and test/ call nothing else. Weights are inside the file; the PyTorch parameter names are the initializer
names, so `load_state` can bring a file's weights back into the module that it came from.
"""

from __future__ import annotations

import contextlib
import io
import logging
import pathlib
import warnings

import numpy as np
import onnx
import torch
from onnx import numpy_helper

# The exporter tells on every call that torchvision, which nothing here uses, is absent.
logging.getLogger("torch.onnx").setLevel(logging.ERROR)

# Exporters record where on the exporting machine a node came from. That differs from machine to machine.
_MACHINE_KEYS = ("pkg.torch.onnx.stack_trace", "pkg.torch.onnx.exported_program.graph_signature",
                 "pkg.torch.export.ExportedProgram.graph_signature",
                 "pkg.torch.export.ExportedProgram.range_constraints", "pkg.torch.onnx.original_node_name",
                 "pkg.torch.onnx.fx_node")


def _drop_metadata(message) -> None:
    kept = [(p.key, p.value) for p in message.metadata_props if p.key not in _MACHINE_KEYS]
    del message.metadata_props[:]
    for key, value in kept:
        entry = message.metadata_props.add()
        entry.key, entry.value = key, value


def clean(model: onnx.ModelProto, keep_metadata: bool = False) -> onnx.ModelProto:
    """Removes documentation strings and exporter metadata; `keep_metadata` keeps what names no file or line."""
    groups = [model, model.graph, *model.graph.node, *model.graph.initializer, *model.graph.input,
              *model.graph.output, *model.graph.value_info, *model.functions]
    for function in model.functions:
        groups += [*function.node, *function.value_info]
    for message in groups:
        if keep_metadata:
            _drop_metadata(message)
        else:
            del message.metadata_props[:]
        message.doc_string = ""
    return model


def save(model: onnx.ModelProto, path, keep_metadata: bool = False) -> onnx.ModelProto:
    """Cleans, checks (with shape inference) and writes `model`; the same model gives the same bytes."""
    clean(model, keep_metadata)
    onnx.checker.check_model(model, full_check=True)
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
    return model


def export(module: torch.nn.Module, example, path, *, dynamo: bool = True, opset: int | None = None,
           input_names=("input",), output_names=("output",), dynamic_batch: bool = False,
           keep_metadata: bool = False, mode: str = "eval", optimize: bool = True) -> onnx.ModelProto:
    """Exports `module` called with the tensor (or tuple of tensors) `example` to `path`.

    dynamo=True is PyTorch's current exporter, False the older one made on TorchScript. For the older one `mode` is
    "eval" (folds batch normalization), "preserve" (evaluates, but folds nothing) or "train" (batch normalization
    and dropout as in training). `optimize` is for the current one.
    """
    args = example if isinstance(example, tuple) else (example,)
    module.train(mode == "train")
    options = {"input_names": list(input_names), "output_names": list(output_names), "dynamo": dynamo}
    if opset is not None:
        options["opset_version"] = opset
    if dynamo:
        options.update(external_data=False, verbose=False, optimize=optimize)
        if dynamic_batch:
            options["dynamic_shapes"] = [{0: torch.export.Dim("batch")} for _ in args]
    else:
        modes = {"eval": torch.onnx.TrainingMode.EVAL, "preserve": torch.onnx.TrainingMode.PRESERVE,
                 "train": torch.onnx.TrainingMode.TRAINING}
        options.update(do_constant_folding=mode == "eval", training=modes[mode])
        if dynamic_batch:
            options["dynamic_axes"] = {name: {0: "batch"} for name in (*input_names, *output_names)}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        if dynamo:
            model = torch.onnx.export(module, args, **options).model_proto
        else:
            buffer = io.BytesIO()
            torch.onnx.export(module, args, buffer, **options)
            model = onnx.load_from_string(buffer.getvalue())
    return save(model, path, keep_metadata)


def initializers(path) -> dict[str, np.ndarray]:
    """All weights of an ONNX file by name."""
    model = onnx.load(str(path))
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def load_state(module: torch.nn.Module, path) -> torch.nn.Module:
    """Sets the module's parameters and buffers from the initializers of the same names in `path`.

    Raises KeyError if the file lacks a parameter: a silently random layer would look like a bad model.
    """
    weights = initializers(path)
    state = module.state_dict()
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        state[name] = torch.from_numpy(weights[name].copy()).reshape(tensor.shape)
    module.load_state_dict(state)
    return module
