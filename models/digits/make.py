"""Writes digits.onnx (untrained, seeded weights), digits.bin and protocol.h: python models/digits/make.py

The data are the 1,797 digits that scikit-learn brings (test part of the UCI set "Optical Recognition of Handwritten
Digits"). Every fourth digit is for testing.
"""

import pathlib
import sys

import numpy as np
import torch
from sklearn.datasets import load_digits

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from models import onnx_files  # noqa: E402
from models.digits import digits  # noqa: E402


def write_protocol_header() -> None:
    """protocol.h: the numbers of protocol.json for C++."""
    rates = digits.protocol()["learning_rates"]
    lines = ["// The training protocol. Written by make.py from protocol.json; do not edit.",
             "#ifndef TINYTC_MODELS_DIGITS_PROTOCOL_H_", "#define TINYTC_MODELS_DIGITS_PROTOCOL_H_", "",
             "namespace digits {", "",
             f"constexpr int kEpochs = {len(rates)};",
             f"constexpr float kLearningRates[kEpochs] = {{{', '.join(f'{rate}f' for rate in rates)}}};", "",
             "}  // namespace digits", "", "#endif  // TINYTC_MODELS_DIGITS_PROTOCOL_H_"]
    (digits.FOLDER / "protocol.h").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    table = load_digits()
    is_test = np.arange(len(table.target)) % 4 == 3
    digits.write(table.images, table.target, is_test)
    torch.manual_seed(1)
    onnx_files.export(digits.DigitsNet(), torch.zeros(1, 1, 8, 8), digits.FOLDER / "digits.onnx",
                      input_names=("pixels",), output_names=("logits",))
    write_protocol_header()
