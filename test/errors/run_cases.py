"""Bad input through the program: run_cases.py TINYTC.

Every folder beside this file that holds a model.txt is a case (test/import/errors_test.cpp says what is in it): tinytc must print
expected.txt on standard error, nothing else, end with exit code 1 and write no file. Damage, other files, unusable output folders and
hostile names follow below; what a hostile name leads to must compile.
"""

import os
import pathlib
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

import onnx
from onnx import TensorProto, helper, numpy_helper
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / "import" / "data"
SECONDS = 20  # a run that takes longer hangs: they take well under one
HOSTILE = {
    "comment": "*/ #error \"escaped\" /*",
    "line_comment": "a\\\n#error escaped",
    "quotes": "\"'\\\"; #error",
    "newlines": "a\n#error escaped\r\n#error again",
    "keyword": "class",
    "digits": "1st/weight:0",
    "trigraph": "??/\n#error escaped",
    "empty": "",
    "unicode": "\u6f22\U0001f600\u202e" * 410,  # 4 KB
}


def hostile_model(name: str) -> onnx.ModelProto:
    """x -> Gemm -> Relu -> Gemm -> y, in which `name` is part of every name."""
    weights = [numpy_helper.from_array(np.full(shape, 0.25, np.float32), name + suffix)
               for suffix, shape in (("w1", (4, 3)), ("b1", (4,)), ("w2", (2, 4)), ("b2", (2,)))]
    nodes = [helper.make_node("Gemm", [name + "x", name + "w1", name + "b1"], [name + "h"], name + "n1", transB=1),
             helper.make_node("Relu", [name + "h"], [name + "r"], name + "n2"),
             helper.make_node("Gemm", [name + "r", name + "w2", name + "b2"], [name + "y"], name + "n3", transB=1)]
    graph = helper.make_graph(nodes, name + "g", [helper.make_tensor_value_info(name + "x", TensorProto.FLOAT, [1, 3])],
                              [helper.make_tensor_value_info(name + "y", TensorProto.FLOAT, [1, 2])], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10, producer_name=name)


class Case(unittest.TestCase):
    def setUp(self):
        self.holder = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.holder.name)
        self.out = self.folder / "out"

    def tearDown(self):
        self.holder.cleanup()

    def run_tinytc(self, *arguments, out=None, target=("--target", "host")):
        command = [TINYTC, *map(str, arguments), *target, "-o", str(out or self.out)]
        return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=SECONDS)

    def check_refused(self, result, code=1):
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertTrue(result.stderr.startswith("tinytc: "), result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertFalse(self.out.exists(), "something was written")

    def test_cases(self):
        cases = sorted(path.parent for path in HERE.glob("*/model.txt"))
        self.assertGreater(len(cases), 20)
        for case in cases:
            with self.subTest(case.name):
                model = onnx.parser.parse_model((case / "model.txt").read_text())
                (self.folder / "model.onnx").write_bytes(model.SerializeToString())
                options = case / "options.txt"
                words = shlex.split(options.read_text()) if options.exists() else []
                result = self.run_tinytc(self.folder / "model.onnx", *words)
                self.check_refused(result)
                self.assertEqual(result.stderr, "tinytc: " + (case / "expected.txt").read_text())

    def test_damaged_files(self):
        original = (DATA / "cnn_bn_legacy.onnx").read_bytes()
        draw = random.Random(7)
        model = self.folder / "model.onnx"
        for size in (0, 1, len(original) // 2, len(original) - 1):
            with self.subTest(size=size):
                model.write_bytes(original[:size])
                self.check_refused(self.run_tinytc(model))
        for number in range(40):  # test/import/fuzz_test.cpp does a thousand without starting a program for each
            damaged = bytearray(original)
            for _ in range(8):
                damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
            model.write_bytes(damaged)
            out = self.folder / f"out{number}"
            with self.subTest(number=number):
                result = self.run_tinytc(model, out=out)
                self.assertIn(result.returncode, (0, 1), result.stderr)
                self.assertEqual(result.returncode == 0, out.exists())

    def test_other_files(self):
        self.check_refused(self.run_tinytc(self.folder / "absent.onnx"))
        self.check_refused(self.run_tinytc(self.folder))
        (self.folder / "model.onnx").write_bytes(b"PK\x03\x04" + bytes(100))
        self.check_refused(self.run_tinytc(self.folder / "model.onnx"))

    def test_output_folder_that_cannot_be(self):
        (self.folder / "file").write_text("in the way")
        result = self.run_tinytc(DATA / "mlp_legacy.onnx", out=self.folder / "file" / "out")
        self.check_refused(result)
        self.assertIn("file/out", result.stderr)
        result = self.run_tinytc(DATA / "mlp_legacy.onnx", out=self.folder / "file")
        self.check_refused(result)
        self.assertEqual((self.folder / "file").read_text(), "in the way")
        loop = self.folder / "loop"
        loop.symlink_to(loop)
        private = self.folder / "private"  # shuts out whoever is not root
        private.mkdir(mode=0)
        for folder in (loop, loop / "out", self.folder / ("n" * 300), *([private / "out"] if os.geteuid() != 0 else [])):
            with self.subTest(folder.name[:10]):
                result = self.run_tinytc(DATA / "mlp_legacy.onnx", out=folder)
                self.check_refused(result)
                self.assertIn("cannot be written: ", result.stderr)
        private.chmod(0o700)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["file", "loop", "private"])

    def test_input_that_cannot_be_looked_at(self):
        loop = self.folder / "loop.onnx"
        loop.symlink_to(loop)
        for path in (loop, self.folder / ("n" * 300 + ".onnx")):
            result = self.run_tinytc(path)
            self.check_refused(result)
            self.assertIn("cannot be read: ", result.stderr)
        (self.folder / "folder.yaml").mkdir()
        for path, why in (("folder.yaml", "is a folder"), ("absent.yaml", "cannot read")):
            result = self.run_tinytc(DATA / "mlp_legacy.onnx", "--target-file", self.folder / path, target=())
            self.check_refused(result)
            self.assertIn(why, result.stderr)

    def test_target_files_that_compilers_refuse(self):
        """What only Clang knows is refused with file and line; what GCC says against its flags stands in the report."""
        original = (HERE.parents[1] / "targets" / "nrf52840.yaml").read_text()
        target = self.folder / "mine.yaml"
        line = 1 + original[:original.index("clang: {")].count("\n")
        for old, new, why in (("triple: thumbv7em-unknown-none-eabihf", "triple: foo-bar-baz", "unknown target triple 'foo-bar-baz'"),
                              ("cpu: cortex-m4,", "cpu: cortex-zz,", "unknown target CPU 'cortex-zz'"),
                              ("triple: thumbv7em-unknown-none-eabihf, cpu: cortex-m4", "triple: aarch64-unknown-none-elf, cpu: cortex-a53", "no code generator")):
            self.assertIn(old, original)
            target.write_text(original.replace(old, new))
            result = self.run_tinytc(DATA / "mlp_legacy.onnx", "--target-file", target, target=())
            self.check_refused(result)
            self.assertIn(f"mine.yaml:{line}: compiler.clang: ", result.stderr)
            self.assertIn(why, result.stderr)
        target.write_text(original.replace("-mcpu=cortex-m4", "-mcpu=cortex-bogus"))
        result = self.run_tinytc(DATA / "mlp_legacy.onnx", "--target-file", target, target=())
        self.assertEqual(result.returncode, 0, result.stderr)
        if shutil.which("arm-none-eabi-g++"):
            self.assertRegex(result.stdout, r"Clang's estimate -O2 \(the target's compiler cannot say: .*cortex-bogus")

    def test_hostile_names(self):
        for kind, name in HOSTILE.items():
            with self.subTest(kind):
                model = self.folder / "model.onnx"
                model.write_bytes(hostile_model(name).SerializeToString())
                out = self.folder / kind
                for arguments in ([], ["--train", "all", "--loss", "mse"]):
                    result = self.run_tinytc(model, *arguments, out=out)
                    self.assertEqual(result.returncode, 0, result.stderr)
                    source = next(out.glob("*.cpp"))
                    compiled = subprocess.run(["g++", "-std=gnu++14", "-Wall", "-Wextra", "-Werror", "-trigraphs", "-fsyntax-only", source],
                                              capture_output=True, text=True)
                    self.assertEqual(compiled.returncode, 0, compiled.stderr[:2000])

    def test_model_file_named_like_a_kernel(self):
        path = self.folder / "gemm_row.onnx"  # the kernel of its own layers
        path.write_bytes(hostile_model("m").SerializeToString())
        result = self.run_tinytc(path)
        self.assertEqual((0, ""), (result.returncode, result.stderr))
        subprocess.run(["g++", "-fsyntax-only", str(self.out / "gemm_row.cpp")], check=True)

    def test_model_files_named_like_the_c_library(self):
        """They get a name of their own; beside every standard header their files compile, also where -I finds them first."""
        names = ("time", "string", "log", "stdint", "size_t", "errno", "class")
        for name in names:
            shutil.copy(DATA / "mlp_legacy.onnx", self.folder / f"{name}.onnx")
            self.assertEqual(self.run_tinytc(self.folder / f"{name}.onnx", "--train", "all", "--loss", "mse").returncode, 0, name)
        self.assertEqual(sorted(path.stem for path in self.out.glob("*.h")), sorted(f"model_{name}" for name in names))
        model = onnx.parser.parse_model('<ir_version: 8, opset_import: ["" : 21]> g (float[1,4] errno, float[1,4] I) => (float[1,4] EOF) { EOF = Add(errno, I) }')
        (self.folder / "macros.onnx").write_bytes(model.SerializeToString())
        self.assertEqual(self.run_tinytc(self.folder / "macros.onnx").returncode, 0)
        headers = "cassert cctype cerrno cfenv cfloat cinttypes climits clocale cmath complex csetjmp csignal cstdarg cstdio cstdlib cstring ctime cwchar"
        text = "".join(f"#include <{header}>\n" for header in headers.split()) + "using namespace std;\n"
        main = self.folder / "main.cpp"
        main.write_text(text + "".join(f'#include "model_{name}.h"\n' for name in names) + '#include "macros.h"\n')
        for source in (main, *self.out.glob("*.cpp")):
            compiled = subprocess.run(["g++", "-std=gnu++17", "-Wall", "-Wextra", "-Werror", "-I", self.out, "-fsyntax-only", source],
                                      capture_output=True, text=True)
            self.assertEqual(compiled.returncode, 0, compiled.stderr[:2000])
        result = self.run_tinytc(DATA / "mlp_legacy.onnx", "--name", "time", out=self.folder / "other")
        self.assertEqual(result.returncode, 2)
        self.assertIn("--name time: time.h would hide <time.h>", result.stderr)


if __name__ == "__main__":
    TINYTC = sys.argv.pop(1)
    unittest.main()
