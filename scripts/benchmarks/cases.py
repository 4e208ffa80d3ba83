"""The benchmark cases and the figures that they are held against.

Reference figures were measured with the same counting plugin (docs/emulation.md): float inference by onnx2c at its fastest flags
(-O2 -funroll-loops), int8 inference by TFLite Micro with CMSIS-NN, training by AIfES in float32. A limit is what this project promises:
a share of the reference, or bytes.
"""

from __future__ import annotations

import dataclasses
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "models"


@dataclasses.dataclass(frozen=True)
class Case:
    """One model on one target (a name, or the path of a target file). `options` go to tinytc as they are; `limits` are the largest allowed values of result figures.

    kind: "predict" or "train". reference: what the system that it is compared with needs of `compared` (cycles, or instructions where
    the estimate of cycles does not hold for the core); None if there is none; others: its other figures. samples: .npz file with `inputs` and `outputs_onnx`, against
    which an int8 model is checked on the board; tolerance: by how many steps it may differ from them.
    """

    name: str
    model: pathlib.Path
    target: str = "nrf52840"
    kind: str = "predict"
    options: tuple[str, ...] = ()
    cxxflags: tuple[str, ...] = ("-O2",)
    ram: str | None = None  # bytes for the emulated board when the target's own would not do
    compared: str = "cycles"
    reference: int | None = None
    others: dict[str, float] = dataclasses.field(default_factory=dict)
    samples: pathlib.Path | None = None
    tolerance: int = 0
    limits: dict[str, float] = dataclasses.field(default_factory=dict)


def _inference(name: str, reference: int, share: float, ram: int, sizeof_model: int | None, target: str = "nrf52840") -> Case:
    limits = {"cycles": reference * share, "stack": 1000}
    if sizeof_model is not None:
        limits["sizeof_model"] = sizeof_model
    model = SHARED / "mlperf_tiny" / f"{name}_float.onnx"
    # vww needs more than the 256 KB of the nRF52840 only in systems that plan worse; the board's limit stays the target's.
    return Case(f"{name}_float", model, target, options=("--prefer", "balanced"), reference=reference, others={"ram": ram}, limits=limits)


def _training(name: str, optimizer: str, cycles: tuple[int, float], ram: tuple[int, float], code: int) -> Case:
    """Cycles and RAM: the reference's, and the share of it that is allowed."""
    options = ("--train", "all", "--loss", "cross-entropy", "--optimizer", optimizer)
    limits = {"cycles": cycles[0] * cycles[1], "ram": ram[0] * ram[1], "flash_code": code}
    others = {"ram": ram[0], "flash_code": code}
    model = ROOT / "models" / "bench" / f"{name}.onnx"
    return Case(f"{name}_{optimizer}", model, kind="train", options=options, reference=cycles[0], others=others, limits=limits)


@dataclasses.dataclass(frozen=True)
class Int8:
    """One of the int8 networks: TFLite Micro's figures by core, and the largest share of each that is allowed. Cycles on the
    Cortex-M4, instructions on the others. others: its bytes of RAM (arena, other static memory, stack) and of code. Ours at most: ram
    (model and stack), code (KiB of flash preferring speed and size)."""

    name: str
    reference: dict[str, int]
    share: dict[str, float]
    others: dict[str, int]
    ram: int
    code: tuple[int, int]
    tolerance: int = 0  # in steps


INT8 = [
    Int8("kws", {"m4": 9_269_096, "m7": 7_643_484, "m55": 1_813_519, "m3": 10_532_421, "m0plus": 28_996_895},
         {"m4": 0.38, "m7": 0.40, "m55": 0.60, "m3": 0.65, "m0plus": 0.65},
         {"ram": 24_184, "flash_code": 52_529}, 13_000, (16, 7)),
    # On noise images two kernel sets of onnxruntime differ by 21 steps after the softmax.
    Int8("ic", {"m4": 36_795_788, "m7": 30_026_819, "m55": 4_912_109, "m3": 41_847_808, "m0plus": 97_559_038},
         {"m4": 0.40, "m7": 0.42, "m55": 0.70, "m3": 0.65, "m0plus": 0.65},
         {"ram": 56_360, "flash_code": 50_333}, 40_000, (16, 7), 12),
    Int8("vww", {"m4": 29_376_680, "m7": 24_025_131, "m55": 6_557_924, "m3": 31_958_759, "m0plus": 86_903_091},
         {"m4": 0.20, "m7": 0.21, "m55": 0.35, "m3": 0.35, "m0plus": 0.35},
         {"ram": 102_072, "flash_code": 52_529}, 44_000, (20, 8)),
    Int8("ad", {"m4": 725_809, "m7": 583_178, "m55": 149_925, "m3": 955_920, "m0plus": 1_763_083},
         {"m4": 0.50, "m7": 0.52, "m55": 0.70, "m3": 0.75, "m0plus": 0.75},
         {"ram": 3_656, "flash_code": 27_301}, 2_800, (6, 4)),
]  # fmt: skip

# The STM32F103 of targets/ is the family's medium type; only its largest holds all networks.
LARGE_M3 = pathlib.Path(__file__).resolve().parent / "stm32f103xg.yaml"
# Core -> target. TFLite Micro was not measured on the Cortex-M33 and on RISC-V: figures without a reference.
CORES = {"m7": "stm32f746", "m55": "corstone-300", "m33": "nrf5340", "m3": str(LARGE_M3), "m0plus": "rp2040", "riscv": "esp32c3"}


def _int8(network: Int8, suffix: str, **fields) -> Case:
    folder, name = SHARED / "mlperf_tiny", network.name
    return Case(f"{name}_int8{suffix}", folder / f"{name}_int8.onnx", samples=folder / f"{name}_io.npz", tolerance=network.tolerance, **fields)


def _int8_on_core(network: Int8, core: str) -> Case:
    """Held to a share of TFLite Micro's instructions."""
    reference = network.reference.get(core)
    limits = {"instructions": reference * network.share[core]} if reference else {}
    return _int8(network, f"_{core}", target=CORES[core], compared="instructions", reference=reference, limits=limits)


def _int8_cases(network: Int8) -> list[Case]:
    """The Cortex-M4 with each preference, then the other cores. Who prefers size also compiles with -Os."""
    reference, speed, size = network.reference["m4"], *(1024 * kib for kib in network.code)
    is_ic = network.name == "ic"  # with flash to spare its 3x3 convolutions may use Winograd's algorithm, and more RAM
    fast = {"cycles": reference * 0.26, "ram": 46_000} if is_ic else {"ram": network.ram}
    common = {"reference": reference, "others": network.others}
    return [
        _int8(network, "", limits={"cycles": reference * network.share["m4"], "ram": network.ram}, **common),
        _int8(network, "_speed", options=("--prefer", "speed"), limits={**fast, "flash_code": speed}, **common),
        _int8(network, "_size", options=("--prefer", "size"), cxxflags=("-Os",), limits={"flash_code": size}, **common),
        *(_int8_on_core(network, core) for core in CORES),
    ]


CASES = [
    _inference("kws", 22_469_406, 0.45, 64_000, 66_000),
    _inference("ic", 120_292_144, 0.45, 196_608, 133_000),
    _inference("vww", 57_656_762, 0.45, 294_912, 224_000),
    _inference("ad", 1_726_894, 0.54, 1_024, None, "stm32l4r5"),  # a Cortex-M4F too; the weights alone exceed the nRF52840's 1 MB of flash
    _training("mlp_784_32_10", "sgd", (4_643_820, 0.06), (413_532, 0.28), 13_585),
    _training("mlp_13_64_64_6", "adam", (5_128_471, 0.10), (124_484, 0.56), 14_517),
    _training("cnn_28x28", "sgd", (48_707_821, 0.10), (156_792, 0.40), 22_793),
    _training("cnn_28x28_padded", "sgd", (62_916_618, 0.10), (239_544, 0.40), 22_793),
    *(case for network in INT8 for case in _int8_cases(network)),
]
