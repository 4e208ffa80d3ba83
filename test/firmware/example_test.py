"""Builds the example firmware (example/) with the installed CMake package and runs it on the emulated board.

    python test/firmware/example_test.py BUILD_FOLDER      (the folder where tinytc was built)

Checks that it runs, that a second build does nothing, and that a changed model is compiled again.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from emulation_support import ROOT

BUILD = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ROOT / "build")


def run(*command) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr  # the emulator prints for the firmware on the error stream


class Example(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tinytc-example-")
        self.addCleanup(folder.cleanup)
        root = pathlib.Path(folder.name)
        # A path with a space: what users have.
        self.source, self.build, self.prefix = root / "my firmware", root / "build", root / "installed"
        shutil.copytree(ROOT / "test" / "firmware" / "example", self.source)
        run("cmake", "--install", BUILD, "--prefix", self.prefix)

    def configure(self) -> None:
        toolchain = self.source / "arm-none-eabi.cmake"
        run("cmake", "-S", self.source, "-B", self.build, "-GNinja", f"-DCMAKE_TOOLCHAIN_FILE={toolchain}",
            f"-DCMAKE_PREFIX_PATH={self.prefix}")

    def run_firmware(self) -> str:
        return run("qemu-system-arm", "-M", "mps2-an386", "-display", "none", "-monitor", "none", "-serial", "none",
                   "-semihosting-config", "enable=on,target=native", "-kernel", self.build / "firmware")

    def test_builds_runs_and_follows_the_model(self):
        self.configure()
        run("cmake", "--build", self.build)
        output = self.run_firmware()
        self.assertIn("loss after ten steps", output)
        self.assertIn("checkpoint restored", output)

        self.assertIn("no work to do", run("cmake", "--build", self.build))

        first = (self.build / "tinytc" / "firmware" / "gesture.cpp").read_text()
        shutil.copy(ROOT / "test" / "import" / "data" / "shoulder_legacy.onnx", self.source / "gesture.onnx")
        (self.source / "gesture.onnx").touch()
        self.assertIn("Compiling gesture.onnx", run("cmake", "--build", self.build))
        self.assertNotEqual(first, (self.build / "tinytc" / "firmware" / "gesture.cpp").read_text())

    def test_a_bad_model_stops_the_build_and_leaves_nothing(self):
        (self.source / "gesture.onnx").write_bytes(b"no model")
        self.configure()
        with self.assertRaises(AssertionError):
            run("cmake", "--build", self.build)
        self.assertFalse((self.build / "tinytc" / "firmware" / "gesture.cpp").exists())

    def test_names_are_those_of_the_command_line(self):
        models = ("class.onnx", "main.onnx", "9lives.onnx", "\u00e9.onnx", "foo.bar.onnx", "time.onnx", "plain.onnx")
        names = ("model_class", "model_main", "model_9lives", "model_", "foo_bar", "model_time", "plain")
        for model in models:
            shutil.copy(ROOT / "test" / "import" / "data" / "mlp_legacy.onnx", self.source / model)
        lines = ["cmake_minimum_required(VERSION 3.20)", "project(names CXX)", "find_package(tinytc 0.1 REQUIRED)", "add_library(names STATIC)"]
        lines += [f'tinytc_add_model(names MODEL "{model}" TARGET host)' for model in models]
        (self.source / "CMakeLists.txt").write_text("\n".join(lines))
        run("cmake", "-S", self.source, "-B", self.build, "-GNinja", f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", self.build)
        self.assertEqual(sorted(path.stem for path in (self.build / "tinytc" / "names").glob("*.h")), sorted(names))
        alone = self.build / "alone"
        for model in models:
            run(self.prefix / "bin" / "tinytc", self.source / model, "-q", "-o", alone)
        self.assertEqual(sorted(path.stem for path in alone.glob("*.h")), sorted(names))


if __name__ == "__main__":
    unittest.main()
