"""Writes test/import/data/*.onnx with PyTorch's two exporters (graphs made by hand: handmade.py).

    python test/import/make_models.py

Forms: NAME_dynamo (current exporter), NAME_legacy, NAME_dynamic (symbolic batch), NAME_unoptimized (current exporter
without its optimizer), NAME_training (legacy, training mode), NAME_frozen (legacy, statistics as constants, batch
normalization still a node: the two other forms fold it), loss_NAME (forward graph ending in a loss, with label or
target input).
"""

import pathlib
import sys

import torch
from torch import nn

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "test" / "training"), str(ROOT / "test" / "import")]
import handmade  # noqa: E402
import networks  # noqa: E402
from models import onnx_files  # noqa: E402

DATA = ROOT / "test" / "import" / "data"


class WithLoss(nn.Module):
    """A network followed by a loss: forward(x, target) -> scalar."""

    def __init__(self, body: nn.Module, loss):
        super().__init__()
        self.body, self.loss = body, loss

    def forward(self, x, target):
        return self.loss(self.body(x), target)


def export_forms() -> None:
    for name in networks.NETWORKS:
        for form, options in (("dynamo", {"keep_metadata": name == "cnn_bn"}), ("legacy", {"dynamo": False})):
            onnx_files.export(networks.build(name), networks.example(name), DATA / f"{name}_{form}.onnx",
                              output_names=("output",), **options)
    for name in ("mlp", "depthwise_residual", "transformer"):
        example = networks.example(name).repeat(2, *[1] * (networks.example(name).dim() - 1))
        onnx_files.export(networks.build(name), example, DATA / f"{name}_dynamic.onnx", dynamic_batch=True)
    onnx_files.export(networks.build("mlp"), networks.example("mlp"), DATA / "mlp_legacy_dynamic.onnx", dynamo=False,
                      dynamic_batch=True)
    onnx_files.export(networks.build("mlp"), networks.example("mlp"), DATA / "mlp_opset9.onnx", dynamo=False, opset=9)
    for form, training in (("training", "train"), ("frozen", "preserve")):
        onnx_files.export(networks.build("cnn_bn"), networks.example("cnn_bn"), DATA / f"cnn_bn_{form}.onnx",
                          dynamo=False, mode=training)
    onnx_files.export(networks.build("cnn_bn"), networks.example("cnn_bn").repeat(2, 1, 1, 1),
                      DATA / "cnn_bn_frozen_dynamic.onnx", dynamo=False, mode="preserve", dynamic_batch=True)
    onnx_files.export(networks.build("cnn_bn"), networks.example("cnn_bn"), DATA / "cnn_bn_unoptimized.onnx",
                      optimize=False)


def export_losses() -> None:
    label = torch.zeros(1, dtype=torch.int64)
    for form, dynamo in (("dynamo", True), ("legacy", False)):
        def write(name, module, example):
            onnx_files.export(module, example, DATA / f"loss_{name}_{form}.onnx", dynamo=dynamo,
                              input_names=("input", "target"), output_names=("loss",))
        x = networks.example("mlp")
        write("cross_entropy", WithLoss(networks.build("mlp"), nn.CrossEntropyLoss()), (x, label))
        write("nll", WithLoss(networks.build("mlp"), lambda y, t: nn.functional.nll_loss(
            torch.log_softmax(y, 1), t)), (x, label))
        write("mse", WithLoss(networks.build("mlp"), nn.MSELoss()), (x, torch.zeros(1, 4)))


if __name__ == "__main__":
    DATA.mkdir(parents=True, exist_ok=True)
    export_forms()
    export_losses()
    handmade.write_all(DATA)
    for path in sorted(DATA.glob("*.onnx")):
        print(f"{path.stat().st_size:7d} bytes  {path.name}")
