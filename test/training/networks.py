"""Small networks that tests import and train, as PyTorch modules. `build(name)` gives the seeded module.

test/import/make_models.py exports them; test/training/make_reference.py trains them.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class Mlp(nn.Module):
    """Dense 12-16-8-4 with ReLU and Tanh."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(12, 16), nn.Linear(16, 8), nn.Linear(8, 4)

    def forward(self, x):
        return self.fc3(torch.tanh(self.fc2(torch.relu(self.fc1(x)))))


class MlpSigmoid(nn.Module):
    """Dense 12-10-3 with LeakyReLU, ending in probabilities for binary cross entropy."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(12, 10), nn.Linear(10, 3)

    def forward(self, x):
        return torch.sigmoid(self.fc2(F.leaky_relu(self.fc1(x), 0.1)))


class BatchNormCnn(nn.Module):
    """Two convolutions with batch normalization, the second with stride 2 and uneven size. Input [N, 2, 9, 7]."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(2, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.conv2, self.bn2 = nn.Conv2d(6, 8, 3, stride=2), nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 5)
        for norm in (self.bn1, self.bn2):
            nn.init.uniform_(norm.running_mean, -0.3, 0.3)
            nn.init.uniform_(norm.running_var, 0.2, 0.8)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class DepthwiseResidual(nn.Module):
    """Inverted residual blocks as in MobileNet: expand 1x1, depthwise 3x3, project 1x1, add. Input [N, 3, 12, 12]."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.expand1, self.depthwise1, self.project1 = self.block(8, 16, 1)
        self.expand2, self.depthwise2, self.project2 = self.block(8, 16, 1)
        self.fc = nn.Linear(8, 4)

    @staticmethod
    def block(channels, hidden, stride):
        return (nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden),
                nn.Conv2d(hidden, channels, 1))

    def forward(self, x):
        x = F.relu6(self.stem(x))
        x = x + self.project1(F.relu6(self.depthwise1(F.relu6(self.expand1(x)))))
        x = x + self.project2(F.hardswish(self.depthwise2(F.hardswish(self.expand2(x)))))
        return self.fc(x.mean((2, 3)))


class TransformerBlock(nn.Module):
    """Pre-norm transformer block with two heads written out, mean pooling and a classifier. Input [N, 6, 16]."""

    heads, width = 2, 16

    def __init__(self):
        super().__init__()
        self.position = nn.Parameter(0.1 * torch.randn(1, 6, self.width))
        self.norm1, self.norm2 = nn.LayerNorm(self.width), nn.LayerNorm(self.width)
        self.qkv, self.out = nn.Linear(self.width, 3 * self.width), nn.Linear(self.width, self.width)
        self.up, self.down = nn.Linear(self.width, 32), nn.Linear(32, self.width)
        self.fc = nn.Linear(self.width, 3)

    def attention(self, x):
        count, tokens, _ = x.shape
        q, k, v = self.qkv(x).split(self.width, dim=2)
        q, k, v = (t.reshape(count, tokens, self.heads, -1).transpose(1, 2) for t in (q, k, v))
        weights = torch.softmax(q @ k.transpose(2, 3) / (self.width // self.heads) ** 0.5, dim=3)
        return self.out((weights @ v).transpose(1, 2).reshape(count, tokens, self.width))

    def forward(self, x):
        x = x + self.position
        x = x + self.attention(self.norm1(x))
        x = x + self.down(F.gelu(self.up(self.norm2(x))))
        return self.fc(x.mean(1))


class EncoderLayer(nn.Module):
    """PyTorch's own encoder layer: how nn.MultiheadAttention looks after export. Input [N, 5, 8]."""

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation="gelu", batch_first=True)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        return self.fc(self.layer(x).mean(1))


class ConvAutoencoder(nn.Module):
    """1-D convolution down and transposed convolution up. Input and output [N, 3, 16]."""

    def __init__(self):
        super().__init__()
        self.down1, self.down2 = nn.Conv1d(3, 6, 3, stride=2, padding=1), nn.Conv1d(6, 4, 3, stride=2, padding=1)
        self.up1 = nn.ConvTranspose1d(4, 6, 4, stride=2, padding=1)
        self.up2 = nn.ConvTranspose1d(6, 3, 4, stride=2, padding=1)

    def forward(self, x):
        return self.up2(F.elu(self.up1(F.silu(self.down2(F.elu(self.down1(x)))))))


class TiedEmbedding(nn.Module):
    """One weight used twice: encoder and, transposed, decoder. Input and output [N, 10]."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(0.3 * torch.randn(4, 10))
        self.bias = nn.Parameter(torch.zeros(10))

    def forward(self, x):
        return torch.tanh(F.linear(x, self.weight)) @ self.weight + self.bias


# name -> (module class, input shape, classes or None if the target has the output's shape)
NETWORKS = {
    "mlp": (Mlp, (1, 12), 4),
    "mlp_sigmoid": (MlpSigmoid, (1, 12), None),
    "cnn_bn": (BatchNormCnn, (1, 2, 9, 7), 5),
    "depthwise_residual": (DepthwiseResidual, (1, 3, 12, 12), 4),
    "transformer": (TransformerBlock, (1, 6, 16), 3),
    "encoder_layer": (EncoderLayer, (1, 5, 8), 3),
    "autoencoder": (ConvAutoencoder, (1, 3, 16), None),
    "tied": (TiedEmbedding, (1, 10), None),
}


def build(name: str) -> nn.Module:
    """The seeded network: always the weights that the committed files hold.

    Parameters that PyTorch starts at one constant are made as after training. (Its legacy exporter would make
    parameters of equal values one initializer, so that training would tie what the module does not tie.)
    """
    torch.manual_seed(1000 + list(NETWORKS).index(name))
    module = NETWORKS[name][0]()
    for parameter in module.parameters():
        if parameter.numel() > 1 and bool((parameter == parameter.flatten()[0]).all()):
            with torch.no_grad():
                parameter.add_(torch.empty_like(parameter).uniform_(-0.3, 0.3))
    return module


def example(name: str) -> torch.Tensor:
    return torch.zeros(NETWORKS[name][1])
