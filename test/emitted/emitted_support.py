"""Shared by the tests of this folder: emits models with tinytc and builds C++ programs around them.

tinytc is $TINYTC, else build/tinytc. Every test has a folder of its own; emitted models are kept per process, as many tests want the same.
"""

from __future__ import annotations

import atexit
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
TINYTC = pathlib.Path(os.environ.get("TINYTC", ROOT / "build" / "tinytc"))
DATA, BENCH = ROOT / "test" / "import" / "data", ROOT / "models" / "bench"
SHOULDER, DIGITS = ROOT / "models" / "shoulder" / "shoulder.onnx", ROOT / "models" / "digits" / "digits.onnx"
CLASSES = ("--train", "all", "--loss", "cross-entropy")

# Networks whose training is compared between host and boards: model, options. Every optimizer, loss form and kind of layer once.
NETWORKS = {
    "mlp_sgd": (DATA / "mlp_dynamo.onnx", CLASSES),
    "mlp_adam": (BENCH / "mlp_13_64_64_6.onnx", (*CLASSES, "--optimizer", "adam")),
    "sigmoid_bce": (DATA / "mlp_sigmoid_dynamo.onnx", ("--train", "all", "--loss", "binary-cross-entropy")),
    "cnn_bn_momentum": (DATA / "cnn_bn_dynamo.onnx", (*CLASSES, "--momentum", "0.9", "--nesterov")),
    "cnn_bn_train": (DATA / "cnn_bn_unoptimized.onnx", (*CLASSES, "--batch-norm", "train")),
    "depthwise_adamw": (DATA / "depthwise_residual_dynamo.onnx", (*CLASSES, "--optimizer", "adamw")),
    "transformer_adam": (DATA / "transformer_dynamo.onnx", (*CLASSES, "--optimizer", "adam")),
    "autoencoder_mse": (DATA / "autoencoder_dynamo.onnx", ("--train", "all", "--loss", "mse")),
    "own_loss": (DATA / "loss_sce.onnx", ("--train", "all")),
    "cnn_last": (BENCH / "cnn_28x28.onnx", ("--train", "last:1", "--loss", "cross-entropy")),
    "shoulder": (SHOULDER, CLASSES),
}


def run(*command, check: bool = True, timeout: float = 600, **options) -> subprocess.CompletedProcess:
    """Runs a command; unless check is False, an exit code other than 0 fails the test with everything that was printed."""
    words = [str(part) for part in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}\nexit code {done.returncode}\n{done.stdout[-6000:]}{done.stderr[-6000:]}")
    return done


def in_parallel(function, items) -> list:
    """function(item) for all items in two threads (CTest runs two tests at a time)."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(function, items))


_folder = pathlib.Path(tempfile.mkdtemp(prefix="tinytc-emitted-"))
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
_emitted: dict[tuple, pathlib.Path] = {}


def emit(model: pathlib.Path, *options: str, target: str = "nrf52840", name: str = "net") -> pathlib.Path:
    """The folder with NAME.h and NAME.cpp of a model."""
    key = (model, options, target, name)
    if key not in _emitted:
        out = _folder / str(len(_emitted))
        _emitted[key] = out
        run(TINYTC, model, "--target", target, "--name", name, *options, "-o", out)
    return _emitted[key]


def info(folder: pathlib.Path, constant: str, name: str = "net") -> int:
    """A number of the emitted Info."""
    return int(re.search(rf"\b{constant} = (\d+);", (folder / f"{name}.h").read_text())[1])


def defines(name: str = "net") -> list[str]:
    return [f"-DMODEL={name}", f'-DMODEL_HEADER="{name}.h"']


def missing(*tools: str) -> list[str]:
    return [tool for tool in tools if shutil.which(tool) is None]


def main() -> None:
    if not TINYTC.exists():
        print(f"skipped: {TINYTC} is not built")
        sys.exit(77)
    unittest.main()
