"""Emitted code runs clean under sanitizers, refuses bad arguments, keeps checkpoints safe, and shares a firmware with other models."""

import pathlib
import tempfile
import unittest

from emitted_support import BENCH, CLASSES, DATA, DIGITS, HERE, NETWORKS, ROOT, defines, emit, in_parallel, info, main, run

# Without optimisation: it checks the most and compiles the fastest.
SANITIZE = ["g++", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g1", "-O0"]
BOARD = ROOT / "test" / "firmware"


class Programs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tinytc-programs-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def build(self, program: str, emitted: pathlib.Path, *flags: str, name: str = "program", compiler=("g++",)) -> pathlib.Path:
        """Links a program of this folder with the emitted model `net`."""
        out = self.folder / name
        run(*compiler, "-std=c++17", *flags, *defines(), f"-I{emitted}", f"-I{BOARD}", HERE / program, emitted / "net.cpp", "-o", out)
        return out

    def test_sanitizers(self):
        def check(name: str) -> None:
            model, options = NETWORKS[name]
            run(self.build("steps.cpp", emit(model, *options), str(BOARD / "board_host.cpp"), name=name, compiler=SANITIZE))

        in_parallel(check, NETWORKS)

    def test_refused_arguments_change_nothing(self):
        adam = (*CLASSES, "--optimizer", "adam")
        cases = {
            "classes": (BENCH / "mlp_13_64_64_6.onnx", adam, ["-DLABELS=6"]),
            "convolution": (DATA / "cnn_bn_dynamo.onnx", (*CLASSES, "--momentum", "0.9"), ["-DLABELS=5"]),
            "statistics": (DATA / "cnn_bn_unoptimized.onnx", (*CLASSES, "--batch-norm", "train"), ["-DLABELS=5", "-DSTATISTICS"]),
            "numbers": (DATA / "autoencoder_dynamo.onnx", ("--train", "all", "--loss", "mse"), []),
        }
        for name, (model, options, flags) in cases.items():
            with self.subTest(name):
                run(self.build("refusals.cpp", emit(model, *options), "-O1", *flags, name=name))

    def test_checkpoint_bytes(self):
        """Cut short at every length, every bit flipped, trailing bytes: with Adam's moments, under the sanitizers."""
        model, options = NETWORKS["own_loss"]
        run(self.build("checkpoints.cpp", emit(model, *options, "--optimizer", "adam"), compiler=SANITIZE))

    def test_checkpoint_of_another_target_and_preference_loads(self):
        file = self.folder / "checkpoint.bin"
        options = (*CLASSES, "--momentum", "0.9")
        saved = run(self.build("checkpoints.cpp", emit(DIGITS, *options, target="nrf52840")), "save", file).stdout
        for target, extra in (("rp2040", ()), ("nrf52840", ("--prefer", "size")), ("host", ())):
            with self.subTest(target=target, extra=extra):
                program = self.build("checkpoints.cpp", emit(DIGITS, *options, *extra, target=target))
                self.assertEqual(saved, run(program, "load", file).stdout)

    def test_checkpoint_of_another_model_is_refused(self):
        file = self.folder / "checkpoint.bin"
        run(self.build("checkpoints.cpp", emit(DIGITS, *CLASSES)), "save", file)
        others = [(DIGITS, (*CLASSES, "--momentum", "0.9")), (DIGITS, ("--train", "last:1", "--loss", "cross-entropy")),
                  (DATA / "mlp_dynamo.onnx", CLASSES)]
        for model, options in others:
            with self.subTest(model=model.name, options=options):
                run(self.build("checkpoints.cpp", emit(model, *options)), "refuse", file)

    def test_two_models_in_one_firmware(self):
        first, second = emit(DIGITS, *CLASSES, name="first"), emit(DATA / "cnn_bn_dynamo.onnx", *CLASSES, name="second")
        base = ["g++", "-std=gnu++14", "-O2", "-Wall", "-Wextra", "-Wshadow", "-Werror", f"-I{first}", f"-I{second}", HERE / "two_models.cpp"]
        run(*base, first / "first.cpp", second / "second.cpp", "-o", self.folder / "apart")
        run(*base, "-DONE_UNIT", "-o", self.folder / "together")
        run(*base, "-flto", first / "first.cpp", second / "second.cpp", "-o", self.folder / "lto")
        apart = run(self.folder / "apart").stdout
        self.assertEqual(apart, run(self.folder / "together").stdout)
        self.assertEqual(apart, run(self.folder / "lto").stdout)

    def test_same_bytes_when_emitted_again_and_elsewhere(self):
        for name in ("cnn_bn_momentum", "transformer_adam"):
            model, options = NETWORKS[name]
            first = emit(model, *options)
            elsewhere = self.folder / "else where"
            elsewhere.mkdir(exist_ok=True)
            (elsewhere / model.name).write_bytes(model.read_bytes())
            from emitted_support import TINYTC
            run(TINYTC, model.name, "--target", "nrf52840", "--name", "net", *options, "-o", name, cwd=elsewhere)
            for file in ("net.h", "net.cpp", "net.report.json"):
                self.assertEqual((first / file).read_bytes(), (elsewhere / name / file).read_bytes(), file)
            self.assertNotIn(str(ROOT).encode(), (first / "net.cpp").read_bytes())


if __name__ == "__main__":
    main()
