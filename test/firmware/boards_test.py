"""The emulated boards: every target with a compiler runs, memory limits hold, stacks are measured, faults are reported."""

import unittest

from emulation_support import ROOT, EmulationTest, emulation

HELLO = """
const float numbers[] = {1.5f, -0.25f, 3.0e7f};
float doubled[3];
struct Constructed { int value; Constructed() : value(numbers[0] > 1 ? 77 : 0) {} } constructed;
int initialized = 5;
int main(int argc, char** argv) {
  for (int i = 0; i < 3; ++i) doubled[i] = numbers[i] * 2.0f;
  for (float value : doubled) { board::print_bits(value); board::print(" "); }
  board::print(constructed.value);
  board::print(" ");
  board::print(initialized);
  for (int i = 1; i < argc; ++i) { board::print(" "); board::print(argv[i]); }
  board::print("\\n");
  board::report("answer", 4000000000u);
  return 42;
}
"""
# 3, -0.5 and 6e7 as IEEE single bits; then the constructor's and the initialized value, then the arguments.
HELLO_OUTPUT = "40400000 bf000000 4c64e1c0 77 5 one two\n"


def emulated_targets() -> list[str]:
    return [name for name in emulation.list_targets() if emulation.load_target(name).machine is not None]


class Boards(EmulationTest):
    def test_every_target_runs(self):
        self.assertGreaterEqual(len(emulated_targets()), 12)
        for target in [*emulated_targets(), "host"]:
            with self.subTest(target):
                result = self.execute(HELLO, target, ["one", "two"])
                self.assertEqual(result["output"], HELLO_OUTPUT)
                self.assertEqual(result["exit_code"], 42)
                self.assertEqual(result["values"]["answer"], 4000000000)

    def test_machines_of_cores(self):
        """A target runs on the board of its own core (M0+ on the M3's, which executes all its instructions)."""
        machine = {
            "cortex-m0plus": "mps2-an385", "cortex-m3": "mps2-an385", "cortex-m4f": "mps2-an386", "cortex-m7": "mps2-an500",
            "cortex-m33": "mps2-an505", "cortex-m55": "mps3-an547", "rv32imc": "virt",
        }  # fmt: skip
        for name in emulated_targets():
            target = emulation.load_target(name)
            self.assertEqual(target.machine, machine[target.core], name)

    def test_target_without_board(self):
        with self.assertRaisesRegex(emulation.EmulationError, "esp32 has no emulated board"):
            self.build(HELLO, "esp32")

    def test_flash_overflow_is_a_link_error(self):
        big = "const char big[128 * 1024 + 1] = {1}; int main(int c, char**) { return big[c]; }"
        with self.assertRaisesRegex(emulation.EmulationError, "FLASH' overflowed"):
            self.build(big, "stm32f103")
        self.build(big, "nrf52840")
        with self.assertRaisesRegex(emulation.EmulationError, "FLASH' overflowed"):
            self.build(big, "nrf52840", flash="128K")

    def test_ram_overflow_is_a_link_error(self):
        big = "char big[16 * 1024]; int main(int c, char**) { big[c] = 1; return big[c + 1]; }"
        with self.assertRaisesRegex(emulation.EmulationError, "RAM' overflowed"):
            self.build(big, "stm32f103", stack="4K")  # 16 + 4 K and the board support > 20 K
        self.assertEqual(self.execute(big, "stm32f103", stack="2K")["exit_code"], 0)
        with self.assertRaisesRegex(emulation.EmulationError, "RAM' overflowed"):
            self.build(big, "nrf52840", ram="20K")

    def test_whole_ram_is_usable(self):
        """The largest array that fits is really there, to its last byte, on each board."""
        for target in emulated_targets():
            with self.subTest(target):
                size = emulation.targets.main_size(emulation.load_target(target).ram) - 8 * 1024 - 4 * 1024
                result = self.execute(
                    f"volatile unsigned char all[{size}];\n"
                    f"int main(int, char**) {{ for (int i = 0; i < {size}; ++i) all[i] = i * 7 % 251;\n"
                    f"for (int i = 0; i < {size}; ++i) if (all[i] != i * 7 % 251) return 1; return 0; }}",
                    target,
                )
                self.assertEqual(result["exit_code"], 0, result["output"])

    def test_stack_is_measured(self):
        for target in emulated_targets():
            with self.subTest(target):
                result = self.execute(
                    """
                    __attribute__((noinline)) void use(int bytes) {
                      volatile char* buffer = static_cast<volatile char*>(__builtin_alloca(bytes));
                      for (int i = 0; i < bytes; ++i) buffer[i] = 1;
                    }
                    int main(int, char**) {
                      use(3000);
                      board::stack_paint();
                      use(1000);
                      board::report("used", board::stack_used());
                      board::stack_paint();
                      board::report("unused", board::stack_used());
                      return 0;
                    }""",
                    target,
                )
                self.assertEqual(result["exit_code"], 0)
                # 1,000 bytes plus the frames of use and of stack_paint: saved registers and alignment.
                self.assertGreaterEqual(result["values"]["used"], 1000)
                self.assertLessEqual(result["values"]["used"], 1000 + 64)
                self.assertLessEqual(result["values"]["unused"], 64)
                self.assertEqual(result["values"]["stack_reserved"], 8 * 1024)

    def test_stack_of_whole_program(self):
        result = self.execute("""
            __attribute__((noinline)) void use(int bytes) {
              volatile char* buffer = static_cast<volatile char*>(__builtin_alloca(bytes));
              for (int i = 0; i < bytes; ++i) buffer[i] = 1;
            }
            int main(int, char**) { use(5000); return 0; }""")
        self.assertGreaterEqual(result["stack_high_water"], 5000)
        self.assertLessEqual(result["stack_high_water"], 5000 + 256)  # main's and the start-up's frames

    def test_stack_overflow_is_found(self):
        program = """
            __attribute__((noinline)) int deep(int n, volatile char* up) {
              volatile char buffer[512];
              for (int i = 0; i < 512; ++i) buffer[i] = 1;
              return (n > 0 ? deep(n - 1, buffer) : up[0]) + buffer[511];
            }
            int main(int argc, char**) { volatile char c = 0; deep(15 + argc, &c); return 0; }"""
        for target in emulated_targets():
            with self.subTest(target):
                self.assertEqual(self.execute(program, target)["exit_code"], 125)
                self.assertEqual(self.execute(program, target, stack="12K", ram="20K")["exit_code"], 0)

    def test_fault_is_reported(self):
        program = "int main(int, char**) { *reinterpret_cast<volatile int*>(0xf0000000) = 1; return 0; }"
        for target in emulated_targets():
            with self.subTest(target):
                result = self.execute(program, target)
                self.assertEqual(result["exit_code"], 125)
                self.assertIn("fault: cause", result["output"])

    def test_files(self):
        path = self.folder / "sample.bin"
        copy = self.folder / "copy.bin"
        path.write_bytes(bytes(range(256)) * 3)
        program = """
            unsigned char data[1000];
            int main(int, char** argv) {
              if (board::open_read("/nonexistent/file") >= 0) return 1;
              const int in = board::open_read(argv[1]), out = board::open_write(argv[2]);
              const std::size_t size = board::file_size(in);
              std::size_t got = board::read(in, data, 700);
              got += board::read(in, data + got, 300);
              board::print(static_cast<int>(size)); board::print(" "); board::print(static_cast<int>(got));
              board::print(" "); board::print(static_cast<int>(board::write(out, data, got)));
              board::close(in); board::close(out);
              return 0;
            }"""
        for target in ("nrf52840", "esp32c3", "host"):
            with self.subTest(target):
                result = self.execute(program, target, [str(path), str(copy)])
                self.assertEqual((result["exit_code"], result["output"]), (0, "768 768 768"))
                self.assertEqual(copy.read_bytes(), path.read_bytes())
                copy.unlink()

    def test_printing(self):
        program = """
            int main(int, char**) {
              board::print(-2147483647 - 1); board::print(" "); board::print(0); board::print(" ");
              board::print_unsigned(4294967295u); board::print(" "); board::print(-1.5f); board::print(" ");
              board::print(123.0625f); board::print(" "); board::print_bits(-0.0f);
              return 0;
            }"""
        for target in ("nrf52840", "rp2040", "host"):
            expected = "-2147483648 0 4294967295 -1.500000 123.062500 80000000"
            self.assertEqual(self.execute(program, target)["output"], expected, target)

    def test_sizes_by_origin(self):
        model = self.folder / "model.cpp"
        model.write_text("""
            extern const float weights[256]; const float weights[256] = {1};
            float arena[100]; int counter = 3;
            float predict(int i) { ++counter; return arena[i] = weights[i] * 2; }""")
        image = self.build(
            "float predict(int); int main(int c, char**) { return predict(c) > 100; }", sources=[str(model)]
        )
        sizes = emulation.run(image)["sizes"]
        part = sizes["origins"]["model"]
        self.assertEqual((part["constants"], part["bss"], part["data"]), (1024, 400, 4))
        self.assertGreater(part["code"], 8)
        self.assertLess(part["code"], 100)
        whole = sum(o[k] for o in sizes["origins"].values() for k in ("code", "constants", "data"))
        self.assertLessEqual(abs(sizes["flash"] - whole), 96)  # alignment between sections
        self.assertGreaterEqual(sizes["ram"], 404)

    def test_endless_loop_is_stopped(self):
        image = self.build('int main(int, char**) { board::print("started"); for (;;) asm volatile(""); }')
        with self.assertRaisesRegex(emulation.EmulationError, "no end after"):
            emulation.run(image, timeout=1)

    def test_command_line(self):
        """scripts/emulate itself: output, exit code, JSON."""
        import json
        import subprocess
        import sys

        main = self.folder / "main.cpp"
        main.write_text('#include "board.h"\n' + HELLO)
        command = [sys.executable, str(ROOT / "scripts" / "emulate"), "--target", "nrf52840", "--main", str(main)]
        out = self.folder / "result.json"
        done = subprocess.run([*command, "--cxxflags", "-O3", "--args", "one two", "--json", str(out)], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (42, HELLO_OUTPUT))
        self.assertEqual(json.loads(out.read_text())["exit_code"], 42)
        done = subprocess.run([*command, "--flash", "1K"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("overflowed", done.stderr)


if __name__ == "__main__":
    unittest.main()
