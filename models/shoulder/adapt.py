"""Adaptation to one person, in PyTorch, exactly as the device does it: the other half of the comparison.

Batch 1, float32, plain SGD: forward, backward and update per window, in the order of samples.sequence.
Protocol (protocol.json): see README.md, which also says how it was chosen.
"""

from __future__ import annotations

import copy

import numpy as np
import torch

from models import training
from models.shoulder import data, samples


def trained_parameters(module: torch.nn.Module, selection: str) -> list[torch.nn.Parameter]:
    """The parameters that tinytc's `--train SELECTION` trains: `all`, or `last:N` layers that own parameters."""
    layers = [child for child in module.children() if list(child.parameters())]
    if selection.startswith("last:"):
        layers = layers[-int(selection[5:]):]
    elif selection != "all":
        raise ValueError(f"unknown selection {selection}")
    return [parameter for layer in layers for parameter in layer.parameters()]


def adapt(module: torch.nn.Module, pool: data.Windows, subject: int, seed: int, protocol: dict) -> torch.nn.Module:
    """A copy of `module` after the device's training steps on `pool`."""
    module = copy.deepcopy(module)
    rates = protocol["learning_rates"]
    order = samples.sequence(pool, subject, seed, protocol["windows_per_recording"], len(rates))
    parameters, inputs = trained_parameters(module, protocol["train"]), pool.inputs()
    steps = len(order) // len(rates)
    for epoch, rate in enumerate(rates):
        training.sgd(module, parameters, inputs, pool.labels, order[epoch * steps:(epoch + 1) * steps], rate)
    return module


def evaluate(module: torch.nn.Module, person, protocol: dict, seeds) -> dict:
    """Accuracy (0..1) of one person's test windows before adaptation and after it with each seed.

    `person` is (subject, pool, test).
    """
    subject, pool, test = person
    inputs, labels = test.inputs(), test.labels
    before = training.accuracy(module, inputs, labels)
    after = [training.accuracy(adapt(module, pool, subject, seed, protocol), inputs, labels) for seed in seeds]
    return {"subject": subject, "windows": len(labels), "before": before, "after": after,
            "gain": float(np.mean(after)) - before}
