"""Compiles and links a firmware for a target: `build(...)` returns an Image.

Every source becomes an object file of its own, so that sizes.py can say which bytes belong to the model, to main, to the board
support and to libraries.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib
import shlex
import shutil
import subprocess

from .boards import BOARDS
from .link import linker_script
from .targets import ROOT, Target, load_target, main_size, parse_size

FIRMWARE = ROOT / "test" / "firmware"
COMMON_FLAGS = ["-ffunction-sections", "-fdata-sections", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"]
DEFAULT_FLAGS = ["-O2", "-std=gnu++17"]
DEFAULT_STACK = 8 * 1024


class EmulationError(Exception):
    """Building or running failed; the message holds what the tool printed."""


@dataclasses.dataclass(frozen=True)
class Image:
    """A linked firmware: the ELF file, its linker map (None on the host), and what it was built for."""

    target: Target
    elf: pathlib.Path
    map: pathlib.Path | None
    work: pathlib.Path
    origins: dict[str, str]  # object file path -> "model", "main" or "board"
    command: list[str]  # one compiler command, for the record


def run_tool(command: list[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise EmulationError(f"{what}: {shlex.join(command)}\n{done.stdout}{done.stderr}")


def cache_directory() -> pathlib.Path:
    """Where objects that do not change between builds are kept: the board support and the plugin."""
    path = ROOT / "build" / "emulation"
    path.mkdir(parents=True, exist_ok=True)
    return path


def build_cached(command: list[str], inputs: list[pathlib.Path], suffix: str, what: str) -> pathlib.Path:
    """Runs `command -o FILE` unless a file of the same command and inputs exists. Safe when several processes do it at once."""
    key = hashlib.sha256("\0".join(command).encode())
    for path in inputs:
        key.update(path.read_bytes())
    out = cache_directory() / (key.hexdigest()[:24] + suffix)
    if not out.exists():
        draft = out.with_suffix(f".{os.getpid()}{suffix}")
        run_tool([*command, "-o", str(draft)], what)
        os.replace(draft, out)
    return out


def compiler_of(target: Target) -> list[str]:
    if target.name == "host":
        return ["g++"]
    if target.gcc_prefix is None:
        raise EmulationError(f"target {target.name} has no compiler here")
    compiler = target.gcc_prefix + "g++"
    if shutil.which(compiler) is None:
        raise EmulationError(f"{compiler} is not installed (scripts/bootstrap installs it)")
    return [compiler]


def _board_objects(target: Target, startup: str, compile_line: list[str]) -> list[pathlib.Path]:
    names = ["board_host.cpp"] if target.name == "host" else ["board.cpp", startup]
    inputs = sorted(FIRMWARE.glob("*.h"))
    return [
        build_cached([*compile_line, "-Os", "-c", str(FIRMWARE / n)], [FIRMWARE / n, *inputs], ".o", "board support")
        for n in names
    ]


def _include_flags(target: Target, include: list[str]) -> list[str]:
    shims = [f"-I{FIRMWARE / 'shims' / 'riscv'}"] if (target.gcc_prefix or "").startswith("riscv") else []
    return [f"-I{path}" for path in [*include, FIRMWARE, ROOT]] + shims


def _link_flags(target: Target, work: pathlib.Path, flash: int, ram: int, stack: int) -> list[str]:
    board = BOARDS[target.machine]
    if flash > board.flash_size or ram > board.ram_size:
        flash, ram = min(flash, board.flash_size), min(ram, board.ram_size)
    script = work / "firmware.ld"
    script.write_text(linker_script(target.name, target.machine, board, flash, ram, stack))
    specs = ["--specs=picolibc.specs"] if target.gcc_prefix.startswith("riscv") else []
    return [*specs, "-nostartfiles", f"-T{script}", "-Wl,--gc-sections,--no-warn-rwx-segments", f"-Wl,-Map={work / 'firmware.map'}"]


def build(
    target: str | Target,
    main: str | pathlib.Path,
    work: str | pathlib.Path,
    sources: list[str] = (),
    include: list[str] = (),
    cxxflags: list[str] = (),
    defines: list[str] = (),
    stack: int | str = DEFAULT_STACK,
    ram: int | str | None = None,
    flash: int | str | None = None,
) -> Image:
    """Builds main and sources for the target into the folder `work`.

    sources: the model (counted as "model" in the sizes); include: include folders beside test/firmware and the project's root;
    cxxflags: added after the target's own and -O2 -std=gnu++17, so they win; stack, ram, flash: bytes or "96K", the stack being
    part of RAM; without ram and flash the sizes of the target's first memory regions.
    Raises EmulationError when the compiler or linker fails, thus also when the firmware does not fit.
    """
    target = target if isinstance(target, Target) else load_target(target)
    if target.name != "host" and target.machine is None:
        raise EmulationError(f"target {target.name} has no emulated board")
    work = pathlib.Path(work)
    work.mkdir(parents=True, exist_ok=True)
    compiler = compiler_of(target)
    launcher = ["ccache"] if shutil.which("ccache") else []
    is_host = target.name == "host"
    specs = ["--specs=picolibc.specs"] if not is_host and target.gcc_prefix.startswith("riscv") else []
    base = [*compiler, *specs, *target.gcc_flags, *COMMON_FLAGS, *_include_flags(target, list(include))]
    startup = "" if is_host else BOARDS[target.machine].startup
    board_objects = _board_objects(target, startup, base)
    flags = [*DEFAULT_FLAGS, *cxxflags, *(f"-D{d}" for d in defines)]
    origins = {str(path): "board" for path in board_objects}
    objects = [(source, work / f"{index}_{pathlib.Path(source).stem}.o") for index, source in enumerate([main, *sources])]
    origins.update({str(out): "main" if index == 0 else "model" for index, (_, out) in enumerate(objects)})

    def compile_one(job: tuple) -> None:
        run_tool([*launcher, *base, *flags, "-c", str(job[0]), "-o", str(job[1])], f"compiling {job[0]}")

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile_one, objects))
    elf = work / "firmware.elf"
    # Linked with the C driver: firmware needs no C++ library, and not every toolchain has one.
    linker = compiler if is_host else [target.gcc_prefix + "gcc"]
    link = [*linker, *target.gcc_flags, *(f for f in flags if not f.startswith("-std=")), *origins]
    if not is_host:
        flash_size = parse_size(flash) if flash is not None else main_size(target.flash)
        ram_size = parse_size(ram) if ram is not None else main_size(target.ram)
        link += _link_flags(target, work, flash_size, ram_size, parse_size(stack))
    run_tool([*link, "-o", str(elf)], "linking")
    return Image(target, elf, None if is_host else work / "firmware.map", work, origins, [*base, *flags])
