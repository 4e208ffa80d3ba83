"""The three networks with which the AIfES training benchmarks are measured, as PyTorch modules.

All end in logits; the loss (softmax cross entropy) is added by the compiler. Weights are seeded and random: a
training step costs the same whatever the weights are.
"""

import torch
from torch import nn


class Mlp(nn.Module):
    """Fully connected layers of the given widths with ReLU between them. Input [N, widths[0]]."""

    def __init__(self, *widths: int):
        super().__init__()
        pairs = list(zip(widths, widths[1:]))
        self.count = len(pairs)
        for index, (inputs, outputs) in enumerate(pairs):
            self.add_module(f"fc{index + 1}", nn.Linear(inputs, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for index in range(1, self.count):
            x = torch.relu(getattr(self, f"fc{index}")(x))
        return getattr(self, f"fc{self.count}")(x)


class Cnn(nn.Module):
    """conv 8@3x3 - ReLU - maxpool 2 - conv 16@3x3 - ReLU - maxpool 2 - dense 10. Input [N, 1, 28, 28]."""

    def __init__(self, padding: int):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=padding)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=padding)
        side = 7 if padding else 5
        self.fc = nn.Linear(16 * side * side, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = torch.max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.fc(torch.flatten(x, 1))


# file name -> (constructor, input shape)
NETWORKS = {
    "mlp_784_32_10": (lambda: Mlp(784, 32, 10), (1, 784)),
    "mlp_13_64_64_6": (lambda: Mlp(13, 64, 64, 6), (1, 13)),
    "cnn_28x28": (lambda: Cnn(0), (1, 1, 28, 28)),
    "cnn_28x28_padded": (lambda: Cnn(1), (1, 1, 28, 28)),
}


def build(name: str) -> tuple[nn.Module, torch.Tensor]:
    """The seeded network `name` and an example input of its shape."""
    constructor, shape = NETWORKS[name]
    torch.manual_seed(1)
    return constructor(), torch.zeros(shape)
