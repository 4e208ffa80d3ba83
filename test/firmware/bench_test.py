"""scripts/bench with a stand-in for tinytc that emits a small model of known cost: measuring, checking, comparing."""

import dataclasses
import json
import os
import pathlib
import stat
import struct
import subprocess
import sys
import unittest
import unittest.mock

from emulation_support import ROOT, EmulationTest

import emulation  # noqa: E402
from benchmarks import cases, compare, firmware, layers, measure, sweep  # noqa: E402



def has_numpy() -> bool:
    try:
        import numpy  # noqa: F401
    except ImportError:
        return False
    return True


HEADER = """
#include <cstddef>
#include <cstdint>
namespace model {
struct Info { static constexpr std::size_t input_elements = 8, output_elements = 2; };
class Model {
 public:
  void init() noexcept;
  float* input() noexcept { return arena_; }
  const float* output() const noexcept { return arena_ + 8; }
  void predict() noexcept;
  float train_step(const float* x, std::int32_t label, float learning_rate) noexcept;
 private:
  float arena_[10] = {};
};
}
"""
SOURCE = """
#include "model.h"
namespace model {
namespace { const float weights[64] = {WEIGHT, 2}; }
void Model::init() noexcept { arena_[9] = weights[63]; }
void Model::predict() noexcept {
  volatile float stack[100];
  for (int i = 0; i < 100; ++i) stack[i] = weights[i % 64];
  arena_[8] = arena_[0] + stack[0] + stack[1];
  arena_[9] = arena_[1];
}
float Model::train_step(const float* x, std::int32_t label, float rate) noexcept { arena_[9] += rate; return x[label] + arena_[9]; }
}
"""
STAND_IN = """#!{python}
import pathlib, sys
out = pathlib.Path(sys.argv[sys.argv.index("-o") + 1])
if "--fail" in sys.argv:
    sys.exit("no such operator")
assert sys.argv[sys.argv.index("--name") + 1] == "model"
out.mkdir(parents=True)
(out / "model.h").write_text({header!r})
(out / "model.cpp").write_text({source!r})
"""


class Bench(EmulationTest):
    def setUp(self):
        super().setUp()
        self.stand_in = self.folder / "tinytc"
        self.write_stand_in("1")
        os.environ["TINYTC"] = str(self.stand_in)
        self.addCleanup(os.environ.pop, "TINYTC")
        onnx = self.folder / "model.onnx"
        onnx.write_bytes(b"not read by the stand-in")
        # onnxruntime cannot read it: check_outputs is tested by itself
        self.case = cases.Case("small", onnx, kind="train", reference=1000)

    def write_stand_in(self, weight: str, number: str = "float"):
        header, source = (text.replace("WEIGHT", weight).replace("float", number) for text in (HEADER, SOURCE))
        self.stand_in.write_text(STAND_IN.format(python=sys.executable, header=header, source=source))
        self.stand_in.chmod(self.stand_in.stat().st_mode | stat.S_IEXEC)

    def test_figures(self):
        result = measure.measure(self.case)
        self.assertEqual(result["sizeof_model"], 40)
        self.assertTrue(result["same_as_host"])
        self.assertGreater(result["instructions"], 5)
        self.assertLess(result["instructions"], 40)
        self.assertGreaterEqual(result["cycles"], result["instructions"])
        self.assertLess(result["stack"], 64)
        self.assertEqual(result["ram"], 40 + result["stack"])
        self.assertEqual(measure.problems(self.case, result), [])

    def test_prediction(self):
        with unittest.mock.patch.object(measure, "_reference_outputs", return_value=[60 / 64 + 3, 94 / 64]):
            result = measure.measure(dataclasses.replace(self.case, kind="predict"))
        self.assertEqual(result["relative_error"], 0)
        self.assertEqual(result["flash_weights"], 256)
        self.assertGreaterEqual(result["stack"], 400)
        self.assertLess(result["stack"], 464)
        # 100 rounds of load, store and loop
        self.assertGreater(result["instructions"], 400)
        self.assertLess(result["instructions"], 1200)

    def test_wrong_output_is_a_problem(self):
        with unittest.mock.patch.object(measure, "_reference_outputs", return_value=[60 / 64 + 3, 95 / 64]):
            case = dataclasses.replace(self.case, kind="predict")
            result = measure.measure(case)
        self.assertAlmostEqual(result["relative_error"], (1 / 64) / (60 / 64 + 3 - 95 / 64))
        self.assertRegex(measure.problems(case, result)[0], "differs from onnxruntime")

    @unittest.skipUnless(has_numpy(), "numpy is not installed here")
    def test_samples(self):
        """An int8 model is held against all samples, on the board."""
        import numpy

        self.write_stand_in("1", "std::int8_t")
        inputs = [firmware.input_bytes(8, seed) for seed in (1, 2, 3)]
        outputs = [[(x[0] + 3 + 128) % 256 - 128, x[1]] for x in inputs]
        case = dataclasses.replace(self.case, kind="predict", samples=self.folder / "samples.npz", tolerance=1)
        for last, steps, problems in ((0, 0, 0), (1, 1, 0), (2, 2, 1)):
            numpy.savez(case.samples, inputs=inputs, outputs_onnx=[*outputs[:2], [outputs[2][0], outputs[2][1] + last]])
            result = measure.measure(case)
            self.assertEqual(result["steps_off"], steps)
            self.assertEqual(len(measure.problems(case, result)), problems)
        numpy.savez(case.samples, inputs=[inputs[1], inputs[0]], outputs_onnx=outputs[:2])
        with self.assertRaisesRegex(measure.BenchError, "sample 0 is not what the program fills in"):
            measure.measure(case)

    def test_limits(self):
        result = measure.measure(self.case)
        tight = dataclasses.replace(self.case, limits={"sizeof_model": 39, "cycles": 10**9})
        self.assertEqual(measure.problems(tight, result), ["sizeof_model 40 is over 39"])

    def test_refusal_of_the_compiler_is_reported(self):
        with self.assertRaisesRegex(measure.BenchError, "no such operator"):
            measure.measure(dataclasses.replace(self.case, options=("--fail",)))

    def test_inputs_agree_with_the_firmware(self):
        self.assertEqual(firmware.input_bytes(8), [60, 94, -127, -76, 12, 94, -58, -114])
        self.assertEqual(measure._numbers("3f800000 -12"), [struct.unpack(">f", b"\x3f\x80\0\0")[0], -12.0])

    def test_compare(self):
        old = {"cases": {"a": {"cycles": 1000, "stack": 100}, "gone": {"cycles": 1}}}
        new = {"cases": {"a": {"cycles": 1021, "stack": 50}, "fresh": {"cycles": 9}}}
        lines, worse = compare.compare(old, new)
        self.assertEqual(len(lines), 4)
        self.assertEqual(len(worse), 2)
        self.assertIn("+2.10 %", worse[0])
        self.assertIn("gone", worse[1])
        self.assertEqual(compare.compare(old, old), ([], []))
        new["cases"] = {"a": {"cycles": 1020, "stack": 100}, "gone": {"cycles": 1}}
        self.assertEqual(compare.compare(old, new)[1], [])  # exactly 2 % is still allowed

    def test_command_line(self):
        def run(*arguments) -> subprocess.CompletedProcess:
            command = [sys.executable, str(ROOT / "scripts" / "bench"), *map(str, arguments)]
            return subprocess.run(command, capture_output=True, text=True)

        self.assertIn("kws_float", run("--list").stdout)
        self.assertEqual(run("no_such_case").returncode, 2)
        for name, cycles in (("old", 100), ("new", 110)):
            (self.folder / f"{name}.json").write_text(json.dumps({"cases": {"a": {"cycles": cycles}}}))
        done = run("--compare", self.folder / "old.json", self.folder / "new.json")
        self.assertEqual(done.returncode, 1)
        self.assertIn("+10.00 %  WORSE", done.stdout)
        self.assertEqual(run("--compare", self.folder / "new.json", self.folder / "old.json").returncode, 0)

    def test_int8_cases_carry_the_promises(self):
        """The limits are promises: spelled out here once more, so that they cannot drift."""
        known = {case.name: case.limits for case in cases.CASES}
        self.assertEqual({k: round(v) for k, v in known["kws_int8"].items()}, {"cycles": 3_522_256, "ram": 13_000})
        self.assertEqual({k: round(v) for k, v in known["ic_int8_speed"].items()}, {"cycles": 9_566_905, "ram": 46_000, "flash_code": 16_384})
        self.assertEqual({k: round(v) for k, v in known["vww_int8_speed"].items()}, {"ram": 44_000, "flash_code": 20_480})
        self.assertEqual({k: round(v) for k, v in known["ad_int8_size"].items()}, {"flash_code": 4096})
        self.assertEqual({k: round(v) for k, v in known["vww_int8_m55"].items()}, {"instructions": 2_295_273})
        self.assertEqual({k: round(v) for k, v in known["ic_int8_m0plus"].items()}, {"instructions": 63_413_375})
        self.assertEqual(known["kws_int8_riscv"], {})

    def test_cases_are_well_formed(self):
        names = [case.name for case in cases.CASES]
        self.assertEqual(len(names), len(set(names)))
        for case in cases.CASES:
            self.assertTrue(set(case.limits) <= set(measure.FIGURES), case.name)
            self.assertIn(case.compared, measure.FIGURES)
            emulation.load_target(case.target)
            if ROOT / "models" in case.model.parents:
                self.assertTrue(pathlib.Path(case.model).exists(), case.model)


def has_onnx() -> bool:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError:
        return False
    return True


class Sweep(EmulationTest):
    def test_layers_are_seeded(self):
        for family, kind in layers.FAMILIES.items():
            with self.subTest(family):
                self.assertEqual(layers.layers(family, 50, 1), layers.layers(family, 50, 1))
                self.assertNotEqual(layers.layers(family, 50, 1), layers.layers(family, 50, 2))
                self.assertTrue(all(layer.is_usable(kind.fewest_work) for layer in layers.layers(family, 50, 1)))

    def test_shapes_vary(self):
        for family in ("conv2d", "int8_conv_kxk", "int8_depthwise"):
            drawn = layers.layers(family, 200, 1)
            self.assertEqual({k for layer in drawn for k in layer.kernel}, set(range(1, 8)))
            self.assertEqual({s for layer in drawn for s in layer.stride}, {1, 2, 3})
            self.assertTrue(any(layer.channels_in % 2 for layer in drawn))
            self.assertTrue(any(max(layer.pads) > 2 for layer in drawn))
            self.assertTrue(any(not layer.bias for layer in drawn))
        self.assertEqual({layer.channels_in for layer in layers.layers("int8_conv_first", 200, 1)}, {1, 2, 3})
        self.assertTrue(all(layer.group > 1 for layer in layers.layers("int8_conv_grouped", 200, 1)))

    @unittest.skipUnless(has_onnx(), "onnx and onnxruntime are not installed here")
    def test_models_have_the_shape_of_the_layer(self):
        """and, in int8, outputs that use their range, without which a comparison would say nothing."""
        import numpy
        import onnxruntime

        from benchmarks import layer_models

        for family, kind in layers.FAMILIES.items():
            for layer in [*kind.references, *layers.layers(family, 5, 3)]:
                with self.subTest(f"{family} {layer}"):
                    path = self.folder / "layer.onnx"
                    layer_models.to_onnx(layer, kind.int8, path, 5)
                    expected = sweep._expected(layer, path)
                    self.assertEqual(expected.size, layer.elements()[1])
                    self.assertEqual(expected.dtype, numpy.int8 if kind.int8 else numpy.float32)
                    if kind.int8:
                        self.assertGreater(len(numpy.unique(expected)), 3)
                    self.assertEqual(len(onnxruntime.InferenceSession(str(path)).get_inputs()), 1 + layer.two_inputs)

    def test_work(self):
        self.assertEqual(layers.DENSE[0].work(), 81_920)
        self.assertEqual(layers.FIRST[0].work(), 320_000)  # kws's first layer: 25 x 5 x 40 x 64
        self.assertEqual(layers.FIRST[1].work(), 442_368)  # ic's
        self.assertEqual(layers.DEPTHWISE[0].work(), 72_000)
        self.assertEqual(layers.AVERAGE[1].work(), 64 * 65)
        self.assertEqual(layers._same("Add")[0].work(), 16_384)
        self.assertEqual(layers.Layer("MatMul", 7, 5, (2, 3)).work(), 210)

    def test_batches_fit_the_board(self):
        big = [(n, layers.Layer("Gemm", 1000, 1000)) for n in range(5)]
        self.assertEqual([len(b) for b in sweep.batches(big, True)], [2, 2, 1])
        self.assertEqual(sum(sweep.batches(big, False), []), big)
        self.assertEqual([len(b) for b in sweep.batches([(0, layers.SOFTMAX[0])] * 120, True)], [50, 50, 20])

    def test_problems_are_found(self):
        good = {"cycles_per_mac": 2.0, "relative_error": 0.0, "same_as_host": True, "layer": ""}
        rows = [good, good, {**good, "relative_error": 1e-6}, {**good, "cycles_per_mac": 9.0}, {**good, "relative_error": 1e-4, "same_as_host": False}]
        with unittest.mock.patch.object(sweep, "measure_batch", side_effect=lambda *_: rows):
            result = sweep.sweep("dense", 3, 1, "nrf52840", lambda text: None)
        self.assertEqual(result["base"], 2.0)
        self.assertEqual(result["worst"], 4.5)
        self.assertEqual(len(result["problems"]), 4)  # two mismatches, the mean, the worst

    def test_stored_numbers_may_be_one_step_off_now_and_then(self):
        good = {"same_as_host": True, "steps_off": 1, "share_off": 0.01, "layer": ""}
        self.assertEqual(sweep._mismatches("int8_dense", [good]), [])
        self.assertEqual(len(sweep._mismatches("int8_dense", [good, {**good, "share_off": 0.02}])), 1)
        self.assertEqual(len(sweep._mismatches("int8_dense", [{**good, "steps_off": 2}])), 1)

    @unittest.skipUnless(has_onnx() and (ROOT / "build" / "tinytc").exists(), "needs onnx, onnxruntime and build/tinytc")
    def test_small_sweep(self):
        """From the drawing to the figures, on the board."""
        for family in ("int8_add", "max_pool", "int8_conv_1x1"):
            result = sweep.sweep(family, 2, 1, "nrf52840", lambda text: None)
            self.assertEqual(sweep._mismatches(family, result["layers"]), [])
            self.assertEqual(len(result["layers"]), 2)
            self.assertGreater(result["mean"], 0.2)


if __name__ == "__main__":
    unittest.main()
