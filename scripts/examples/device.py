"""One example firmware: model -> tinytc -> the target's compiler -> emulated board."""

from __future__ import annotations

import os
import pathlib
import subprocess

import emulation

ROOT = pathlib.Path(__file__).resolve().parents[2]


def tinytc_path() -> pathlib.Path:
    """The compiler: $TINYTC, else build/tinytc."""
    return pathlib.Path(os.environ.get("TINYTC", ROOT / "build" / "tinytc"))


def compile_model(model: pathlib.Path, target: str, name: str, out: pathlib.Path) -> str:
    """Emits the model with everything trainable into `out`; returns what tinytc printed. Raises EmulationError with its message."""
    command = [tinytc_path(), model, "--target", target, "--train", "all", "--loss", "cross-entropy", "--name", name, "-o", out]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise emulation.EmulationError(f"tinytc: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def build(example: str, name: str, samples: pathlib.Path, target: str, out: pathlib.Path, work: pathlib.Path) -> emulation.Image:
    """Links models/EXAMPLE/firmware.cpp with the emitted model in `out` and the sample file inside."""
    return emulation.build(
        target,
        ROOT / "models" / example / "firmware.cpp",
        work,
        sources=[str(out / f"{name}.cpp")],
        include=[str(out)],
        defines=[f'TINYTC_SAMPLES="{samples}"'],
    )


def run(image: emulation.Image, arguments: list[str], count: bool) -> dict:
    """Runs the firmware; raises EmulationError if it ends with an error."""
    result = emulation.run(image, arguments, count=count, timeout=3600)
    if result["exit_code"] != 0:
        raise emulation.EmulationError(f"the firmware ended with exit code {result['exit_code']}\n{result['output']}")
    return result


def image_core(result: dict) -> str:
    return emulation.load_target(result["target"]).core


def figures(result: dict) -> dict:
    """RAM, flash and stack in bytes, instructions and estimated Cortex-M4 cycles of one (warm) call; a counted run is needed."""
    origins, values, regions = result["sizes"]["origins"], result["values"], result["regions"]
    stack = max(values["stack_predict"], values["stack_train"])
    return {
        "sizeof_model": values["sizeof_model"],
        "stack": stack,
        "ram": values["sizeof_model"] + stack,
        "flash_weights": origins["model"]["constants"],
        "flash_code": origins["model"]["code"] + origins["library"]["code"] + origins["library"]["constants"],
        "flash": result["sizes"]["flash"],
        "is_cortex_m4": image_core(result).startswith("cortex-m4"),
        "predict": (regions["predict"]["last_instructions"], regions["predict"]["last_cycles"]),
        "train_step": (regions["train_step"]["last_instructions"], regions["train_step"]["last_cycles"]),
    }
