"""Writes the quantized models of this folder, as exporters other than onnxruntime's quantizer make them.

    python make.py [NAME...]

Needs, beside the project's packages, torchao (0.18) and brevitas (0.13); the tests need neither, as the models are committed. One small
network in every form: convolution, depthwise and 1x1 convolution with ReLU, a residual, average pool, dense layer.
"""

from __future__ import annotations

import pathlib
import sys
import warnings

import onnx
import torch
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
SHAPE = (1, 3, 12, 12)


class Network(nn.Module):
    """conv, relu, quant and linear make the layers, so that each form can bring its own."""

    def __init__(self, conv=nn.Conv2d, relu=nn.ReLU, linear=nn.Linear, begin=nn.Identity, add=nn.Identity):
        super().__init__()
        self.begin = begin()
        self.first, self.first_relu = conv(3, 8, 3, padding=1), relu()
        self.depthwise, self.depthwise_relu = conv(8, 8, 3, padding=1, groups=8), relu()
        self.pointwise, self.add = conv(8, 8, 1), add()
        self.down, self.down_relu = conv(8, 12, 3, stride=2, padding=1), relu()
        self.pool, self.dense = nn.AvgPool2d(3), linear(48, 5)

    def forward(self, x):
        x = self.first_relu(self.first(self.begin(x)))
        x = self.add(x) + self.add(self.pointwise(self.depthwise_relu(self.depthwise(x))))
        x = self.pool(self.down_relu(self.down(x)))
        return self.dense(torch.flatten(x, 1))


def _samples(count: int = 16) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(SHAPE, generator=generator) for _ in range(count)]


def _export(model: nn.Module, path: pathlib.Path, dynamo: bool) -> None:
    torch.onnx.export(model, (_samples(1)[0],), path, dynamo=dynamo, opset_version=18 if dynamo else 17, external_data=False)


def pt2e(path: pathlib.Path, per_channel: bool) -> None:
    """torchao's post-training quantization of an exported program, through torch's current exporter."""
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import X86InductorQuantizer, get_default_x86_inductor_quantization_config
    from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

    if per_channel:
        quantizer = X86InductorQuantizer().set_global(get_default_x86_inductor_quantization_config())
    else:
        quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config())
    prepared = prepare_pt2e(torch.export.export(Network().eval(), (_samples(1)[0],)).module(), quantizer)
    for sample in _samples():
        prepared(sample)
    _export(convert_pt2e(prepared), path, True)


def fake_quantized(path: pathlib.Path) -> None:
    """torch.ao's quantization-aware training, its fake quantization frozen, through torch's old exporter; the current one refuses it."""
    import torch.ao.quantization as quantization

    weight = quantization.FakeQuantize.with_args(
        observer=quantization.MinMaxObserver, quant_min=-128, quant_max=127, dtype=torch.qint8, qscheme=torch.per_tensor_symmetric
    )
    activation = quantization.FakeQuantize.with_args(observer=quantization.MovingAverageMinMaxObserver, quant_min=0, quant_max=255)
    model = Network(begin=quantization.QuantStub)
    model.qconfig = quantization.QConfig(activation=activation, weight=weight)
    prepared = quantization.prepare_qat(model.train())
    for sample in _samples():
        prepared(sample)
    prepared.eval().apply(quantization.disable_observer)
    _export(prepared, path, False)


def brevitas(path: pathlib.Path, per_channel: bool, power_of_two: bool) -> None:
    """Brevitas: QuantizeLinear, Clip, DequantizeLinear."""
    import brevitas.nn as qnn
    from brevitas.export import export_onnx_qcdq
    from brevitas.quant import Int8ActPerTensorFixedPoint, Int8ActPerTensorFloat, Int8Bias, Int8WeightPerTensorFixedPoint, Int8WeightPerTensorFloat
    from brevitas.quant import Uint8ActPerTensorFixedPoint, Uint8ActPerTensorFloat

    act = Int8ActPerTensorFixedPoint if power_of_two else Int8ActPerTensorFloat
    positive = Uint8ActPerTensorFixedPoint if power_of_two else Uint8ActPerTensorFloat
    weights = {"weight_quant": Int8WeightPerTensorFixedPoint if power_of_two else Int8WeightPerTensorFloat, "weight_scaling_per_output_channel": per_channel}

    def conv(*sizes, **options):
        return qnn.QuantConv2d(*sizes, bias=True, **weights, **options)

    def linear(*sizes):
        return qnn.QuantLinear(*sizes, bias=True, output_quant=act, **weights)

    model = Network(conv, lambda: qnn.QuantReLU(act_quant=positive), linear, lambda: qnn.QuantIdentity(act_quant=act), lambda: qnn.QuantIdentity(act_quant=act))
    model.train()
    for sample in _samples():
        model(sample)
    export_onnx_qcdq(model.eval(), args=_samples(1)[0], export_path=str(path), opset_version=17)


MODELS = {
    "pt2e_channels": lambda path: pt2e(path, True),
    "pt2e_tensor": lambda path: pt2e(path, False),
    "fake_quantized_old": fake_quantized,
    "brevitas_tensor": lambda path: brevitas(path, False, False),
    "brevitas_channels": lambda path: brevitas(path, True, False),
    "brevitas_power_of_two": lambda path: brevitas(path, False, True),
}


def main() -> None:
    warnings.simplefilter("ignore")
    for name in sys.argv[1:] or MODELS:
        torch.manual_seed(1)
        path = HERE / f"{name}.onnx"
        MODELS[name](path)
        model = onnx.load(path)
        for node in model.graph.node:  # where the nodes stood in whose source says nothing of the model
            node.doc_string = ""
            del node.metadata_props[:]
        del model.metadata_props[:]
        onnx.save(model, path)
        path.with_suffix(".onnx.data").unlink(missing_ok=True)  # it is inside now
        print(name, path.stat().st_size, sorted({node.op_type for node in model.graph.node}))


if __name__ == "__main__":
    main()
