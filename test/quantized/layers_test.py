"""Every layer of quantized models by itself, on onnxruntime's own inputs of that layer: at most one step off, and on less than 1 % of the values.

    python test/quantized/layers_test.py [Static|Exported|Published]

Exit code 77: onnx, onnxruntime or the reference networks (../shared/models) are missing.
"""

from __future__ import annotations

import pathlib
import sys
import tempfile
import unittest

try:
    import numpy as np
    import onnx

    import layers
    import made
    from quantized_support import EXPORTERS, SHARED, emit, emitted_support, host_call
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

# Of a layer's values over all samples; the largest that occur are 0.2 % (docs/quantization.md says where they come from).
SHARE = 0.01
# Of the range of an output that is no stored number: what sums in another order may differ by in single precision.
REAL = 1e-5


class Case:
    """A model, its layers, and how they differ."""

    def __init__(self, title: str, model: onnx.ModelProto, samples: list[np.ndarray]):
        self.title, self.model, self.samples = title, model, samples
        (self.input,) = [entry.name for entry in layers.inputs_of(model.graph)]
        self.cut = layers.cut(model, {self.input: samples[0]})
        self.makes = [layer.name for layer in self.cut.layers]
        self.session = layers.session_of(layers.with_outputs(model, list(dict.fromkeys(self.cut.reads + self.makes))))
        self.off, self.total, self.worst = (np.zeros(len(self.makes)) for _ in range(3))

    def values(self, sample: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """What onnxruntime's layers read, and what they make of it."""
        value = dict(zip([output.name for output in self.session.get_outputs()], self.session.run(None, {self.input: sample})))
        return [value[name] for name in self.cut.reads], [value[name] for name in self.makes]

    def compare(self, got: list[np.ndarray], wanted: list[np.ndarray]) -> None:
        for i, (ours, theirs) in enumerate(zip(got, wanted)):
            distance = np.abs(ours.astype(np.float64) - theirs)
            if theirs.dtype == np.float32:
                distance = np.where(distance > REAL * np.ptp(theirs), np.inf, 0)
            self.off[i] += (distance != 0).sum()
            self.total[i] += distance.size
            self.worst[i] = max(self.worst[i], distance.max(initial=0))


def split(values: list, cases: list[Case]) -> list[list]:
    """A joined model's outputs by case."""
    result, first = [], 0
    for case in cases:
        result.append(values[first : first + len(case.makes)])
        first += len(case.makes)
    return result


class Layers(unittest.TestCase):
    def check(self, cases: list[Case]) -> None:
        """Models of one version of the operator set are compiled together: the compiler's start costs more than a layer."""
        versions = {str(case.model.opset_import): [] for case in cases}
        for case in cases:
            versions[str(case.model.opset_import)].append(case)
        for group in versions.values():
            self.run_layers(group)
        for case in cases:
            print(f"{case.title}: {len(case.makes)} layers, at most {(case.off / case.total).max():.3%} of a layer's values differ")
            for i, layer in enumerate(case.cut.layers):
                with self.subTest(case.title, layer=layer):
                    self.assertLessEqual(case.worst[i], 1)
                    self.assertLess(case.off[i] / case.total[i], SHARE)

    def run_layers(self, cases: list[Case]) -> None:
        with tempfile.TemporaryDirectory(prefix="tinytc-layers-") as folder:
            path = pathlib.Path(folder) / "layers.onnx"
            onnx.save(layers.join([case.cut for case in cases]), path)
            # All kernels give the same bits (test/runtime); the host has memory for the inputs and outputs of all layers at once.
            predict = host_call(emit(path, "--planner-effort", "0", target="host"))
        for samples in zip(*(case.samples for case in cases)):
            reads, makes = zip(*(case.values(sample) for case, sample in zip(cases, samples)))
            got = predict([x for read in reads for x in read], [y for made_ in makes for y in made_])
            for case, ours, theirs in zip(cases, split(got, cases), makes):
                case.compare(ours, theirs)


def normal(shape: list[int]) -> list[np.ndarray]:
    """100 samples: small layers have few values, and one of them in 50 must not be 1 %."""
    random = np.random.default_rng(5)
    return [random.standard_normal(shape).astype(np.float32) for _ in range(100)]


class Static(Layers):
    """onnxruntime's static quantizer, QDQ and QOperator."""

    def check_form(self, form: str) -> None:
        with tempfile.TemporaryDirectory(prefix="tinytc-made-") as folder:
            models = {name: onnx.load(made.write(name, form, pathlib.Path(folder))) for name in made.NETWORKS}
        self.check([Case(f"{name}, {form}", model, normal(made.NETWORKS[name]().shape)) for name, model in models.items()])

    def test_forms(self):
        for form in made.FORMS:
            self.check_form(form)


class PowersOfTwo(Layers):
    """Scales that are powers of two, where sums lie halfway between stored numbers often: ties go to even as in ONNX."""

    def check_form(self, form: str, weight_bits: int) -> None:
        with tempfile.TemporaryDirectory(prefix="tinytc-made-") as folder:
            models = {name: made.with_powers_of_two(onnx.load(made.write(name, form, pathlib.Path(folder))), weight_bits) for name in made.TIES}
        cases = [Case(f"{name}, {form}, {weight_bits} bits", model, normal(made.TIES[name]().shape)) for name, model in models.items()]
        self.check(cases)
        for case in cases:
            self.check_exact(case)

    def test_forms(self):
        for form in ("int8", "int8_tensor", "uint8_channels"):
            self.check_form(form, 8)

    def test_weights_of_few_bits(self):
        """As Brevitas exports them; without ties to even, up to 5.6 % of a layer's values differ."""
        self.check_form("int8", 4)

    def check_exact(self, case: Case) -> None:
        """Layers with weights have ties that are rare and go up, and Softmax has an arithmetic of its own; all others agree in every value."""
        for i, layer in enumerate(case.cut.layers):
            if not {"Conv", "ConvTranspose", "Gemm", "MatMul", "Softmax"} & set(layer.ops):
                with self.subTest(case.title, layer=layer):
                    self.assertEqual(case.off[i], 0)


class Exported(Layers):
    """PyTorch's and Brevitas's forms (exporters/make.py)."""

    def test_forms(self):
        self.check([Case(path.stem, onnx.load(path), normal([1, 3, 12, 12])) for path in sorted(EXPORTERS.glob("*.onnx"))])


class Published(Layers):
    """MLPerf Tiny's networks."""

    def test_networks(self):
        folder = SHARED / "mlperf_tiny"
        if not folder.is_dir():
            self.skipTest("../shared/models is not there")
        samples = {name: np.load(folder / f"{name}_io.npz")["inputs"] for name in ("kws", "ic", "vww", "ad")}
        self.check([Case(name, onnx.load(folder / f"{name}_int8.onnx"), [x[None] for x in inputs]) for name, inputs in samples.items()])


if __name__ == "__main__":
    emitted_support.main()
