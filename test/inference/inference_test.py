"""Emitted code predicts what onnxruntime predicts, and with the same bits on the host and on the emulated board.

    python test/inference/inference_test.py [Host|Board]      (unittest; $TINYTC is the compiler, else build/tinytc)
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import onnxruntime

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import emulation  # noqa: E402

TINYTC = pathlib.Path(os.environ.get("TINYTC", ROOT / "build" / "tinytc"))
DATA = ROOT / "test" / "import" / "data"
MLPERF_TINY = ROOT.parent / "shared" / "models" / "mlperf_tiny"

# The exporter's training form: onnxruntime takes statistics of the input, predict() the running ones.
OTHER_MEANING = {"cnn_bn_training"}
EXAMPLES = sorted(path for path in [*(ROOT / "models").glob("*/*.onnx"), *DATA.glob("*.onnx")] if path.stem not in OTHER_MEANING)
BENCHMARKS = sorted(MLPERF_TINY.glob("*_float.onnx"))
# Every kind of layer once.
ON_BOARD = ["keras_nhwc", "depthwise_residual_dynamo", "encoder_layer_legacy", "autoencoder_dynamo", "transformer_dynamic",
            "cnn_bn_unoptimized", "shoulder", "digits", "mlp_784_32_10", "kws_float", "ad_float", "ic_float"]

# Share of the range of the reference output: DESIGN.md section 5.
TOLERANCE = 1e-5
CALLS = 4


def board_for(model: pathlib.Path) -> str:
    """A Cortex-M4F with room for the model: `ad` has more weights than the nRF52840 has flash."""
    return "stm32l4r5" if model.stem == "ad_float" else "nrf52840"


class Inference(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tinytc-inference-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def emit(self, model: pathlib.Path) -> pathlib.Path:
        out = self.folder / model.stem
        command = [TINYTC, model, "--target", board_for(model), "--name", "net", "-q", "-o", out]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        self.assertEqual(0, done.returncode, done.stderr)
        return out

    def predict(self, target: str, emitted: pathlib.Path, session: Session, calls: list[dict]) -> list[list[np.ndarray]]:
        """The outputs of each call on a target."""
        inputs, outputs = arguments_of(emitted, session)
        defines = [f"INPUT_BYTES={sum(a.nbytes for a in inputs)}", f"OUTPUT_BYTES={sum(a.nbytes for a in outputs)}",
                   f"PREDICT={', '.join([*places(inputs, 'in'), *places(outputs, 'out')])}"]
        work = emitted / target
        image = emulation.build(target, ROOT / "test/inference/predict.cpp", work, sources=[str(emitted / "net.cpp")],
                                include=[str(emitted)], defines=defines, stack="8K")
        (work / "inputs").write_bytes(b"".join(call[a.name].tobytes() for call in calls for a in inputs))
        result = emulation.run(image, [str(work / "inputs"), str(work / "outputs")], count=False)
        self.assertEqual(0, result["exit_code"], result["output"])
        return split((work / "outputs").read_bytes(), outputs, len(calls))


class Tensor:
    """An input or output: name, dtype and shape, symbolic dimensions bound to 1 as tinytc does."""

    def __init__(self, meta):
        self.name = meta.name
        self.dtype = np.dtype({"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32}[meta.type])
        self.shape = [extent if isinstance(extent, int) else 1 for extent in meta.shape]
        self.nbytes = int(np.prod(self.shape)) * self.dtype.itemsize


class Session:
    """onnxruntime on a model."""

    def __init__(self, model: pathlib.Path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self.inputs = [Tensor(meta) for meta in self.session.get_inputs()]
        self.outputs = [Tensor(meta) for meta in self.session.get_outputs()]

    def random_calls(self) -> list[dict]:
        """Inputs of several sizes; whole numbers are class labels."""
        random = np.random.default_rng(11)
        return [{t.name: random.normal(0, 2.0**call, t.shape).astype(t.dtype) if t.dtype.kind == "f" else np.ones(t.shape, t.dtype)
                 for t in self.inputs} for call in range(CALLS)]

    def run(self, call: dict, names: list[str]) -> list[np.ndarray]:
        return self.session.run(names, call)


def arguments_of(emitted: pathlib.Path, session: Session) -> tuple[list[Tensor], list[Tensor]]:
    """What predict(...) of the emitted header takes and gives, in its order. A loss and its target are no part of it."""
    signature = re.search(r"void predict\(([^)]+)\)", (emitted / "net.h").read_text())[1]
    names = re.findall(r"(\w+)(?:,|$)", signature)
    inputs = [t for t in session.inputs if t.name in names]
    outputs = [t for t in session.outputs if t.name in names]
    assert len(inputs) + len(outputs) == len(names), signature
    return inputs, outputs


def places(tensors: list[Tensor], direction: str) -> list[str]:
    """One argument each, at its offset."""
    offset, texts = 0, []
    for tensor in tensors:
        texts.append(f"{direction}<float>({offset})")
        offset += tensor.nbytes
    return texts


def split(data: bytes, tensors: list[Tensor], calls: int) -> list[list[np.ndarray]]:
    result, offset = [], 0
    for _ in range(calls):
        result.append([])
        for tensor in tensors:
            result[-1].append(np.frombuffer(data, tensor.dtype, int(np.prod(tensor.shape)), offset).reshape(tensor.shape))
            offset += tensor.nbytes
    return result


def share_of_range(expected: np.ndarray, got: np.ndarray) -> float:
    """The largest difference as a share of the range of the expected output."""
    extent = float(np.ptp(expected)) if expected.size > 1 else float(np.abs(expected).max())
    return float(np.abs(expected.astype(np.float64) - got).max()) / extent


class Host(Inference):
    def check(self, model: pathlib.Path) -> None:
        session = Session(model)
        if all(tensor.name == "loss" for tensor in session.outputs):
            return  # nothing to predict: test/training covers its loss
        emitted = self.emit(model)
        _, outputs = arguments_of(emitted, session)
        calls = session.random_calls()
        for index, (call, got) in enumerate(zip(calls, self.predict("host", emitted, session, calls))):
            for tensor, expected, array in zip(outputs, session.run(call, [t.name for t in outputs]), got):
                worst = share_of_range(expected, array)
                self.assertLessEqual(worst, TOLERANCE, f"call {index}, output {tensor.name}")

    def test_benchmark_models_are_here(self):
        if not BENCHMARKS:
            self.skipTest(f"{MLPERF_TINY.parent} is not here: MLPerf Tiny's models are not tested")
        self.assertEqual(4, len(BENCHMARKS))


def test_of(model: pathlib.Path):
    return lambda self: self.check(model)


for path in [*EXAMPLES, *BENCHMARKS]:
    setattr(Host, f"test_{path.stem}", test_of(path))


class Board(Inference):
    def test_same_bits_as_on_the_host(self):
        for model in [*EXAMPLES, *BENCHMARKS]:
            if model.stem not in ON_BOARD:
                continue
            with self.subTest(model.stem):
                session = Session(model)
                emitted, calls = self.emit(model), session.random_calls()[:2]
                host, board = (self.predict(target, emitted, session, calls) for target in ("host", board_for(model)))
                for one, other in zip(host, board):
                    self.assertEqual([array.tobytes() for array in one], [array.tobytes() for array in other])


if __name__ == "__main__":
    if not TINYTC.exists():
        print(f"skipped: {TINYTC} is not built")
        raise SystemExit(77)
    if "Host" not in sys.argv[1:] and not (shutil.which("arm-none-eabi-g++") and shutil.which("qemu-system-arm")):
        print("skipped: arm-none-eabi-g++ or qemu-system-arm is not installed")
        raise SystemExit(77)
    unittest.main()
