"""The kernels give the same bits with every compiler, optimization, standard and core, and compile without warnings.

Builds checksums.cpp (floats), q_checksums.cpp (int8) and q_vector_checksums.cpp (int8 for Helium) many times and compares what they print.
Skipped (exit code 77) where no second compiler is installed; each compiler or emulator that is missing is left out with a message.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "test" / "firmware"
CHECKSUMS = [pathlib.Path(__file__).with_name(name) for name in ("checksums.cpp", "q_checksums.cpp", "q_vector_checksums.cpp")]
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
sys.path.insert(0, str(ROOT / "scripts"))
import emulation  # noqa: E402

# haswell has fused multiply-add: where compilers may contract, they do it there.
HAS_FMA = "fma" in pathlib.Path("/proc/cpuinfo").read_text().split()
FUSED = ["-march=haswell"] if HAS_FMA else []
CLANG = next((name for name in ("clang++-19", "clang++") if shutil.which(name)), None)
HOST_BUILDS = [
    ("g++", ["-std=gnu++14", "-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover"]),  # what reads beside an array differs by luck only
    ("g++", ["-std=gnu++20", "-O2", "-ffp-contract=off"]),
    ("g++", ["-std=gnu++17", "-O3", "-ffp-contract=fast", *FUSED]),
    ("g++", ["-std=gnu++17", "-Os", "-flto", *FUSED]),
    (CLANG, ["-std=gnu++14", "-O2"]),
    (CLANG, ["-std=gnu++20", "-O3", "-ffp-contract=fast", *FUSED]),
]
BOARD_BUILDS = [
    ("nrf52840", ["-std=gnu++14", "-O2"]),
    ("nrf52840", ["-O3", "-flto", "-ffp-contract=fast"]),
    ("nrf52840", ["-Os", "-DTINYTC_SMALL=1"]),  # as emitted with --prefer size
    ("stm32h747", ["-O2"]),  # double-precision unit
    ("corstone-300", ["-O3"]),  # Helium
    ("rp2040", ["-std=gnu++20", "-Os"]),  # no floating-point unit
    ("rp2040", ["-O2"]),
    ("stm32f746", ["-O2", "-DTINYTC_WIDE_LOADS=1"]),  # as emitted for a Cortex-M7
    ("stm32f103", ["-O2"]),  # Armv7-M's assembly of the int8 blocks
    ("stm32f103", ["-O3", "-flto"]),
    ("esp32c3", ["-O2"]),  # RISC-V
]


class SameBits(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tinytc-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def host_output(self, checksums: pathlib.Path, compiler: str, flags: list[str]) -> str:
        program = self.folder / "program"
        sources = [checksums, FIRMWARE / "board_host.cpp"]
        subprocess.run(
            [compiler, *WARNINGS, *flags, f"-I{ROOT}", f"-I{FIRMWARE}", *map(str, sources), "-o", str(program)], check=True
        )
        return subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout

    def board_output(self, checksums: pathlib.Path, target: str, flags: list[str]) -> str:
        folder = self.folder / checksums.stem / target
        image = emulation.build(target, checksums, folder, cxxflags=[*WARNINGS, *flags], stack="16K", ram="128K", flash="1M")
        return emulation.run(image, [], False)["output"]

    def test_all_builds_agree(self):
        for checksums in CHECKSUMS:
            with self.subTest(checksums=checksums.name):
                self.all_builds_agree(checksums)

    def all_builds_agree(self, checksums: pathlib.Path):
        expected = self.host_output(checksums, "g++", ["-std=gnu++14", "-O2"])
        self.assertGreaterEqual(len(expected.splitlines()), 30)
        for compiler, flags in HOST_BUILDS:
            if compiler is None:
                print("left out: clang++ is not installed", file=sys.stderr)
                continue
            with self.subTest(compiler=compiler, flags=flags):
                self.assertEqual(self.host_output(checksums, compiler, flags), expected)
        for target, flags in BOARD_BUILDS:
            tools = ["qemu-system-riscv32", "riscv64-unknown-elf-g++"] if target == "esp32c3" else ["qemu-system-arm", "arm-none-eabi-g++"]
            if any(shutil.which(tool) is None for tool in tools):
                print(f"left out: {target} (needs {', '.join(tools)})", file=sys.stderr)
                continue
            with self.subTest(target=target, flags=flags):
                self.assertEqual(self.board_output(checksums, target, flags), expected)


class Headers(unittest.TestCase):
    """Each header compiles alone, with all warnings, for the host and for two Cortex-M cores, in the oldest and newest standard."""

    COMPILERS = [
        ["g++", "-std=gnu++14"],
        ["g++", "-std=gnu++20"],
        [CLANG, "-std=gnu++14"],
        [CLANG, "-std=gnu++20"],
        ["arm-none-eabi-g++", "-std=gnu++14", "-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
        ["arm-none-eabi-g++", "-std=gnu++20", "-mcpu=cortex-m0plus", "-mthumb"],
    ]

    def test_headers_compile_alone(self):
        headers = sorted(path.relative_to(ROOT) for path in (ROOT / "runtime").rglob("*.h"))
        self.assertGreater(len(headers), 20)
        for command in self.COMPILERS:
            if command[0] is None or shutil.which(command[0]) is None:
                print(f"left out: {command[0]} is not installed", file=sys.stderr)
                continue
            freestanding = ["-ffreestanding", "-fno-exceptions", "-fno-rtti"]
            for header in headers:
                with self.subTest(command=command, header=str(header)):
                    result = subprocess.run(
                        [*command, *freestanding, *WARNINGS, "-fsyntax-only", f"-I{ROOT}", "-x", "c++", "-"],
                        input=f'#include "{header}"\n', capture_output=True, text=True,
                    )
                    self.assertEqual(result.returncode, 0, result.stderr)


if __name__ == "__main__":
    unittest.main()
