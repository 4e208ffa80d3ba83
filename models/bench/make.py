"""Writes the benchmark networks beside this script: python models/bench/make.py"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from models import onnx_files  # noqa: E402
from models.bench import networks  # noqa: E402

if __name__ == "__main__":
    folder = pathlib.Path(__file__).resolve().parent
    for name in networks.NETWORKS:
        module, example = networks.build(name)
        onnx_files.export(module, example, folder / f"{name}.onnx", output_names=("logits",))
        print(name, (folder / f"{name}.onnx").stat().st_size, "bytes")
