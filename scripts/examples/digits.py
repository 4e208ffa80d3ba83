"""The digits example: an emulated device without floating-point unit learns to read from nothing."""

from __future__ import annotations

import pathlib

from . import device

FOLDER = device.ROOT / "models" / "digits"
NAME = "reader"


def learn(seed: int, target: str, work: pathlib.Path, count: bool = False) -> dict:
    """{before, epochs: [accuracy after each], figures if counted}; accuracies on the test digits, from 0 to 1."""
    device.compile_model(FOLDER / "digits.onnx", target, NAME, work / "out")
    image = device.build("digits", NAME, FOLDER / "digits.bin", target, work / "out", work / target)
    result = device.run(image, [str(seed)], count)
    values = result["values"]
    accuracies = [values[name] / values["tests"] for name in sorted(values) if name.startswith("epoch_")]
    learned = {"before": accuracies[0], "epochs": accuracies[1:]}
    if count:
        learned["figures"] = device.figures(result)
    return learned
