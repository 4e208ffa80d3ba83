"""Emitted code compiles without a warning under every compiler, standard, optimisation and core that DESIGN.md names, also as C."""

import os
import re
import tempfile
import unittest
import pathlib

from emitted_support import BENCH, CLASSES, DATA, HERE, NETWORKS, ROOT, SHOULDER, emit, in_parallel, info, main, missing, run

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-fno-exceptions", "-fno-rtti"]
STANDARDS = [[f"-std={standard}", "-O2"] for standard in ("gnu++14", "c++17", "c++20")]
LEVELS = [["-std=c++17", level] for level in ("-O0", "-O3", "-Os")] + [["-std=c++17", "-O2", "-flto"]]
CORES = {
    "cortex-m0plus": ["-mcpu=cortex-m0plus", "-mthumb"],
    "cortex-m3": ["-mcpu=cortex-m3", "-mthumb"],
    "cortex-m4": ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"],
    "cortex-m7": ["-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-d16"],
    "cortex-m33": ["-mcpu=cortex-m33", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"],
    "cortex-m55": ["-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard"],
}
# A board of each core: int8 kernels differ between them.
BOARDS = {"rp2040": "cortex-m0plus", "stm32f103": "cortex-m3", "nrf52840": "cortex-m4", "stm32f746": "cortex-m7", "corstone-300": "cortex-m55"}
# 32-bit x86 without its C++ library installed: the emitted code needs no more of it than the compiler's own shim holds.
X86_32 = ["-m32", "-ffreestanding", "-nostdinc++", f"-I{ROOT / 'codegen' / 'shim'}"]
FULL = os.environ.get("TINYTC_FULL") == "1"


def commands() -> list[list[str]]:
    """Compiler lines without files."""
    lines = [[compiler, *flags] for compiler in ("g++", "clang++-19") for flags in [*STANDARDS, *LEVELS]]
    lines += [["arm-none-eabi-g++", *flags, "-std=gnu++14", "-O2"] for flags in CORES.values()]
    lines += [["arm-none-eabi-g++", *CORES["cortex-m4"], *flags] for flags in LEVELS]
    lines += [["g++", "-std=c++17", "-O2", *X86_32], ["clang++-19", "-std=c++17", "-O2", *X86_32]]
    return [line for line in lines if not missing(line[0])]


class Compilers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tinytc-compilers-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def compile_all(self, name: str, lines: list[list[str]]) -> None:
        model, options = NETWORKS[name]
        source = emit(model, *options) / "net.cpp"
        jobs = [(line, self.folder / f"{index}.o") for index, line in enumerate(lines)]
        in_parallel(lambda job: run(*job[0], *WARNINGS, "-c", source, "-o", job[1]), jobs)

    def test_one_model_under_every_compiler(self):
        self.compile_all("depthwise_adamw", commands())

    def test_every_network(self):
        """Under all compilers with TINYTC_FULL=1, else under the extremes: oldest standard, least and most optimisation, both sizes."""
        extremes = [["g++", "-std=gnu++14", "-O3"], ["arm-none-eabi-g++", *CORES["cortex-m4"], "-std=c++17", "-O3"],
                    ["clang++-19", "-std=c++20", "-Os"],
                    ["arm-none-eabi-g++", *CORES["cortex-m0plus"], "-std=gnu++14", "-Os"]]
        for name in NETWORKS:
            with self.subTest(name):
                self.compile_all(name, commands() if FULL else extremes)

    def test_int8_for_every_core(self):
        jobs = []
        for board, core in BOARDS.items():
            for model, preference in (("pt2e_channels", "balanced"), ("brevitas_power_of_two", "speed"), ("brevitas_tensor", "size")):
                source = emit(ROOT / "test" / "quantized" / "exporters" / f"{model}.onnx", "--prefer", preference, target=board) / "net.cpp"
                jobs += [([*CORES[core], *flags], source, self.folder / f"{board}{model}{i}.o") for i, flags in enumerate(LEVELS)]
        in_parallel(lambda job: run("arm-none-eabi-g++", *job[0], *WARNINGS, "-c", job[1], "-o", job[2]), jobs)

    def test_prediction_only(self):
        for model in (SHOULDER, DATA / "keras_nhwc.onnx"):
            source = emit(model) / "net.cpp"
            for line in (["g++", "-std=gnu++14", "-O2"], ["arm-none-eabi-g++", *CORES["cortex-m4"], "-std=c++20", "-Os"]):
                run(*line, *WARNINGS, "-c", source, "-o", self.folder / "net.o")

    def test_from_c(self):
        """C compilers take the header and a C program trains, saves, loads and predicts."""
        folder = emit(BENCH / "mlp_13_64_64_6.onnx", *CLASSES)
        strict = ["-std=c99", "-pedantic-errors", "-Wall", "-Wextra", "-Wconversion", "-Wstrict-prototypes", "-Werror"]
        for compiler in ("gcc", "clang-19", "arm-none-eabi-gcc"):
            run(compiler, *strict, "-O1", f"-I{folder}", "-c", HERE / "from_c.c", "-o", self.folder / f"{compiler}.o")
        run("g++", "-O2", f"-I{folder}", self.folder / "gcc.o", folder / "net.cpp", "-o", self.folder / "from_c")
        lines = run(self.folder / "from_c").stdout.split()
        losses = [float.fromhex(line) for line in lines[:5]]
        self.assertEqual(sorted(losses, reverse=True), losses, "the loss falls")
        self.assertEqual(5 + info(folder, "output_elements"), len(lines))

    def test_source_has_no_forbidden_symbols(self):
        """The object needs nothing from the C++ or mathematics library, and no heap."""
        model, options = NETWORKS["transformer_adam"]
        source = emit(model, *options) / "net.cpp"
        run("arm-none-eabi-g++", *CORES["cortex-m4"], "-O2", "-c", source, "-o", self.folder / "net.o")
        symbols = run("arm-none-eabi-nm", "--undefined-only", self.folder / "net.o").stdout
        undefined = set(re.findall(r" U (\S+)", symbols))
        self.assertLessEqual(undefined, {"memcpy", "memmove", "memset", "memcmp", *(s for s in undefined if s.startswith("__aeabi_"))})


if __name__ == "__main__":
    main()
