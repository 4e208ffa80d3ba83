"""The shoulder-exercise network: two 1-D convolutions and two dense layers, 6,000 weights.

Input [N, 6, 100]: two seconds at 50 Hz of acceleration x, y, z in g and angular rate x, y, z in rad/s, exactly
as the sensor gives them; both are of order one, so no scaling stands before the first layer. Output: seven logits.
No normalization layers and no dropout: a training step at batch 1 on the device computes the same function as
training here did.
"""

import torch
from torch import nn

CHANNELS, SAMPLES, CLASSES = 6, 100, 7
CLASS_NAMES = ("PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW")


class ShoulderNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(CHANNELS, 16, 5, stride=2)   # [16, 48], pooled [16, 24]
        self.conv2 = nn.Conv1d(16, 16, 5)                   # [16, 20], pooled [16, 10]
        self.fc1 = nn.Linear(160, 32)
        self.fc2 = nn.Linear(32, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.max_pool1d(torch.relu(self.conv1(x)), 2)
        x = torch.max_pool1d(torch.relu(self.conv2(x)), 2)
        return self.fc2(torch.relu(self.fc1(torch.flatten(x, 1))))
