"""Writes docs/benchmarks.md from docs/benchmarks.json.

How to read it: `collect` makes one set of results from several result files, `render` writes the page. What is promised comes from
cases.py and layers.py, what was measured from the results alone, so a page never shows a figure that was not stored.
"""

from __future__ import annotations

import json
import pathlib

from .cases import CASES, ROOT, Case
from .layers import FAMILIES, MEAN_LIMIT, WORST_LIMIT
from .plain import RATIO_LIMIT

RESULTS, PAGE = ROOT / "docs" / "benchmarks.json", ROOT / "docs" / "benchmarks.md"
SHOWN_WORST = 3  # layers of a family in the table of cliffs

INTRODUCTION = """# Benchmarks

<!-- Written by `scripts/bench --page` from benchmarks.json; changes belong there or into scripts/benchmarks/. -->

What the emitted code needs on emulated boards, what other engines need for the same networks, and what this project promises.

{summary}

## How it is measured

* Counts, not times: QEMU 7.2 executes the firmware, a plugin counts instructions and estimates Cortex-M4 cycles at zero wait states from the manual's
  timing table ([emulation.md](emulation.md)). The counts are the same on every machine. On other cores the estimate does not hold, so instructions are compared.
* One prediction through `input()`, `predict()`, `output()`, or one training step with batch 1; the second or a later run counts.
* The other engines were measured with the same plugin on the same boards: TFLite Micro with CMSIS-NN at its default flags and onnx2c at `-O2 -funroll-loops`,
  the faster of their settings each; AIfES in float32 for training. arm-none-eabi-gcc 12.2 throughout; tinytc's code is compiled with `-O2`, with `--prefer size`
  with `-Os`.
* RAM is `sizeof(Model)` and the deepest stack of the call; TFLite Micro's is arena, other static memory and stack. Code is everything in flash but weights and
  tables. 1 KB of code is 1,024 bytes.
* int8 networks are checked on the board, with eight samples each, against onnxruntime's outputs: kws, vww and ad must be the same bit for bit, ic within 12 steps.
  Float networks agree with onnxruntime to 1e-5 of the range, and to the bit with the same code on the host.
* Networks: MLPerf Tiny's reference networks (kws, ic, vww, ad); the training networks of `models/bench/`.

Repeat it with `scripts/bench --json results.json`, `scripts/bench --sweep --json sweep.json`, `scripts/bench --plain --json plain.json`; then
`scripts/bench --page results.json sweep.json plain.json` writes this page.
"""

# Heading, name of the other engine, cases whose names end so, figures shown.
SECTIONS = [
    ("int8 inference on a Cortex-M4 (nRF52840)", "TFLite Micro", ("_int8", "_int8_speed", "_int8_size"), ("cycles", "ram", "flash_code")),
    ("int8 inference on other cores", "TFLite Micro", ("_m7", "_m55", "_m33", "_m3", "_m0plus", "_riscv"), ("instructions",)),
    ("float32 inference on a Cortex-M4F", "onnx2c", ("_float",), ("cycles", "ram", "sizeof_model", "stack")),
    ("A training step on a Cortex-M4F (nRF52840), batch 1", "AIfES", ("_sgd", "_adam"), ("cycles", "ram", "flash_code")),
]
UNITS = {"cycles": "cycles", "instructions": "instructions", "ram": "RAM, bytes", "flash_code": "code, bytes", "sizeof_model": "sizeof(Model), bytes",
         "stack": "stack, bytes"}  # fmt: skip


def _shortened(row: dict) -> dict:
    """A family's result without its 200 layers: the worst ones, and how many of all differ from the host or onnxruntime."""
    if "count" in row:
        return row
    worst = sorted(row["layers"], key=lambda layer: -layer["cycles_per_mac"])[:SHOWN_WORST]
    return {
        **{key: row[key] for key in ("base", "mean", "worst", "unit", "problems")},
        "count": len(row["layers"]),
        "worst_layers": [[layer["layer"], layer["cycles_per_mac"]] for layer in worst],
    }


def collect(files: list[pathlib.Path]) -> dict:
    """The results of all files; of what several hold, the last one's."""
    results: dict = {"version": 1, "cases": {}, "plain": {}, "sweep": {}}
    for path in files:
        data = json.loads(path.read_text())
        results["cases"].update(data.get("cases", {}))
        results["plain"].update(data.get("plain", {}))
        results["sweep"].update({name: _shortened(row) for name, row in data.get("sweep", {}).items()})
    return results


def _verdict(value: float, limit: float | None) -> str:
    return "" if limit is None else "yes" if value <= limit else "**no**"


def _rows(case: Case, result: dict | None, figures: tuple[str, ...]) -> list[list[str]]:
    """case, figure, tinytc, other engine, share, allowed, kept."""
    others = {**case.others, case.compared: case.reference}
    rows = []
    for figure in figures:
        other, limit = others.get(figure), case.limits.get(figure)
        if other is None and limit is None and figure != case.compared:
            continue
        value = result.get(figure) if result else None
        share = f"{value / other:.3f}" if value is not None and other else ""
        allowed = "" if limit is None else f"{limit:,.0f}" + (f" ({limit / other:.2f})" if other else "")
        shown = "not measured" if value is None else f"{value:,}"
        kept = "**not measured**" if value is None and limit is not None else "" if value is None else _verdict(value, limit)
        rows.append([f"`{case.name}`", UNITS[figure], shown, f"{other:,}" if other else "", share, allowed, kept])
    return rows


def _wrong(case: Case, result: dict | None) -> list[str]:
    """What is wrong with the outputs themselves."""
    if result is None:
        return []
    found = []
    if result.get("same_as_host") is False:
        found.append(f"`{case.name}`: board and host differ")
    if (result.get("steps_off") or 0) > case.tolerance:
        found.append(f"`{case.name}`: outputs differ by {result['steps_off']} steps, allowed {case.tolerance}")
    if (result.get("relative_error") or 0) > 1e-5:
        found.append(f"`{case.name}`: outputs differ by {result['relative_error']:.1e} of the range, allowed 1e-5")
    return found


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def _case_sections(results: dict) -> tuple[list[str], list[list[str]]]:
    """(the sections, their rows with a promise)."""
    parts, promises = [], []
    for heading, other, suffixes, figures in SECTIONS:
        chosen = [case for case in CASES if case.name.endswith(suffixes)]
        rows = [row for case in chosen for row in _rows(case, results["cases"].get(case.name), figures)]
        promises += [row for row in rows if row[6]]
        parts.append(f"## {heading}\n\n" + _table(["case", "figure", "tinytc", other, "share", "allowed (share)", "kept"], rows))
    return parts, promises


def _plain_section(results: dict) -> tuple[str, list[list[str]]]:
    rows = [
        [f"`{name}`", f"{row['packed']:,}", f"{row['plain']:,}", f"{row['plain'] / row['packed']:.2f}", f"{RATIO_LIMIT}", _verdict(row["plain"] / row["packed"], RATIO_LIMIT)]
        for name, row in sorted(results["plain"].items())
    ]
    text = "## Weights that can be trained\n\nA tensor that is trained later stays in ONNX's plain order. Cortex-M4 cycles of such layers, against packed weights.\n\n"
    return text + _table(["layer", "packed", "plain", "ratio", "allowed", "kept"], rows), rows


def _sweep_section(results: dict) -> tuple[str, list[list[str]]]:
    rows, cliffs = [], []
    for family, kind in FAMILIES.items():
        row = results["sweep"].get(family)
        if row is None:
            rows.append([f"`{family}`", "", "", "not measured", "", "", "**not measured**"])
            continue
        mismatches = sum("#" in problem for problem in row["problems"])
        kept = "yes" if not row["problems"] else "**no**"
        rows.append([f"`{family}`", str(row["count"]), f"{row['base']:.2f} a {kind.unit}", f"{row['mean']:.2f}", f"{row['worst']:.2f}", str(mismatches), kept])
        if row["worst"] > WORST_LIMIT:
            cliffs += [f"* `{family}`: {layer}: {cycles:.2f}" for layer, cycles in row["worst_layers"]]
    text = (
        "## Random shapes\n\n200 random shapes of each kind of layer, Cortex-M4 cycles by multiply-accumulate (of pools and sums: by element) in terms of the same kind of layer in\n"
        "MLPerf Tiny's networks (max pools: in typical networks; `int8_conv_grouped`: in windows without groups and with one channel a group, between which it lies,\n"
        f"as no network has one). Allowed: mean {MEAN_LIMIT}, worst {WORST_LIMIT}, no mismatch with host or onnxruntime.\n"
        "Left out are layers so small that the call dominates (below 20,000 multiply-accumulates; pools 2,000 and sums 500 elements, softmax 10), larger ones than\n"
        "12,000 elements in or out or 1,000,000 multiply-accumulates, and windows of one element in pools and int8 depthwise layers: they sum nothing, so that all of\n"
        "their time is what an output costs. The layers are compiled for an STM32L4R5, the same core with twice the flash: some float ones have more than 1 MB of weights.\n\n"
    )
    text += _table(["family", "shapes", "reference, cycles", "mean", "worst", "mismatches", "kept"], rows)
    return text + ("\n\nThe worst shapes of the families that miss the limit, cycles each:\n\n" + "\n".join(cliffs) if cliffs else ""), rows


def render(results: dict) -> str:
    """The page."""
    sections, promises = _case_sections(results)
    plain, plain_rows = _plain_section(results)
    sweep, sweep_rows = _sweep_section(results)
    verdicts = [row[-1] for row in [*promises, *plain_rows, *sweep_rows]]
    missed = [f"* {row[0]}, {row[1]}: {row[2]}, allowed {row[5]}" for row in promises if row[6] == "**no**"]
    missed += [f"* plain weights of {row[0]}: {row[3]}, allowed {row[4]}" for row in plain_rows if row[5] == "**no**"]
    missed += [f"* random shapes of {row[0]}: mean {row[3]}, worst {row[4]}, {row[5]} mismatches" for row in sweep_rows if row[6] == "**no**"]
    missed += [f"* {text}" for case in CASES for text in _wrong(case, results["cases"].get(case.name))]
    unknown = verdicts.count("**not measured**")
    summary = f"**{verdicts.count('yes')} of {len(verdicts)} promises are kept, {len(missed)} are not" + (f", {unknown} were not measured" if unknown else "") + ".**"
    if missed:
        summary += " Not kept:\n\n" + "\n".join(missed)
    return "\n\n".join([INTRODUCTION.format(summary=summary).rstrip(), *sections, plain, sweep]) + "\n"


def write(files: list[pathlib.Path]) -> None:
    """Takes the results of the files into docs/benchmarks.json, if there are any, and writes the page from it."""
    if files:
        RESULTS.write_text(json.dumps(collect([*([RESULTS] if RESULTS.exists() else []), *files]), indent=1, sort_keys=True) + "\n")
    PAGE.write_text(render(json.loads(RESULTS.read_text())))
