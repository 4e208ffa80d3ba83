"""The digits example: network, sample file and protocol. Handwritten 8x8 digits, trained from scratch on the device.

Sample file digits.bin, little endian, no padding:
    char[4] "TTCD", u16 version = 1, u16 digits, u16 train, u16 pixels (64)
    u8 label per digit, then u8[8][8] pixels per digit, 0 (white) to 16 (black)
The first `train` digits are for training, the others are for testing.
"""

from __future__ import annotations

import json
import pathlib
import struct

import numpy as np
import torch
from torch import nn

from models import lcg

FOLDER = pathlib.Path(__file__).resolve().parent
SAMPLES = FOLDER / "digits.bin"
HEADER = struct.Struct("<4s4H")


class DigitsNet(nn.Module):
    """Input [N, 1, 8, 8], pixels 0..16; 3x3 convolution to 8 channels, ReLU, max-pooling 2, one dense layer.

    A core without a floating-point unit spends some hundred instructions on each multiply-add, so the network is
    as small as the task allows: 3,312 of them forward, 810 weights.
    """

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)
        self.fc = nn.Linear(8 * 3 * 3, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.max_pool2d(torch.relu(self.conv(x * 0.0625)), 2)
        return self.fc(torch.flatten(x, 1))


def protocol() -> dict:
    """protocol.json: one learning rate per epoch."""
    return json.loads((FOLDER / "protocol.json").read_text())


def write(images: np.ndarray, labels: np.ndarray, is_test: np.ndarray) -> None:
    """Writes SAMPLES: digits where not `is_test` first. images uint8 [n, 8, 8]."""
    order = np.concatenate([np.flatnonzero(~is_test), np.flatnonzero(is_test)])
    header = HEADER.pack(b"TTCD", 1, len(labels), int((~is_test).sum()), 64)
    SAMPLES.write_bytes(header + labels[order].astype("u1").tobytes() + images[order].astype("u1").tobytes())


def read() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """((inputs, labels) for training, the same for testing); inputs float32 [n, 1, 8, 8]."""
    content = SAMPLES.read_bytes()
    magic, version, count, train, pixels = HEADER.unpack_from(content)
    if magic != b"TTCD" or version != 1 or len(content) != HEADER.size + count * (1 + pixels):
        raise ValueError(f"{SAMPLES}: not a sample file of version 1")
    labels = np.frombuffer(content, "u1", count, HEADER.size)
    images = np.frombuffer(content, "u1", count * pixels, HEADER.size + count).reshape(count, 1, 8, 8)
    inputs = images.astype(np.float32)
    return (inputs[:train], labels[:train]), (inputs[train:], labels[train:])


def orders(count: int, seed: int, protocol_: dict) -> list[list[int]]:
    """For each epoch the order of the `count` training digits: one list, shuffled again before each epoch."""
    random = lcg.Random(seed)
    order = list(range(count))
    result = []
    for _ in protocol_["learning_rates"]:
        random.shuffle(order)
        result.append(list(order))
    return result
