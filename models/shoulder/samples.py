"""Sample files: one person's windows as firmware and tests read them, and the order in which a device sees them.

`sequence` here and `shoulder::Sequence` in samples.h give the same order; a test compares them.

File layout, little endian, no padding:
    char[4] "TTCW", u16 version = 1, u16 subject, u16 windows, u16 pool, u16 channels, u16 samples
    f32[channels]  unit of one count (g for channels 0-2, rad/s for 3-5)
    windows times  u8 label, u8 recording, u16 first sample of the window in its recording
    windows times  i16[channels][samples] counts
The first `pool` windows may be used for adaptation, the others are for testing. Windows are ordered by recording
and time within each of the two parts.
"""

from __future__ import annotations

import json
import pathlib
import struct

import numpy as np

from models import lcg
from models.shoulder import data

HEADER = struct.Struct("<4s6H")
WINDOW = struct.Struct("<BBH")
FOLDER = pathlib.Path(__file__).resolve().parent


def path_of(subject: int) -> pathlib.Path:
    return FOLDER / "samples" / f"subject_{subject:02d}.bin"


def write(path: pathlib.Path, subject: int, pool: data.Windows, test: data.Windows) -> None:
    """Writes one person's file."""
    counts = np.concatenate([pool.counts, test.counts])
    out = [HEADER.pack(b"TTCW", 1, subject, len(counts), len(pool.counts), *counts.shape[1:]),
           data.SCALES.astype("<f4").tobytes()]
    for part in (pool, test):
        out += [WINDOW.pack(*map(int, row)) for row in zip(part.labels, part.recordings, part.starts)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(out) + counts.astype("<i2").tobytes())


def read(path: pathlib.Path) -> tuple[data.Windows, data.Windows]:
    """(pool, test) of a sample file; ValueError if it is not one."""
    content = path.read_bytes()
    magic, version, _, windows, pool, channels, samples = HEADER.unpack_from(content)
    expected = HEADER.size + 4 * channels + windows * (WINDOW.size + 2 * channels * samples)
    if magic != b"TTCW" or version != 1 or len(content) != expected:
        raise ValueError(f"{path}: not a sample file of version 1")
    offset = HEADER.size + 4 * channels
    rows = np.array([WINDOW.unpack_from(content, offset + i * WINDOW.size) for i in range(windows)])
    counts = np.frombuffer(content, "<i2", offset=offset + windows * WINDOW.size).reshape(windows, channels, samples)
    parts = (slice(0, pool), slice(pool, windows))
    return tuple(data.Windows(counts[p], rows[p, 0], rows[p, 1], rows[p, 2]) for p in parts)


def protocol() -> dict:
    """protocol.json: what the device does, in numbers."""
    return json.loads((FOLDER / "protocol.json").read_text())


def sequence(pool: data.Windows, subject: int, seed: int, per_recording: int, epochs: int) -> list[int]:
    """Indices into the pool in the order of the device's training steps.

    From each recording in turn `per_recording` windows are drawn (shuffle, take the first); then each epoch
    shuffles the drawn windows again and visits all.
    """
    random = lcg.Random(subject * 1000 + seed)
    drawn: list[int] = []
    for recording in range(int(pool.recordings.max()) + 1):
        own = [i for i in range(len(pool.labels)) if pool.recordings[i] == recording]
        random.shuffle(own)
        drawn += own[:per_recording]
    order: list[int] = []
    for _ in range(epochs):
        random.shuffle(drawn)
        order += drawn
    return order
