"""What the oracle of every example shares: training steps and accuracy in PyTorch, float32, on one thread."""

from __future__ import annotations

import numpy as np
import torch

torch.set_num_threads(1)


def sgd(module: torch.nn.Module, parameters: list, inputs: np.ndarray, labels: np.ndarray, order,
        learning_rate: float) -> None:
    """Trains `parameters` of `module` in place: one step of batch 1 per index in `order`, softmax cross entropy.

    inputs float32 [n, ...], labels [n]. parameter -= learning_rate * gradient, nothing else.
    """
    module.eval()
    inputs_t = torch.from_numpy(np.ascontiguousarray(inputs, dtype=np.float32))
    labels_t = torch.from_numpy(np.asarray(labels, dtype=np.int64))
    for parameter in module.parameters():
        parameter.requires_grad_(any(parameter is p for p in parameters))
    for index in order:
        loss = torch.nn.functional.cross_entropy(module(inputs_t[index:index + 1]), labels_t[index:index + 1])
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients):
                parameter.sub_(gradient, alpha=learning_rate)


def accuracy(module: torch.nn.Module, inputs: np.ndarray, labels: np.ndarray) -> float:
    """Share (0..1) of inputs whose largest logit is at the label."""
    module.eval()
    with torch.no_grad():
        logits = module(torch.from_numpy(np.ascontiguousarray(inputs, dtype=np.float32)))
    return float((logits.argmax(1).numpy() == np.asarray(labels)).mean())
