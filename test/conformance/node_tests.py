"""Runs ONNX's own node tests through tinytc and compares the results.

    python test/conformance/node_tests.py RUN_MODELS LIST [--report FILE] [--only PART] [--least COUNT]

RUN_MODELS is the program made from run_models.cpp; LIST has one test name a line. Operands that ONNX calls inputs but
tinytc needs while compiling (shapes, axes, pads) become initializers. A test passes, is refused (with a message that
names what is not supported), or fails: wrong numbers, an internal error or a crash. A failure makes the exit code 1, as
do fewer than COUNT passes.
"""

import argparse
import collections
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

# By operator: the inputs that must be known while compiling (OpDef::constant_operands).
OPERANDS = {
    "Clip": (1, 2), "CumSum": (1,), "Dropout": (1, 2), "Expand": (1,), "OneHot": (1,), "Pad": (1, 2, 3),
    "ReduceL1": (1,), "ReduceL2": (1,), "ReduceLogSum": (1,), "ReduceLogSumExp": (1,), "ReduceMax": (1,),
    "ReduceMean": (1,), "ReduceMin": (1,), "ReduceProd": (1,), "ReduceSum": (1,), "ReduceSumSquare": (1,),
    "Reshape": (1,), "Resize": (1, 2, 3), "Slice": (1, 2, 3, 4), "Split": (1,), "Squeeze": (1,), "Tile": (1,),
    "Trilu": (1,), "Unsqueeze": (1,), "Upsample": (1,), "ConstantOfShape": (0,), "Range": (0, 1, 2), "TopK": (1,),
    "CenterCropPad": (1,), "AffineGrid": (1,), "Shape": (0,), "Size": (0,), "EyeLike": (0,),
}  # fmt: skip

# Tests whose numbers tinytc does not give on purpose.
EXCUSED = {
    # Extents are whole before corners are aligned, as onnxruntime and PyTorch have it.
    "test_resize_downsample_scales_linear_align_corners",
    # What they draw at random is not ours; besides, a prediction does not drop anything.
    "test_training_dropout", "test_training_dropout_default", "test_training_dropout_default_mask",
    "test_training_dropout_mask",
}  # fmt: skip


def fix_operands(model, values):
    """Makes the operands in OPERANDS initializers; returns the remaining inputs' values in order."""
    names = {}
    for node in model.graph.node:
        for i in OPERANDS.get(node.op_type, ()):
            if i < len(node.input):
                names[node.input[i]] = True
    rest = []
    for value, info in list(zip(values, model.graph.input)):
        if info.name in names:
            model.graph.initializer.append(numpy_helper.from_array(numpy.asarray(value), info.name))
            model.graph.input.remove(info)
        else:
            rest.append(value)
    return rest


def write_case(case, directory):
    """Writes the first data set of a test; returns the expected outputs."""
    directory.mkdir(parents=True)
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    inputs, outputs = case.data_sets[0]
    for i, value in enumerate(fix_operands(model, inputs)):
        (directory / f"input_{i}.bin").write_bytes(numpy.ascontiguousarray(value).tobytes())
    (directory / "model.onnx").write_bytes(model.SerializeToString())
    return outputs


def difference(directory, expected, rtol, atol):
    """What is wrong with the outputs, or an empty string."""
    loss = directory / "loss.bin"
    for i, want in enumerate(expected):
        want = numpy.asarray(want)
        has_loss = loss.exists()
        if has_loss and i > 0:
            break  # the graph's outputs are then the prediction and others: only the loss is compared
        got = numpy.frombuffer((loss if has_loss else directory / f"output_{i}.bin").read_bytes(), want.dtype)
        if got.size != want.size:
            return f"output {i} has {got.size} elements, not {want.size}"
        if want.dtype.kind == "f":
            close = numpy.isclose(got, want.ravel(), rtol=rtol, atol=atol, equal_nan=True)
        else:
            close = got == want.ravel()
        if not close.all():
            at = int(numpy.argmin(close))
            return f"output {i}, element {at} is {got[at]}, not {want.ravel()[at]}"
    return ""


def judge(case, directory, expected):
    """("pass" | "refused" | "excused" | "FAIL", message)."""
    error = directory / "error.txt"
    if error.exists():
        message = error.read_text(errors="replace")
        return ("FAIL" if message.startswith("internal") else "refused"), message
    # ONNX's own tolerances for these tests.
    message = difference(directory, expected, case.rtol, case.atol)
    if message and case.name in EXCUSED:
        return "excused", message
    return ("FAIL" if message else "pass"), message


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("run_models")
    parser.add_argument("list", type=pathlib.Path)
    parser.add_argument("--report", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--least", type=int, default=0)
    options = parser.parse_args()
    if not options.list.exists():
        print(f"skipped: {options.list} is not there")
        return 0
    wanted = {name for name in options.list.read_text().split() if options.only in name}
    warnings.simplefilter("ignore")
    cases = [case for case in collect_testcases(None) if case.name in wanted and case.model is not None]
    counts = collections.Counter()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        expected = {case.name: write_case(case, root / case.name) for case in cases}
        subprocess.run([options.run_models, *(str(root / case.name) for case in cases)], check=True)
        for case in sorted(cases, key=lambda c: c.name):
            verdict, message = judge(case, root / case.name, expected[case.name])
            counts[verdict] += 1
            first = message.split("\n")[1].strip() if message.startswith("model.onnx:\n") else message.split("\n")[0]
            lines.append(f"{verdict:8}{case.name}  {first}".rstrip())
    if options.report:
        options.report.write_text("\n".join(lines) + "\n")
    print("\n".join(line for line in lines if line.startswith("FAIL")))
    print(f"{counts['pass']} passed, {counts['refused']} refused, {counts['excused']} excused, {counts['FAIL']} failed of {len(cases)}")
    return 1 if counts["FAIL"] or counts["pass"] < options.least else 0


if __name__ == "__main__":
    sys.exit(main())
