"""Shared by the tests of this folder: where models lie, and emitted code as a function of the host."""

from __future__ import annotations

import ctypes
import pathlib
import re
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "emitted"))
import emitted_support  # noqa: E402

SHARED = ROOT.parent / "shared" / "models"
EXPORTERS = ROOT / "test" / "quantized" / "exporters"
TARGET = "nrf52840"
VECTORS = "corstone-300"  # the same layers, with weights packed for Helium
FUNCTION = """#include "net.h"
namespace {{ net::Model called; }}
extern "C" void predict({parameters}) {{ called.init(); called.predict({names}); }}
"""


def emit(model: pathlib.Path, *options: str, target: str = TARGET) -> pathlib.Path:
    return emitted_support.emit(model, *options, target=target)


def host_call(folder: pathlib.Path):
    """predict(inputs, like) of emitted code, compiled for the host: arrays in the model's order, outputs with the shapes and types of `like`."""
    (parameters,) = re.findall(r"void predict\(([^)]+)\)", (folder / "net.h").read_text())
    names = ", ".join(re.findall(r"(\w+)\s*(?:,|$)", parameters))
    (folder / "predict.cpp").write_text(FUNCTION.format(parameters=parameters, names=names))
    library = folder / "predict.so"
    emitted_support.run("g++", "-std=gnu++14", "-O1", "-shared", "-fPIC", "-o", library, folder / "predict.cpp", folder / "net.cpp")
    function = ctypes.CDLL(str(library)).predict
    count = len(names.split(","))

    def predict(inputs: list[np.ndarray], like: list[np.ndarray]) -> list[np.ndarray]:
        inputs, outputs = [np.ascontiguousarray(x) for x in inputs], [np.zeros_like(y, order="C") for y in like]
        assert len(inputs) + len(outputs) == count, names
        function(*(ctypes.c_void_p(array.ctypes.data) for array in [*inputs, *outputs]))
        return outputs

    return predict


def host_function(folder: pathlib.Path):
    """predict(x, like) of emitted code with one input and one output."""
    predict = host_call(folder)
    return lambda x, like: predict([x], [like])[0]


def kernels(folder: pathlib.Path) -> list[str]:
    """Names of the kernels that predict() calls."""
    called = re.findall(r"^  tinytc::(\w+)\(shape, ", (folder / "net.cpp").read_text(), re.MULTILINE)
    assert called
    return called
