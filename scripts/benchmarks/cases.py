"""The benchmark cases and the figures that they are held against.

Reference figures were measured with the same counting plugin (docs/emulation.md): float inference by onnx2c at its fastest flags
(-O2 -funroll-loops), training by AIfES in float32. A limit is what this project promises: a share of the reference, or bytes.
"""

from __future__ import annotations

import dataclasses
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "models"


@dataclasses.dataclass(frozen=True)
class Case:
    """One model on one target. `options` go to tinytc as they are; `limits` are the largest allowed values of result figures.

    kind: "predict" or "train". reference: cycles of the system that it is compared with, None if there is none.
    """

    name: str
    model: pathlib.Path
    target: str = "nrf52840"
    kind: str = "predict"
    options: tuple[str, ...] = ()
    cxxflags: tuple[str, ...] = ("-O2",)
    ram: str | None = None  # bytes for the emulated board when the target's own would not do
    reference: int | None = None
    limits: dict[str, float] = dataclasses.field(default_factory=dict)


def _inference(name: str, reference: int, share: float, sizeof_model: int | None, target: str = "nrf52840") -> Case:
    limits = {"cycles": reference * share, "stack": 1000}
    if sizeof_model is not None:
        limits["sizeof_model"] = sizeof_model
    model = SHARED / "mlperf_tiny" / f"{name}_float.onnx"
    # vww needs more than the 256 KB of the nRF52840 only in systems that plan worse; the board's limit stays the target's.
    return Case(f"{name}_float", model, target, options=("--prefer", "balanced"), reference=reference, limits=limits)


def _training(name: str, optimizer: str, reference: int, share: float, ram: float, code: int, board_ram: str | None = None) -> Case:
    options = ("--train", "all", "--loss", "cross-entropy", "--optimizer", optimizer)
    limits = {"cycles": reference * share, "ram": ram, "flash_code": code}
    model = ROOT / "models" / "bench" / f"{name}.onnx"
    return Case(f"{name}_{optimizer}", model, kind="train", options=options, ram=board_ram, reference=reference, limits=limits)


CASES = [
    _inference("kws", 22_469_406, 0.45, 66_000),
    _inference("ic", 120_292_144, 0.45, 133_000),
    _inference("vww", 57_656_762, 0.45, 224_000),
    _inference("ad", 1_726_894, 0.54, None, "stm32l4r5"),  # a Cortex-M4F too; the weights alone exceed the nRF52840's 1 MB of flash
    _training("mlp_784_32_10", "sgd", 4_643_820, 0.06, 0.28 * 413_532, 13_585),
    _training("mlp_13_64_64_6", "adam", 5_128_471, 0.10, 0.56 * 124_484, 14_517),
    _training("cnn_28x28", "sgd", 48_707_821, 0.10, 0.40 * 156_792, 22_793),
    _training("cnn_28x28_padded", "sgd", 62_916_618, 0.10, 0.40 * 239_544, 22_793),
]
