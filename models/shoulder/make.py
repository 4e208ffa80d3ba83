"""Makes the shoulder example: trains the network, exports it, writes the sample files and protocol.h.

    python models/shoulder/make.py [--wheel FILE] [--cache FOLDER] [--cross-validate]

Deterministic on one machine: seeded, one thread. Without --wheel the package is downloaded into the cache.
--cross-validate makes no files: it prints the two cross validations that README.md quotes (about 20 minutes).
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys

import numpy as np
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from models import onnx_files, training  # noqa: E402
from models.shoulder import adapt, data, network, samples  # noqa: E402

EPOCHS, BATCH, PEAK_RATE, WEIGHT_DECAY = 15, 64, 2e-3, 1e-3
CANDIDATE_RATES = [rates for rate in (0.001, 0.002, 0.004, 0.006) for epochs in (10, 20)
                   for rates in ([rate] * epochs, [round(rate * (1 - e / epochs), 7) for e in range(epochs)])]
LEGACY = ROOT / "test" / "import" / "data" / "shoulder_legacy.onnx"


def augment(batch: torch.Tensor) -> torch.Tensor:
    """Gain and offset errors of a sensor: each channel times 1 +- 10 %, plus 0.05 g or rad/s (standard deviations)."""
    shape = (len(batch), network.CHANNELS, 1)
    return batch * (1 + 0.1 * torch.randn(shape)) + 0.05 * torch.randn(shape)


def train(recordings, subjects, seed: int = 0) -> network.ShoulderNet:
    """The network trained on `subjects` only."""
    torch.manual_seed(seed)
    inputs, labels = (torch.from_numpy(part) for part in data.training_windows(recordings, subjects))
    module = network.ShoulderNet().train()
    optimizer = torch.optim.AdamW(module.parameters(), lr=PEAK_RATE, weight_decay=WEIGHT_DECAY)
    steps = (len(inputs) + BATCH - 1) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=EPOCHS * steps)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(inputs)).split(BATCH):
            loss = torch.nn.functional.cross_entropy(module(augment(inputs[chosen])), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return module.eval()


def choose_protocol(recordings) -> None:
    """Prints gains of candidate protocols by leave-one-person-out over the training people alone.

    Three networks per person left out and two adaptation seeds each.
    """
    gains: dict = {}
    for left_out in data.TRAINING:
        person = (left_out, *data.person_windows(recordings, left_out))
        for seed in range(3):
            module = train(recordings, [s for s in data.TRAINING if s != left_out], seed)
            for selection in ("last:2", "all"):
                for windows in (2, 3):
                    for rates in CANDIDATE_RATES:
                        candidate = {"train": selection, "windows_per_recording": windows, "learning_rates": rates}
                        result = adapt.evaluate(module, person, candidate, range(2))
                        gains.setdefault(json.dumps(candidate), {}).setdefault(left_out, []).append(result["gain"])
    for candidate, people in gains.items():
        values = [100 * np.mean(of_person) for of_person in people.values()]
        print(f"{np.mean(values):6.1f} points, worst person {min(values):6.1f}   {candidate}")


def leave_one_out(recordings) -> None:
    """Prints the accuracy on each of the ten people of a network trained on the nine others."""
    everyone = sorted({r.subject for r in recordings})
    results = []
    for left_out in everyone:
        module = train(recordings, [s for s in everyone if s != left_out])
        inputs, labels = data.training_windows(recordings, [left_out], step=data.WINDOW)
        results.append(training.accuracy(module, inputs, labels))
        print(f"person {left_out}: {100 * results[-1]:.1f} % of {len(labels)} windows", flush=True)
    print(f"mean {100 * np.mean(results):.1f} %, standard deviation {100 * np.std(results):.1f}")


def write_protocol_header() -> None:
    """protocol.h: the numbers of protocol.json for C++."""
    protocol = samples.protocol()
    rates = protocol["learning_rates"]
    rows = ["    " + " ".join(f"{rate}f," for rate in rates[i:i + 10]) for i in range(0, len(rates), 10)]
    pool = max(len(samples.read(samples.path_of(subject))[0].labels) for subject in data.HELD_OUT)
    lines = ["// The adaptation protocol. Written by make.py from protocol.json; do not edit.",
             "#ifndef TINYTC_MODELS_SHOULDER_PROTOCOL_H_", "#define TINYTC_MODELS_SHOULDER_PROTOCOL_H_", "",
             "namespace shoulder {", "",
             "// The people held out; each adapts with every seed from 0 to kSeeds - 1.",
             f"constexpr int kHeldOut[] = {{{', '.join(map(str, protocol['subjects']))}}};",
             f"constexpr int kSeeds = {protocol['seeds']};",
             f"constexpr int kWindowsPerRecording = {protocol['windows_per_recording']};",
             f"constexpr int kEpochs = {len(rates)};",
             "constexpr float kLearningRates[kEpochs] = {", *rows, "};",
             "// Windows that a person may adapt on, at most.", f"constexpr int kMaxPool = {pool};",
             "// The network is compiled with tinytc --train of this.",
             f"constexpr const char* kTrain = \"{protocol['train']}\";", "",
             "}  // namespace shoulder", "", "#endif  // TINYTC_MODELS_SHOULDER_PROTOCOL_H_"]
    (samples.FOLDER / "protocol.h").write_text("\n".join(lines) + "\n")


def make(recordings) -> None:
    module = train(recordings, data.TRAINING)
    example = torch.zeros(1, network.CHANNELS, network.SAMPLES)
    onnx_files.export(module, example, samples.FOLDER / "shoulder.onnx", input_names=("imu",),
                      output_names=("logits",))
    onnx_files.export(module, example, LEGACY, dynamo=False, input_names=("imu",), output_names=("logits",))
    for subject in data.HELD_OUT:
        samples.write(samples.path_of(subject), subject, *data.person_windows(recordings, subject))
    write_protocol_header()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=pathlib.Path)
    parser.add_argument("--cache", type=pathlib.Path, default=ROOT / "build" / "downloads")
    parser.add_argument("--cross-validate", action="store_true")
    options = parser.parse_args()
    everything = data.load_recordings(options.wheel or data.fetch_wheel(options.cache))
    if options.cross_validate:
        choose_protocol(everything)
        leave_one_out(everything)
    else:
        make(everything)
