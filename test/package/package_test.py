"""Makes the release archive with cpack and runs its tinytc where there is no LLVM, no compiler, no library but the C library.

    python test/package/package_test.py BUILD_FOLDER PREFIX_PATH     (prefixes separated by commas)

The place is a folder that holds the unpacked archive, the C library and a model, entered with chroot: as root, or else through a user
namespace.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ROOT / "build")
PREFIXES = sys.argv.pop(1) if len(sys.argv) > 1 else ""
C_LIBRARY = ("linux-vdso", "ld-linux", "libc.so", "libm.so", "libdl.so", "librt.so", "libpthread.so")
MODEL = ROOT / "models" / "digits" / "digits.onnx"
OPTIONS = ["--target", "rp2040", "--train", "all", "--loss", "cross-entropy", "-o"]


def run(*command, **options) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


def make_archive() -> pathlib.Path:
    """The archive of a static build beside the normal one; building again only does what changed.

    As deep in the file system as the normal one: relative paths are then the same, and ccache has the objects already.
    """
    release = BUILD.parent / f"{BUILD.name}-release"
    run("cmake", "-S", ROOT, "-B", release, "-GNinja", "-DTINYTC_STATIC=ON", "-DTINYTC_BUILD_TESTS=OFF",
        f"-DCMAKE_PREFIX_PATH={PREFIXES.replace(',', ';')}")
    run("cmake", "--build", release, "--parallel", "2", "--target", "tinytc")
    for old in release.glob("tinytc-*.tar.gz"):
        old.unlink()
    run("cpack", cwd=release)
    (archive,) = release.glob("tinytc-*.tar.gz")
    return archive


def libraries(program: pathlib.Path) -> list[tuple[str, str]]:
    """(name, path) of every shared library that the program would load."""
    lines = [line.split() for line in run("ldd", program).splitlines()]
    return [(line[0], line[2] if "=>" in line else line[0]) for line in lines]


class Archive(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tinytc-package-")
        cls.root = pathlib.Path(cls.folder.name) / "root"
        archive = make_archive()
        print(f"{archive.name}: {archive.stat().st_size:,} bytes")
        with tarfile.open(archive) as tar:
            tar.extractall(cls.folder.name, filter="data")
        (unpacked,) = pathlib.Path(cls.folder.name).glob("tinytc-*")
        unpacked.rename(cls.root)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_brings_every_library_but_the_c_library(self):
        for name, path in libraries(self.root / "bin" / "tinytc"):
            is_c_library = pathlib.Path(name).name.startswith(C_LIBRARY)
            self.assertTrue(is_c_library or pathlib.Path(path).resolve().is_relative_to(self.root.resolve()), (name, path))

    def test_holds_licence_documentation_and_cmake_package(self):
        for path in ("share/doc/tinytc/LICENSE", "share/doc/tinytc/README.md", "lib/cmake/tinytc/tinytcConfig.cmake",
                     "lib/cmake/tinytc/tinytc_add_model.cmake"):
            self.assertTrue((self.root / path).is_file(), path)

    def in_empty_root(self, *command: str) -> str:
        """Runs a command with the unpacked archive as the root folder."""
        for name, path in libraries(self.root / "bin" / "tinytc"):
            if pathlib.Path(name).name.startswith(C_LIBRARY) and path.startswith("/"):
                copy = self.root / path.lstrip("/")
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)
        (self.root / "tmp").mkdir(exist_ok=True)
        enter = ["chroot"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "chroot"]
        # No /proc in there, from which the loader would know the program's folder.
        environment = {"LD_ORIGIN_PATH": "/bin", "PATH": "/usr/sbin:/usr/bin:/bin"}
        return run(*enter, self.root, *command, env=environment)

    def test_compiles_a_model_where_nothing_else_is_installed(self):
        shutil.copy(MODEL, self.root / "digits.onnx")
        self.in_empty_root("/bin/tinytc", "/digits.onnx", *OPTIONS, "/out")
        here = pathlib.Path(self.folder.name) / "here"
        run(BUILD / "tinytc", MODEL, *OPTIONS, here)
        for name in ("digits.h", "digits.cpp"):
            self.assertEqual((here / name).read_text(), (self.root / "out" / name).read_text(), name)


if __name__ == "__main__":
    unittest.main()
