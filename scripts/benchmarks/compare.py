"""Sets two result files against each other."""

from __future__ import annotations

from .measure import FIGURES

TOLERATED_PERCENT = 2  # what is at most this much worse is not reported as worse


def change(before: float, after: float) -> float:
    """Relative change; a figure that was 0 and is no longer counts as doubled."""
    if before == 0:
        return 0.0 if after == 0 else 1.0
    return after / before - 1


def compare(before: dict, after: dict) -> tuple[list[str], list[str]]:
    """(lines to print, those of them that report something worse). Cases that vanished count as worse, new ones do not."""
    lines, worse = [], []
    for name in sorted({*before["cases"], *after["cases"]}):
        if name not in after["cases"] or name not in before["cases"]:
            line = f"{name}: only in the {'first' if name in before['cases'] else 'second'} file"
            lines.append(line)
            if name in before["cases"]:
                worse.append(line)
            continue
        old, new = before["cases"][name], after["cases"][name]
        for figure in FIGURES:
            if figure not in old or figure not in new or old[figure] is None or new[figure] is None:
                continue
            ratio = change(old[figure], new[figure])
            if ratio == 0:
                continue
            line = f"{name:<24} {figure:<14} {old[figure]:>14,} -> {new[figure]:>14,}  {100 * ratio:+8.2f} %"
            if 100 * new[figure] > (100 + TOLERATED_PERCENT) * old[figure]:
                line += "  WORSE"
                worse.append(line)
            lines.append(line)
    return lines, worse
