"""Trains the small networks in PyTorch and records every loss: what firmware must reproduce.

    python test/training/make_reference.py --out FOLDER [--case NAME]

Writes FOLDER/NAME.json per case (nothing of it is committed; `--list` prints the names):
    onnx       model file, relative to the repository
    options    tinytc options that compile the same training
    learning_rate
    group      samples per update: 0 = one call trains and updates, N = N calls of accumulate(), then apply()
    calls      [{"input": [...], "labels": [...] | "target": [...], "loss": x}, ...]: one per call, ten updates in all
    probe      {"input", "before", "after"}: the network's output before and after training, with running statistics
Inputs are row-major in the ONNX layout, from the generator that firmware shares (models/lcg.py). Numbers are exact float32 values.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys

import numpy as np
import torch
from torch.nn import functional as F

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "test" / "training")]
import networks  # noqa: E402
from models import lcg  # noqa: E402
from models.bench import networks as bench  # noqa: E402

torch.set_num_threads(1)
STEPS = 10

LOSSES = {
    "cross-entropy": F.cross_entropy,
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "huber": F.huber_loss,
    "binary-cross-entropy": F.binary_cross_entropy,  # of probabilities: the network ends in a sigmoid
}

# name -> (torch.optim class, its arguments, learning rate, tinytc options)
OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {}, 0.05, ["--optimizer", "sgd"]),
    "sgd_decay": (torch.optim.SGD, {"weight_decay": 0.05}, 0.05, ["--optimizer", "sgd", "--weight-decay", "0.05"]),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}, 0.02, ["--optimizer", "sgd", "--momentum", "0.9"]),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}, 0.02,
                 ["--optimizer", "sgd", "--momentum", "0.9", "--nesterov"]),
    "adam": (torch.optim.Adam, {}, 0.01, ["--optimizer", "adam"]),
    "adamw": (torch.optim.AdamW, {"weight_decay": 0.1}, 0.01, ["--optimizer", "adamw", "--weight-decay", "0.1"]),
}

# network -> [(model file, batch normalization mode, loss)]; each is trained with every optimizer
TRAINED = {
    "mlp": [("test/import/data/mlp_dynamo.onnx", None, "cross-entropy")],
    "cnn_bn": [("test/import/data/cnn_bn_frozen.onnx", "frozen", "cross-entropy"),
               ("test/import/data/cnn_bn_frozen.onnx", "train", "cross-entropy")],
    "depthwise_residual": [("test/import/data/depthwise_residual_dynamo.onnx", None, "cross-entropy")],
    "transformer": [("test/import/data/transformer_dynamo.onnx", None, "cross-entropy")],
}
# (network, model file, loss): once, with SGD
ONCE = [
    ("mlp", "test/import/data/mlp_legacy.onnx", "mse"),
    ("mlp", "test/import/data/mlp_legacy.onnx", "l1"),
    ("mlp", "test/import/data/mlp_legacy.onnx", "huber"),
    ("mlp_sigmoid", "test/import/data/mlp_sigmoid_dynamo.onnx", "binary-cross-entropy"),
    ("autoencoder", "test/import/data/autoencoder_dynamo.onnx", "mse"),
    ("tied", "test/import/data/tied_dynamo.onnx", "mse"),
    ("encoder_layer", "test/import/data/encoder_layer_dynamo.onnx", "cross-entropy"),
]
# Minibatches: (name, network, model file, loss, optimizer, batch normalization mode, how, size).
# "accumulate": single samples, then apply(); "batch": a graph of that batch size.
MINIBATCHES = [
    ("mlp_accumulate_adam", "mlp", "test/import/data/mlp_dynamo.onnx", "cross-entropy", "adam", None, "accumulate", 4),
    ("cnn_bn_accumulate_momentum", "cnn_bn", "test/import/data/cnn_bn_frozen.onnx", "cross-entropy", "momentum", "frozen", "accumulate", 3),
    ("autoencoder_accumulate_adamw", "autoencoder", "test/import/data/autoencoder_dynamo.onnx", "mse", "adamw", None, "accumulate", 2),
    ("mlp_batch_sgd", "mlp", "test/import/data/mlp_dynamic.onnx", "cross-entropy", "sgd", None, "batch", 5),
    ("cnn_bn_batch_adam", "cnn_bn", "test/import/data/cnn_bn_frozen_dynamic.onnx", "cross-entropy", "adam", "train", "batch", 4),
    ("transformer_batch_nesterov", "transformer", "test/import/data/transformer_dynamic.onnx", "cross-entropy", "nesterov", None, "batch", 3),
]


def cases() -> dict[str, dict]:
    """All cases by name."""
    result = {}

    def add(name, network, onnx, loss, optimizer, batch_norm=None, how=None, size=1):
        result[name] = {"network": network, "onnx": onnx, "loss": loss, "optimizer": optimizer,
                        "batch_norm": batch_norm, "how": how, "size": size}

    for network, forms in TRAINED.items():
        for onnx, batch_norm, loss in forms:
            for optimizer in OPTIMIZERS:
                add("_".join(filter(None, (network, batch_norm, optimizer))), network, onnx, loss, optimizer,
                    batch_norm)
    for network, onnx, loss in ONCE:
        add(f"{network}_{loss.replace('-', '_')}_sgd", network, onnx, loss, "sgd")
    for network in bench.NETWORKS:
        add(f"bench_{network}", network, f"models/bench/{network}.onnx", "cross-entropy",
            "adam" if network == "mlp_13_64_64_6" else "sgd")
    for minibatch in MINIBATCHES:
        add(*minibatch)
    return result


def build(network: str) -> tuple[torch.nn.Module, tuple, int | None]:
    """(module, input shape, classes) of a test or benchmark network."""
    if network in networks.NETWORKS:
        _, shape, classes = networks.NETWORKS[network]
        return networks.build(network), shape, classes
    module, example = bench.build(network)
    return module, tuple(example.shape), list(module.children())[-1].out_features


def uniform(random: lcg.Random, shape, low: float, high: float) -> torch.Tensor:
    """float32 of `shape` from a grid of 1/1024 steps in [low, high): every value is exact in binary."""
    count = int(np.prod(shape))
    steps = int((high - low) * 1024)
    return torch.tensor([low + random.below(steps) / 1024 for _ in range(count)], dtype=torch.float32).reshape(shape)


def target_of(random: lcg.Random, loss: str, classes: int | None, output_shape) -> torch.Tensor:
    if loss == "cross-entropy":
        return torch.tensor([random.below(classes)])
    low = 0.0 if loss == "binary-cross-entropy" else -1.0
    return uniform(random, output_shape, low, 1.0)


def numbers(tensor: torch.Tensor) -> list[float]:
    return [float(value) for value in tensor.detach().flatten()]


def infer(module: torch.nn.Module, x: torch.Tensor) -> list[float]:
    """The network's output as predict() gives it: with running statistics."""
    was_training = module.training
    module.eval()
    output = numbers(module(x))
    module.train(was_training)
    return output


def calls_of(case: dict, samples: list[tuple], losses: torch.Tensor) -> list[dict]:
    """The calls that one update takes, with the loss that each returns."""
    def record(part, loss):
        x, target = torch.cat([s[0] for s in part]), torch.cat([s[1] for s in part])
        answer = {"labels": target.tolist()} if case["loss"] == "cross-entropy" else {"target": numbers(target)}
        return {"input": numbers(x), **answer, "loss": float(loss.detach())}

    if case["how"] == "batch":
        return [record(samples, losses.mean())]
    return [record([sample], loss) for sample, loss in zip(samples, losses)]


def train(case: dict) -> dict:
    """The record of one case."""
    module, shape, classes = build(case["network"])
    module.train(case["batch_norm"] == "train")
    optimizer_class, arguments, rate, options = OPTIMIZERS[case["optimizer"]]
    optimizer = optimizer_class(module.parameters(), lr=rate, **arguments)
    random = lcg.Random(7)
    probe = uniform(random, (case["size"] if case["how"] == "batch" else 1, *shape[1:]), -1.0, 1.0)
    before = infer(module, probe)
    output_shape = tuple(build(case["network"])[0].eval()(probe[:1]).shape)
    calls = []
    for _ in range(STEPS):
        samples = []
        for _ in range(case["size"]):
            x = uniform(random, shape, -1.0, 1.0)
            samples.append((x, target_of(random, case["loss"], classes, output_shape)))
        inputs, targets = torch.cat([s[0] for s in samples]), torch.cat([s[1] for s in samples])
        losses = LOSSES[case["loss"]](module(inputs), targets, reduction="none").reshape(case["size"], -1).mean(1)
        optimizer.zero_grad()
        losses.mean().backward()
        optimizer.step()
        calls += calls_of(case, samples, losses)
    options = ["--train", "all", "--loss", case["loss"], *options]
    if case["batch_norm"]:
        options += ["--batch-norm", case["batch_norm"]]
    options += {"accumulate": ["--accumulate"], "batch": ["--batch", str(case["size"])]}.get(case["how"], [])
    return {"onnx": case["onnx"], "options": options, "learning_rate": rate, "calls": calls,
            "group": case["size"] if case["how"] == "accumulate" else 0,
            "probe": {"input": numbers(probe), "before": before, "after": infer(module, probe)}}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--case", action="append", help="only this case (may be repeated)")
    parser.add_argument("--list", action="store_true")
    arguments_ = parser.parse_args()
    table = cases()
    if arguments_.list:
        print("\n".join(table))
        sys.exit(0)
    arguments_.out.mkdir(parents=True, exist_ok=True)
    for name in arguments_.case or table:
        (arguments_.out / f"{name}.json").write_text(json.dumps(train(table[name])) + "\n")
