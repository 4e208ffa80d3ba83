"""Plain weights against packed ones: int8 layers of the MLPerf Tiny networks with both kernels, on a Cortex-M4.

test/firmware/bench_plain.cpp holds the layers; its regions are named "layer/packed" and "layer/plain".
"""

from __future__ import annotations

import pathlib
import tempfile

import emulation

from .cases import ROOT

RATIO_LIMIT = 1.6
MAIN = ROOT / "test" / "firmware" / "bench_plain.cpp"


def measure_plain(target: str = "nrf52840") -> dict:
    """{layer: {"packed": cycles, "plain": cycles}}; both must have computed the same."""
    with tempfile.TemporaryDirectory(prefix="tinytc-plain-") as folder:
        device = emulation.run(emulation.build(target, MAIN, pathlib.Path(folder), ram="1M", flash="2M"))
    if device["exit_code"] != 0:
        raise emulation.EmulationError(f"plain and packed weights give different results\n{device['output']}")
    results: dict = {}
    for region, counts in device["regions"].items():
        layer, form = region.rsplit("/", 1)
        results.setdefault(layer, {})[form] = counts["last_cycles"]
    return results


def problems(results: dict) -> list[str]:
    """Layers whose plain kernel is too slow."""
    return [
        f"{layer}: plain weights take {row['plain'] / row['packed']:.2f} of packed ones, allowed {RATIO_LIMIT}"
        for layer, row in results.items()
        if row["plain"] > RATIO_LIMIT * row["packed"]
    ]
