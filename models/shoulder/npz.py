"""The held-out people's windows as numpy's files, for `tinytc --calibrate` and `--validate`.

    python models/shoulder/npz.py FOLDER

writes FOLDER/calibration.npz (the windows for adaptation, all people together) and FOLDER/held_out.npz (the later ones, with labels).
"""

from __future__ import annotations

import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from models.shoulder import data, samples


def people() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """((inputs, labels) of the windows for adaptation, the same of the later ones) of the people whom the model has never seen."""
    parts = [samples.read(samples.path_of(subject)) for subject in data.HELD_OUT]
    return tuple((np.concatenate([part[i].inputs() for part in parts]), np.concatenate([part[i].labels for part in parts])) for i in (0, 1))


def write(folder: pathlib.Path) -> None:
    (calibration, _), (inputs, labels) = people()
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "calibration.npz", imu=calibration)
    np.savez(folder / "held_out.npz", imu=inputs, labels=labels)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write(pathlib.Path(sys.argv[1]))
