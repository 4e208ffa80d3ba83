"""The shoulder example: each person held out adapts on an emulated device, once per seed."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable

from . import device

FOLDER = device.ROOT / "models" / "shoulder"
NAME = "exercise"


def subjects() -> list[int]:
    """The people that the network was not trained on."""
    return json.loads((FOLDER / "protocol.json").read_text())["subjects"]


def compile_model(target: str, work: pathlib.Path) -> str:
    return device.compile_model(FOLDER / "shoulder.onnx", target, NAME, work / "out")


def adapt(subject: int, seeds: list[int], target: str, work: pathlib.Path, count: bool = False,
          show: Callable[[str], None] = lambda line: None) -> dict:
    """One person's result: {subject, windows, before, after: [per seed], figures if counted}; accuracies from 0 to 1.

    compile_model() comes first, with the same folder. `show` gets the lines that the firmware printed.
    """
    samples = FOLDER / "samples" / f"subject_{subject:02d}.bin"
    image = device.build("shoulder", NAME, samples, target, work / "out", work / f"{target}_{subject}")
    result = device.run(image, [str(seed) for seed in seeds], count)
    for line in result["output"].splitlines():
        show(line)
    values = result["values"]
    tests = values["tests"]
    person = {
        "subject": subject,
        "windows": tests,
        "before": values["before"] / tests,
        "after": [values[f"after_{seed}"] / tests for seed in seeds],
    }
    if count:
        person["figures"] = device.figures(result)
    return person


def mean_accuracy(people: list[dict]) -> tuple[float, float]:
    """(before, after): mean over the people, each the mean of its seeds."""
    before = sum(p["before"] for p in people) / len(people)
    after = sum(sum(p["after"]) / len(p["after"]) for p in people) / len(people)
    return before, after
