"""Random layer shapes, family by family, and the layers that they are held against.

How to read it: a Layer is a shape with its amount of work; FAMILIES says how each family is drawn and which layers are its measure:
those of the MLPerf Tiny networks (kws, ic, vww, ad), or typical ones where these networks have none of the kind.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable

MEAN_LIMIT, WORST_LIMIT = 1.5, 3.0  # of the geometric mean and of the worst of a family, in terms of its reference layers
MOST_ELEMENTS = 12_000  # of input and of output
MOST_WORK = 1_000_000  # above, it only takes longer


@dataclasses.dataclass(frozen=True)
class Layer:
    """One operator over `size`: the one or two dimensions of a convolution, pool or element-wise operator, (batch, rows) of a MatMul,
    the rows of a Softmax, nothing for a dense layer (Gemm). pads: begin of each dimension, then end.

    two_inputs: the second operand of MatMul, Add or Mul is an input of the model and no constant.
    """

    op: str
    channels_in: int
    channels_out: int
    size: tuple[int, ...] = ()
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    group: int = 1
    bias: bool = True
    relu: bool = True
    two_inputs: bool = False

    def output_size(self) -> tuple[int, ...]:
        if not self.kernel:
            return self.size
        rank = len(self.size)
        return tuple(
            (self.size[i] + self.pads[i] + self.pads[rank + i] - self.dilation[i] * (self.kernel[i] - 1) - 1) // self.stride[i] + 1
            for i in range(rank)
        )

    def work(self) -> int:
        """Multiply-accumulates (padding counts), of pools the elements under the windows (an average costs one more each), else elements."""
        taps = math.prod(self.kernel)
        each = {
            "Conv": taps * self.channels_in // self.group,
            "Gemm": self.channels_in,
            "MatMul": self.channels_in,
            "AveragePool": taps + 1,
        }
        return math.prod(self.output_size()) * self.channels_out * each.get(self.op, taps)

    def elements(self) -> tuple[int, int]:
        """Of the first input and of the output."""
        return math.prod(self.size) * self.channels_in, math.prod(self.output_size()) * self.channels_out

    def weights(self) -> int:
        """Elements of the constant operand."""
        if self.two_inputs or self.op not in ("Conv", "Gemm", "MatMul"):
            return 0
        return math.prod(self.kernel) * self.channels_in // self.group * self.channels_out

    def __str__(self) -> str:
        """Short, for tables: what differs from the plain layer."""
        by = "x".join
        text = f"{self.op} {self.channels_in}>{self.channels_out} of {by(map(str, self.size)) or '1'}"
        if self.kernel:
            text += f" kernel {by(map(str, self.kernel))} stride {by(map(str, self.stride))} pads {','.join(map(str, self.pads))}"
        if any(d > 1 for d in self.dilation):
            text += f" dilation {by(map(str, self.dilation))}"
        flags = [f"{self.group} groups" if self.group > 1 else "", "relu" if self.relu else "", "two inputs" if self.two_inputs else ""]
        return " ".join([text, *filter(None, flags)])

    def is_usable(self, fewest_work: int) -> bool:
        return min(self.output_size(), default=1) >= 1 and fewest_work <= self.work() <= MOST_WORK and max(self.elements()) <= MOST_ELEMENTS


@dataclasses.dataclass(frozen=True)
class Family:
    """How a kind of layer is drawn. references: its measure. fewest_work: below, the call itself dominates."""

    draw: Callable[[random.Random], Layer]
    references: tuple[Layer, ...]
    int8: bool = False
    fewest_work: int = 20_000
    unit: str = "MAC"


def _convolution(
    draw: random.Random, kernel: tuple[int, ...], channels: tuple[int, int], group: int = 1, longest: int = 28, dilated: bool = True
) -> Layer:
    rank = len(kernel)
    return Layer(
        "Conv",
        *channels,
        size=tuple(draw.randint(3, longest) for _ in range(rank)),
        kernel=kernel,
        stride=tuple(draw.choice((1, 1, 2, 3)) for _ in range(rank)),
        pads=tuple(draw.randint(0, k - 1) for k in kernel * 2),
        dilation=tuple(draw.choice((1, 1, 1, 2)) if dilated else 1 for _ in range(rank)),
        group=group,
        bias=draw.random() < 0.8,
        relu=draw.random() < 0.5,
    )


def _kernel(draw: random.Random, rank: int = 2, smallest: int = 1) -> tuple[int, ...]:
    return tuple(draw.randint(smallest, 7) for _ in range(rank))


def _conv(draw: random.Random, rank: int = 2) -> Layer:
    return _convolution(draw, _kernel(draw, rank), (draw.randint(1, 72), draw.randint(1, 72)), longest=28 if rank == 2 else 200)


def _conv_1x1(draw: random.Random) -> Layer:
    return _convolution(draw, (1, 1), (draw.randint(4, 128), draw.randint(1, 128)))


def _conv_kxk(draw: random.Random) -> Layer:
    kernel = (1, 1)
    while kernel == (1, 1):
        kernel = _kernel(draw)
    return _convolution(draw, kernel, (draw.randint(4, 72), draw.randint(1, 72)))


def _conv_first(draw: random.Random) -> Layer:
    """The first layer of a network: few channels in, never without a window."""
    return _convolution(draw, _kernel(draw, smallest=2), (draw.randint(1, 3), draw.randint(4, 64)), longest=60)


def _conv_grouped(draw: random.Random) -> Layer:
    group = draw.randint(2, 8)
    return _convolution(draw, _kernel(draw), (group * draw.randint(2, 24), group * draw.randint(1, 24)), group)


def _depthwise(draw: random.Random) -> Layer:
    channels = draw.randint(1, 72)
    return _convolution(draw, _kernel(draw), (channels, channels), channels)


def _depthwise_window(draw: random.Random) -> Layer:
    """Windows of at least two taps: with one, nothing is summed, and a layer costs what its outputs cost."""
    layer = _depthwise(draw)
    while layer.kernel == (1, 1):
        layer = _depthwise(draw)
    return layer


def _dense(draw: random.Random) -> Layer:
    return Layer("Gemm", draw.randint(1, 1000), draw.randint(1, 400), bias=draw.random() < 0.8, relu=draw.random() < 0.5)


def _matmul(draw: random.Random) -> Layer:
    size = (draw.choice((1, 1, 2, 4)), draw.randint(2, 48))
    return Layer("MatMul", draw.randint(2, 160), draw.randint(2, 160), size, bias=False, relu=False, two_inputs=draw.random() < 0.5)


def _pool(draw: random.Random, op: str) -> Layer:
    """Windows of at least two elements, most of them without padding as pools have it, some over everything."""
    size = (draw.randint(2, 28), draw.randint(2, 28))
    kernel = size if draw.random() < 0.2 else (1, 1)
    while kernel == (1, 1):
        kernel = (draw.randint(1, 5), draw.randint(1, 5))
    pads = tuple(draw.randint(0, k // 2) if draw.random() < 0.3 else 0 for k in kernel * 2)
    stride = kernel if draw.random() < 0.5 else (draw.randint(1, 3), draw.randint(1, 3))
    channels = draw.randint(1, 96)
    return Layer(op, channels, channels, size, kernel, stride, pads, (1, 1), bias=False, relu=False)


def _two_operands(draw: random.Random, op: str) -> Layer:
    """Element by element, or (one in four) one constant for each channel."""
    channels = draw.randint(1, 96)
    size = (draw.randint(1, 28), draw.randint(1, 28))
    return Layer(op, channels, channels, size, bias=False, relu=draw.random() < 0.5, two_inputs=draw.random() < 0.75)


def _softmax(draw: random.Random) -> Layer:
    channels = draw.randint(2, 200)
    return Layer("Softmax", channels, channels, (draw.randint(1, 40),), bias=False, relu=False)


def square(channels_in: int, channels_out: int, size: int, kernel: int, stride: int = 1, group: int = 1) -> Layer:
    """A convolution as networks have them, padded so that stride 1 keeps the size."""
    return Layer("Conv", channels_in, channels_out, (size, size), (kernel,) * 2, (stride,) * 2, (kernel // 2,) * 4, (1, 1), group)


def window(op: str, channels: int, size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]) -> Layer:
    """A pool without padding."""
    return Layer(op, channels, channels, size, kernel, stride, (0,) * 4, (1, 1), bias=False, relu=False)


def _same(op: str) -> tuple[Layer, ...]:
    """Both operands of the residual additions of ic."""
    return tuple(Layer(op, c, c, (s, s), bias=False, relu=False, two_inputs=True) for c, s in ((16, 32), (32, 16), (64, 8)))


FIRST = (
    Layer("Conv", 1, 64, (49, 10), (10, 4), (2, 2), (4, 1, 5, 1), (1, 1)),  # kws
    square(3, 16, 32, 3),  # ic
    square(3, 8, 96, 3, 2),  # vww
)
KXK = (square(16, 16, 32, 3), square(16, 32, 32, 3, 2), square(32, 32, 16, 3), square(64, 64, 8, 3))  # ic
POINTWISE = (
    Layer("Conv", 64, 64, (25, 5), (1, 1), (1, 1), (0,) * 4, (1, 1)),  # kws
    square(8, 16, 48, 1),  # vww, this and the following
    square(16, 32, 24, 1),
    square(64, 64, 12, 1),
    square(128, 128, 6, 1),
)
DEPTHWISE = (
    Layer("Conv", 64, 64, (25, 5), (3, 3), (1, 1), (1,) * 4, (1, 1), 64),  # kws
    square(16, 16, 24, 3, 2, 16),  # vww, this and the following
    square(32, 32, 12, 3, 1, 32),
    square(128, 128, 6, 3, 1, 128),
)
DENSE = (Layer("Gemm", 640, 128), Layer("Gemm", 128, 128))  # ad
AVERAGE = (
    window("AveragePool", 64, (25, 5), (25, 5), (1, 1)),  # kws
    window("AveragePool", 64, (8, 8), (8, 8), (1, 1)),  # ic
    window("AveragePool", 256, (3, 3), (3, 3), (1, 1)),  # vww
)
# The networks have no max pool: those of small CNNs.
MAXIMUM = (window("MaxPool", 16, (28, 28), (2, 2), (2, 2)), window("MaxPool", 32, (14, 14), (2, 2), (2, 2)), window("MaxPool", 32, (15, 15), (3, 3), (2, 2)))
SOFTMAX = (Layer("Softmax", 12, 12, (1,), bias=False, relu=False), Layer("Softmax", 10, 10, (1,), bias=False, relu=False))  # kws, ic
CONVOLUTIONS = (FIRST[0], POINTWISE[0], FIRST[1], *KXK[1:], POINTWISE[2], POINTWISE[4])

FAMILIES = {
    "conv2d": Family(_conv, CONVOLUTIONS),
    "conv1d": Family(lambda draw: _conv(draw, 1), CONVOLUTIONS),
    "depthwise2d": Family(_depthwise, DEPTHWISE),
    "dense": Family(_dense, DENSE),
    "matmul": Family(_matmul, POINTWISE),
    "max_pool": Family(lambda draw: _pool(draw, "MaxPool"), MAXIMUM, fewest_work=2000, unit="element"),
    "average_pool": Family(lambda draw: _pool(draw, "AveragePool"), AVERAGE, fewest_work=2000, unit="element"),
    "add": Family(lambda draw: _two_operands(draw, "Add"), _same("Add"), fewest_work=500, unit="element"),
    "int8_conv_1x1": Family(_conv_1x1, POINTWISE, True),
    "int8_conv_kxk": Family(_conv_kxk, KXK, True),
    "int8_conv_first": Family(_conv_first, FIRST, True),
    # No network has one. It lies between a window without groups and one with a channel a group, which the networks have.
    "int8_conv_grouped": Family(_conv_grouped, (*KXK, *DEPTHWISE), True),
    "int8_depthwise": Family(_depthwise_window, DEPTHWISE, True),
    "int8_dense": Family(_dense, DENSE, True),
    "int8_matmul": Family(_matmul, POINTWISE, True),
    "int8_max_pool": Family(lambda draw: _pool(draw, "MaxPool"), MAXIMUM, True, 2000, "element"),
    "int8_average_pool": Family(lambda draw: _pool(draw, "AveragePool"), AVERAGE, True, 2000, "element"),
    "int8_add": Family(lambda draw: _two_operands(draw, "Add"), _same("Add"), True, 500, "element"),
    "int8_mul": Family(lambda draw: _two_operands(draw, "Mul"), _same("Mul"), True, 500, "element"),
    "int8_softmax": Family(_softmax, SOFTMAX, True, 10, "element"),
}


def layers(family: str, count: int, seed: int) -> list[Layer]:
    """The family's random layers: the same for the same seed on every machine."""
    draw = random.Random(f"{family} {seed}")
    found: list[Layer] = []
    while len(found) < count:
        layer = FAMILIES[family].draw(draw)
        if layer.is_usable(FAMILIES[family].fewest_work):
            found.append(layer)
    return found
