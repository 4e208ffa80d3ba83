"""Trains an example in PyTorch exactly as the device does and prints accuracy before and after as JSON.

    python models/oracle.py shoulder [--onnx FILE] [--seeds N] [--subjects 6,7]
    python models/oracle.py digits   [--onnx FILE] [--seeds N]

The network's weights come from the .onnx file (initializers by name), data and order from the committed sample
files and protocol.json, so firmware compiled from the same file must reach the same accuracies, within rounding.
`seeds` in digits means the order of the digits; the initial weights are always those of the file.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from models import onnx_files, training  # noqa: E402
from models.digits import digits  # noqa: E402
from models.shoulder import adapt, network, samples  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent


def shoulder(onnx_path: pathlib.Path, seeds: int | None, subjects: list[int] | None) -> dict:
    """{"people": [{subject, windows, before, after: [per seed], gain}], before, after, gain}; accuracies 0..1."""
    protocol = samples.protocol()
    module = onnx_files.load_state(network.ShoulderNet(), onnx_path)
    people = []
    for subject in subjects or protocol["subjects"]:
        person = (subject, *samples.read(samples.path_of(subject)))
        people.append(adapt.evaluate(module, person, protocol, range(seeds or protocol["seeds"])))
    before = float(np.mean([p["before"] for p in people]))
    after = float(np.mean([np.mean(p["after"]) for p in people]))
    return {"people": people, "before": before, "after": after, "gain": after - before}


def train_digits(onnx_path: pathlib.Path, seeds: int | None, subjects: list[int] | None) -> dict:
    """{"before", "after": [per seed], "epochs": [per seed [after each epoch]]}; accuracies 0..1."""
    if subjects:
        raise ValueError("the digits have no subjects")
    protocol = digits.protocol()
    train, test = digits.read()
    epochs, before = [], 0.0
    for seed in range(seeds or protocol["seeds"]):
        module = onnx_files.load_state(digits.DigitsNet(), onnx_path)
        before = training.accuracy(module, *test)
        epochs.append([])
        for rate, order in zip(protocol["learning_rates"], digits.orders(len(train[1]), seed, protocol)):
            training.sgd(module, list(module.parameters()), *train, order, rate)
            epochs[-1].append(training.accuracy(module, *test))
    return {"before": before, "after": [e[-1] for e in epochs], "epochs": epochs}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("example", choices=("shoulder", "digits"))
    parser.add_argument("--onnx", type=pathlib.Path)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--subjects", type=lambda text: [int(s) for s in text.split(",")])
    options = parser.parse_args()
    path = options.onnx or FOLDER / options.example / f"{options.example}.onnx"
    run = shoulder if options.example == "shoulder" else train_digits
    print(json.dumps(run(path, options.seeds, options.subjects), indent=1))
