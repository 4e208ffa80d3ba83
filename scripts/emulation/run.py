"""Runs an Image on its QEMU machine (or natively for the target host) and collects what can be measured."""

from __future__ import annotations

import pathlib
import re
import shutil
import struct
import subprocess

from . import sizes
from .boards import BOARDS
from .build import FIRMWARE, EmulationError, Image, build_cached

VALUE_LINE = re.compile(rb"\n?@tinytc (\S+) (\d+)\n")


def plugin() -> pathlib.Path:
    """The counting plugin, built at first use."""
    folder = FIRMWARE / "plugin"
    sources = sorted(folder.glob("*.c"))
    command = ["gcc", "-shared", "-fPIC", "-O2", "-fvisibility=hidden", *map(str, sources)]
    return build_cached(command, [*sources, *sorted(folder.glob("*.h"))], ".so", "building the counting plugin")


def read_markers(image: Image) -> tuple[list[str], str]:
    """Names of the marked regions in order of their number, and the plugin's marker file."""
    data = sizes.Elf(image.elf).section_data(".debug_tinytc_regions")
    names: list[str] = []
    lines = []
    position = 0
    while position < len(data):
        address, kind = struct.unpack_from("<Ic", data, position)
        end = data.index(b"\0", position + 5)
        name = data[position + 5 : end].decode()
        position = end + 1
        if address == 0:  # its function was removed by the linker
            continue
        if name not in names:
            names.append(name)
        lines.append(f"{address & ~1:x} {kind.decode()} {names.index(name)}\n")
    return names, "".join(lines)


def _qemu_command(image: Image, args: list[str], count: bool, profile: bool) -> tuple[list[str], list[str]]:
    board = BOARDS[image.target.machine]
    if shutil.which(board.program) is None:
        raise EmulationError(f"{board.program} is not installed (scripts/bootstrap installs it)")
    semihosting = "enable=on,target=native" + "".join(",arg=" + a.replace(",", ",,") for a in ["firmware", *args])
    command = [board.program, *board.arguments, "-display", "none", "-monitor", "none", "-serial", "none"]
    command += ["-no-reboot", "-semihosting-config", semihosting, "-kernel", str(image.elf)]
    names: list[str] = []
    if count:
        names, lines = read_markers(image)
        markers = image.work / "markers.txt"
        markers.write_text(lines)
        options = f"{plugin()},out={image.work / 'counts.txt'}" + (f",markers={markers}" if lines else "")
        command += ["-plugin", options + (",profile=on" if profile else "")]
    return command, names


def _read_counts(image: Image, names: list[str], exit_code: int) -> dict:
    """Counts of the whole run and per region; cycles only on Arm. A region may stay open only in a program that failed."""
    is_arm = BOARDS[image.target.machine].program == "qemu-system-arm"
    result: dict = {"regions": {}}
    profile = []
    for line in (image.work / "counts.txt").read_text().splitlines():
        kind, *fields = line.split()
        if kind == "total":
            result["instructions"], result["cycles"] = int(fields[0]), int(fields[1]) if is_arm else None
        elif kind == "region":
            number, calls, instructions, cycles, last_instructions, last_cycles, is_open = map(int, fields)
            if is_open and exit_code == 0:
                raise EmulationError(f"region '{names[number]}' was not closed")
            result["regions"][names[number]] = {
                "calls": calls,
                "instructions": instructions,
                "cycles": cycles if is_arm else None,
                "last_instructions": last_instructions,
                "last_cycles": last_cycles if is_arm else None,
            }
        else:
            profile.append((int(fields[0], 16), int(fields[1]), int(fields[2])))
    if profile:
        result["profile"] = sizes.profile_by_function(sizes.Elf(image.elf), profile)
    return result


def _take_values(output: bytes) -> tuple[str, dict[str, int]]:
    """Separates the figures that the firmware reported from what it printed."""
    values = {name.decode(): int(value) for name, value in VALUE_LINE.findall(output)}
    return VALUE_LINE.sub(b"", output).decode(errors="replace"), values


def run(image: Image, args: list[str] = (), count: bool = True, profile: bool = False, timeout: float = 600) -> dict:
    """Runs the firmware and returns a dictionary that json can write.

    exit_code, output, values (what board::report told), stack_high_water (bytes, whole program), sizes (see sizes.py), and with
    count: instructions, cycles (Cortex-M4 model; None on other architectures), regions {name: calls, instructions, cycles and the
    same of the last call}, and with profile: [[function, instructions, cycles], ...], most expensive first.
    timeout: seconds after which a firmware that hangs is stopped.
    """
    is_host = image.target.name == "host"
    names: list[str] = []
    if is_host:
        command = [str(image.elf), *args]
    else:
        command, names = _qemu_command(image, list(args), count, profile)
    counts = image.work / "counts.txt"
    counts.unlink(missing_ok=True)
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=timeout)
    except subprocess.TimeoutExpired as late:
        raise EmulationError(f"no end after {timeout} s; output so far:\n{(late.output or b'').decode(errors='replace')}") from late
    output, values = _take_values(done.stdout)
    result = {"target": image.target.name, "machine": image.target.machine, "exit_code": done.returncode, "output": output}
    result["values"] = values
    if not is_host:
        result["stack_high_water"] = values.get("stack_high_water")
        result["sizes"] = sizes.sizes(image)
        if counts.exists():
            result.update(_read_counts(image, names, done.returncode))
    return result
