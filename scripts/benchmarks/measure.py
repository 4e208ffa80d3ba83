"""Measures one case: tinytc, then the target's compiler, then the emulated board and, for comparison, the host."""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import time
import zlib

import emulation

from .cases import ROOT, Case
from .firmware import input_bytes, program

# Smaller is better for all of them; compare.py and the limits of cases.py use these names.
FIGURES = ["cycles", "instructions", "sizeof_model", "stack", "ram", "flash_code", "flash_weights"]


class BenchError(Exception):
    """tinytc refused the model, or its output is wrong."""


def tinytc_path() -> pathlib.Path:
    """The compiler to measure: $TINYTC, else build/tinytc."""
    return pathlib.Path(os.environ.get("TINYTC", ROOT / "build" / "tinytc"))


def compile_model(case: Case, out: pathlib.Path) -> float:
    """Runs tinytc; returns its seconds."""
    target = ["--target-file" if case.target.endswith(".yaml") else "--target", case.target]
    command = [str(tinytc_path()), str(case.model), *target, "--name", "model", *case.options, "-o", str(out)]
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
    return time.monotonic() - start


def _build(case: Case, target: str, folder: pathlib.Path) -> emulation.Image:
    return emulation.build(
        target,
        folder / "main.cpp",
        folder / pathlib.Path(target).stem,
        sources=[str(folder / "out" / "model.cpp")],
        include=[str(folder / "out")],
        cxxflags=list(case.cxxflags),
        ram=case.ram if target != "host" else None,
    )


def figures(result: dict) -> dict:
    """The named figures of FIGURES from what the emulator returned."""
    region, origins = result["regions"]["work"], result["sizes"]["origins"]
    model, library = origins["model"], origins["library"]
    stack, sizeof_model = result["values"]["stack"], result["values"]["sizeof_model"]
    return {
        "cycles": region["last_cycles"],
        "instructions": region["last_instructions"],
        "sizeof_model": sizeof_model,
        "stack": stack,
        "ram": sizeof_model + stack + model["data"] + model["bss"],
        "flash_code": model["code"] + model["data"] + library["code"] + library["constants"],
        "flash_weights": model["constants"],
    }


def _reference_outputs(case: Case) -> list[float] | None:
    """onnxruntime's outputs for the same input; None where it is not installed or the case trains."""
    if case.kind != "predict":
        return None
    try:
        import numpy
        import onnxruntime
    except ImportError:
        return None
    session = onnxruntime.InferenceSession(str(case.model), providers=["CPUExecutionProvider"])
    item = session.get_inputs()[0]
    shape = [d if isinstance(d, int) else 1 for d in item.shape]
    values = numpy.array(input_bytes(int(numpy.prod(shape)))).reshape(shape)
    values = (values / 64).astype(numpy.float32) if "float" in item.type else values.astype(numpy.int8)
    return [float(v) for v in session.run(None, {item.name: values})[0].flatten()]


def _numbers(output: str) -> list[float]:
    """The printed outputs: 8 hexadecimal digits of a float, or a decimal integer."""
    lines = output.split()
    return [struct.unpack(">f", bytes.fromhex(t))[0] if len(t) == 8 else float(t) for t in lines]


def check_outputs(case: Case, output: str) -> float | None:
    """Largest error in relation to the range of the reference; DESIGN.md section 5 allows 1e-5."""
    expected = _reference_outputs(case)
    if expected is None:
        return None
    got = _numbers(output)
    if len(got) != len(expected):
        raise BenchError(f"{case.name}: {len(got)} outputs, onnxruntime has {len(expected)}")
    spread = max(expected) - min(expected)
    return max(abs(a - b) for a, b in zip(got, expected)) / (spread if spread > 0 else 1.0)


def _samples(case: Case) -> int:
    """How many samples the case is checked with; 0: without. Raises BenchError if they are not the program's."""
    if case.samples is None:
        return 0
    import numpy

    inputs = numpy.load(case.samples)["inputs"]
    for index, sample in enumerate(inputs):
        if sample.flatten().tolist() != input_bytes(sample.size, index + 1):
            raise BenchError(f"{case.samples.name}: sample {index} is not what the program fills in")
    return len(inputs)


def check_samples(case: Case, output: str) -> int | None:
    """Largest difference from the samples' outputs, in steps."""
    if case.samples is None:
        return None
    import numpy

    expected = numpy.load(case.samples)["outputs_onnx"].flatten().tolist()
    got = _numbers(output)
    if len(got) != len(expected):
        raise BenchError(f"{case.name}: {len(got)} outputs, expected {len(expected)}")
    return int(max(abs(a - b) for a, b in zip(got, expected)))


def measure(case: Case, keep: pathlib.Path | None = None, with_host: bool = True) -> dict:
    """All figures of one case, and whether they are right.

    keep: a folder that stays after the run; with_host: also build and run it natively and compare the outputs, unless there are samples
    to compare with.
    """
    with tempfile.TemporaryDirectory(prefix="tinytc-bench-") as temporary:
        folder = keep or pathlib.Path(temporary)
        shutil.rmtree(folder / "out", ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "main.cpp").write_text(program("model", case.kind, _samples(case)))
        seconds = compile_model(case, folder / "out")
        image = _build(case, case.target, folder)
        device = emulation.run(image)
        host = emulation.run(_build(case, "host", folder)) if with_host and not case.samples else None
    if device["exit_code"] != 0:
        raise BenchError(f"{case.name}: exit code {device['exit_code']}\n{device['output']}")
    return {
        **figures(device),
        "target": pathlib.Path(case.target).stem,
        "model_sha256": hashlib.sha256(case.model.read_bytes()).hexdigest(),
        "output_crc32": f"{zlib.crc32(device['output'].encode()):08x}",
        "same_as_host": None if host is None else device["output"] == host["output"],
        "relative_error": None if case.samples else check_outputs(case, device["output"]),
        "steps_off": check_samples(case, device["output"]),
        "compiler": subprocess.run([image.command[0], "--version"], capture_output=True, text=True).stdout.split("\n")[0],
        "flags": " ".join(case.cxxflags),
        "compile_seconds": round(seconds, 2),
    }


def problems(case: Case, result: dict) -> list[str]:
    """What is wrong with a result: wrong output, or a limit of the case exceeded."""
    found = []
    if result["same_as_host"] is False:
        found.append("device and host differ")
    if result["relative_error"] is not None and result["relative_error"] > 1e-5:
        found.append(f"differs from onnxruntime by {result['relative_error']:.1e} of the range")
    if result.get("steps_off") is not None and result["steps_off"] > case.tolerance:
        found.append(f"differs from the samples' outputs by {result['steps_off']} steps, allowed {case.tolerance}")
    for name, limit in case.limits.items():
        if result[name] > limit:
            found.append(f"{name} {result[name]:,} is over {limit:,.0f}")
    return found
