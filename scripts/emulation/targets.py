"""Reads the target data files of targets/ (the format is documented and strictly checked by targets/target.cpp)."""

from __future__ import annotations

import dataclasses
import pathlib

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Region:
    """One memory: start address and size in bytes."""

    name: str
    start: int
    size: int


@dataclasses.dataclass(frozen=True)
class Target:
    """What building and emulating needs of a target; `gcc_prefix` is None where no compiler exists, `machine` where no QEMU board does."""

    name: str
    core: str
    features: tuple[str, ...]
    clock_hz: int | None
    flash: tuple[Region, ...]
    ram: tuple[Region, ...]
    gcc_prefix: str | None
    gcc_flags: tuple[str, ...]
    machine: str | None


def parse_size(value: int | str) -> int:
    """Bytes from 4096, "96K" (1K = 1,024) or "4M"."""
    text = str(value)
    factor = {"K": 1024, "M": 1024 * 1024}.get(text[-1:], 1)
    return int(text[:-1] if factor > 1 else text, 0) * factor


def _regions(entries: list[dict]) -> tuple[Region, ...]:
    return tuple(Region(e["name"], int(e["start"]), parse_size(e["size"])) for e in entries)


def list_targets() -> list[str]:
    return sorted(path.stem for path in (ROOT / "targets").glob("*.yaml"))


def load_target(name_or_path: str) -> Target:
    """A built-in target by name, or one's own by the path of its .yaml file."""
    path = pathlib.Path(name_or_path)
    if path.suffix != ".yaml":
        path = ROOT / "targets" / f"{name_or_path}.yaml"
    if not path.exists():
        raise FileNotFoundError(f"no target '{name_or_path}'; there are: {', '.join(list_targets())}")
    data = yaml.safe_load(path.read_text())
    gcc = data["compiler"]["gcc"]
    return Target(
        name=path.stem,
        core=data["core"],
        features=tuple(data["features"]),
        clock_hz=None if data["clock_hz"] == "none" else data["clock_hz"],
        flash=_regions(data["flash"]),
        ram=_regions(data["ram"]),
        gcc_prefix=None if gcc == "none" else gcc["prefix"],
        gcc_flags=() if gcc == "none" else tuple(gcc["flags"]),
        machine=None if data["machine"] == "none" else data["machine"],
    )


def main_size(regions: tuple[Region, ...]) -> int:
    """Bytes of the first region together with those that continue it without a gap: what a linker script can use as one memory."""
    end = regions[0].start + regions[0].size
    for region in regions[1:]:
        if region.start != end:
            break
        end += region.size
    return end - regions[0].start
