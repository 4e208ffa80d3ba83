"""Random layer shapes: does every shape compute the right thing, and is none much slower than its neighbours?

How to read it: a Layer is a shape with its multiply-accumulates; `families` draws them, `to_onnx` writes one as a model of its own,
`sweep` measures all of a family together with the layers of that family in the MLPerf Tiny networks, which are the measure: the
geometric mean of cycles per multiply-accumulate may be 1.5 times theirs, and the worst 3 times.

Inputs and outputs of convolutions are channels-last, with Transposes around the layer as the networks have them, so that what is
measured is the layer and not a change of layout.
"""

from __future__ import annotations

import dataclasses
import math
import pathlib
import random
import tempfile
from collections.abc import Callable

from . import measure
from .cases import Case

MEAN_LIMIT, WORST_LIMIT = 1.5, 3.0
FEWEST_MACS, MOST_MACS = 20_000, 1_000_000  # below, the call itself dominates; above, it only takes longer
MOST_ELEMENTS = 12_000  # of input and of output: 48 KB each


@dataclasses.dataclass(frozen=True)
class Layer:
    """A convolution over `size` (one or two dimensions), or with an empty size a dense layer. pads: begin of each dimension, then end."""

    channels_in: int
    channels_out: int
    size: tuple[int, ...] = ()
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    depthwise: bool = False
    bias: bool = True
    relu: bool = True

    def output_size(self) -> tuple[int, ...]:
        rank = len(self.size)
        return tuple(
            (self.size[i] + self.pads[i] + self.pads[rank + i] - self.dilation[i] * (self.kernel[i] - 1) - 1) // self.stride[i] + 1
            for i in range(rank)
        )

    def macs(self) -> int:
        """Nominal multiply-accumulates: padding counts."""
        inputs = 1 if self.depthwise else self.channels_in
        return math.prod(self.output_size()) * math.prod(self.kernel) * inputs * self.channels_out

    def is_usable(self) -> bool:
        elements = (math.prod(self.size) * self.channels_in, math.prod(self.output_size()) * self.channels_out)
        return min(self.output_size(), default=1) >= 1 and FEWEST_MACS <= self.macs() <= MOST_MACS and max(elements) <= MOST_ELEMENTS


def _convolution(draw: random.Random, rank: int, depthwise: bool) -> Layer:
    kernel = tuple(draw.randint(1, 7) for _ in range(rank))
    channels = draw.randint(1, 72)
    return Layer(
        channels_in=channels,
        channels_out=channels if depthwise else draw.randint(1, 72),
        size=tuple(draw.randint(3, 28 if rank == 2 else 200) for _ in range(rank)),
        kernel=kernel,
        stride=tuple(draw.choice((1, 1, 2, 3)) for _ in range(rank)),
        pads=tuple(draw.randint(0, k - 1) for k in kernel * 2),
        dilation=tuple(draw.choice((1, 1, 1, 2)) for _ in range(rank)),
        depthwise=depthwise,
        bias=draw.random() < 0.8,
        relu=draw.random() < 0.5,
    )


def _dense(draw: random.Random) -> Layer:
    return Layer(draw.randint(1, 1000), draw.randint(1, 400), bias=draw.random() < 0.8, relu=draw.random() < 0.5)


def _square(channels_in: int, channels_out: int, size: int, kernel: int, stride: int = 1, depthwise: bool = False) -> Layer:
    pad = kernel // 2
    return Layer(channels_in, channels_out, (size, size), (kernel,) * 2, (stride,) * 2, (pad,) * 4, (1, 1), depthwise)


DRAW: dict[str, Callable[[random.Random], Layer]] = {
    "conv2d": lambda draw: _convolution(draw, 2, False),
    "conv1d": lambda draw: _convolution(draw, 1, False),
    "depthwise2d": lambda draw: _convolution(draw, 2, True),
    "dense": _dense,
}

# Layers of the MLPerf Tiny networks kws, ic, vww and ad; one-dimensional convolutions are held against two-dimensional ones.
_CONVOLUTIONS = [
    Layer(1, 64, (49, 10), (10, 4), (2, 2), (4, 1, 5, 1), (1, 1)),  # kws, first
    Layer(64, 64, (25, 5), (1, 1), (1, 1), (0,) * 4, (1, 1)),  # kws
    _square(3, 16, 32, 3),  # ic, first
    _square(16, 32, 32, 3, 2),  # ic
    _square(32, 32, 16, 3),  # ic
    _square(64, 64, 8, 3),  # ic
    _square(16, 32, 24, 1),  # vww
    _square(128, 128, 6, 1),  # vww
]
REFERENCES: dict[str, list[Layer]] = {
    "conv2d": _CONVOLUTIONS,
    "conv1d": _CONVOLUTIONS,
    "depthwise2d": [
        Layer(64, 64, (25, 5), (3, 3), (1, 1), (1,) * 4, (1, 1), True),  # kws
        _square(16, 16, 24, 3, 2, True),  # vww
        _square(32, 32, 12, 3, 1, True),  # vww
        _square(128, 128, 6, 3, 1, True),  # vww
    ],
    "dense": [Layer(640, 128), Layer(128, 128)],  # ad
}


def layers(family: str, count: int, seed: int) -> list[Layer]:
    """The family's random layers: the same for the same seed on every machine."""
    draw = random.Random(f"{family} {seed}")
    found: list[Layer] = []
    while len(found) < count:
        layer = DRAW[family](draw)
        if layer.is_usable():
            found.append(layer)
    return found


def to_onnx(layer: Layer, path: pathlib.Path, seed: int) -> None:
    """Writes the layer as a model with random weights in [-1, 1) / sqrt(inputs of a sum)."""
    import numpy
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    values = numpy.random.default_rng(seed)
    rank = len(layer.size)
    inputs = 1 if layer.depthwise else layer.channels_in
    shape = (layer.channels_out, inputs, *layer.kernel)
    scale = 1 / math.sqrt(inputs * math.prod(layer.kernel))
    weights = [("w", values.uniform(-scale, scale, shape)), ("b", values.uniform(-1, 1, layer.channels_out))]
    used = [numpy_helper.from_array(v.astype(numpy.float32), n) for n, v in weights if n == "w" or layer.bias]
    names = [t.name for t in used]
    nodes, last = [], "x"
    if rank > 0:
        forward, back = [0, rank + 1, *range(1, rank + 1)], [0, *range(2, rank + 2), 1]
        nodes.append(helper.make_node("Transpose", ["x"], ["first"], perm=forward))
        attributes = {"strides": layer.stride, "pads": layer.pads, "dilations": layer.dilation}
        group = layer.channels_in if layer.depthwise else 1
        nodes.append(helper.make_node("Conv", ["first", *names], ["sum"], "layer", group=group, **attributes))
    else:
        nodes.append(helper.make_node("Gemm", ["x", *names], ["sum"], "layer", transB=1))
    last = "sum"
    if layer.relu:
        nodes.append(helper.make_node("Relu", [last], ["rectified"]))
        last = "rectified"
    if rank > 0:
        nodes.append(helper.make_node("Transpose", [last], ["last"], perm=back))
        last = "last"
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *layer.size, layer.channels_in])
    y = helper.make_tensor_value_info(last, TensorProto.FLOAT, [1, *layer.output_size(), layer.channels_out])
    graph = helper.make_graph(nodes, "layer", [x], [y], used)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def measure_layer(layer: Layer, seed: int, target: str) -> dict:
    """cycles per multiply-accumulate and the relative error against onnxruntime."""
    with tempfile.TemporaryDirectory(prefix="tinytc-sweep-") as folder:
        path = pathlib.Path(folder) / "layer.onnx"
        to_onnx(layer, path, seed)
        result = measure.measure(Case("layer", path, target), with_host=False)
    return {"layer": dataclasses.asdict(layer), "cycles_per_mac": result["cycles"] / layer.macs(), "relative_error": result["relative_error"]}


def geometric_mean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def sweep(family: str, count: int, seed: int, target: str, say: Callable[[str], None]) -> dict:
    """Measures a family. "problems" of the result is empty when all is well."""
    references = [measure_layer(layer, seed, target)["cycles_per_mac"] for layer in REFERENCES[family]]
    base = geometric_mean(references)
    say(f"{family}: MLPerf Tiny layers {base:.2f} cycles/MAC ({', '.join(f'{r:.2f}' for r in references)})")
    rows, problems = [], []
    for index, layer in enumerate(layers(family, count, seed)):
        row = measure_layer(layer, seed + index, target)
        rows.append(row)
        if row["relative_error"] is None or row["relative_error"] > 1e-5:
            problems.append(f"{family} #{index}: error {row['relative_error']} of the range: {layer}")
        if (index + 1) % 20 == 0:
            say(f"  {index + 1} of {count}")
    each = [row["cycles_per_mac"] for row in rows]
    mean, worst = geometric_mean(each) / base, max(each) / base
    say(f"{family}: mean {mean:.2f}x, worst {worst:.2f}x of the MLPerf Tiny layers")
    for row in sorted(rows, key=lambda r: -r["cycles_per_mac"])[:5]:
        say(f"  {row['cycles_per_mac']:.2f} cycles/MAC: {row['layer']}")
    if mean > MEAN_LIMIT:
        problems.append(f"{family}: the geometric mean is {mean:.2f}x, allowed {MEAN_LIMIT}x")
    if worst > WORST_LIMIT:
        problems.append(f"{family}: the worst is {worst:.2f}x, allowed {WORST_LIMIT}x")
    return {"base": base, "mean": mean, "worst": worst, "layers": rows, "problems": problems}
