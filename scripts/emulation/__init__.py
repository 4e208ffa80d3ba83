"""Builds firmware for a target, runs it on an emulated board, and measures it.

How to read it: `build` (build.py) compiles and links with the target's compiler and memory sizes (link.py writes the linker
script, sizes.py reads what came out); `run` (run.py) starts QEMU with the counting plugin and collects output, counts and figures.
`targets.py` reads the data files in targets/, `boards.py` says what QEMU's machines look like.

    from emulation import build, run
    image = build(target="nrf52840", main="main.cpp", sources=["out/model.cpp"], include=["out"])
    result = run(image)
    print(result["output"], result["regions"]["predict"]["cycles"])
"""

from .build import EmulationError, Image, build
from .run import run
from .targets import Target, list_targets, load_target

__all__ = ["EmulationError", "Image", "Target", "build", "list_targets", "load_target", "run"]
