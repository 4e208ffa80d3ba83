"""The counting plugin against counts worked out by hand from the cycle table of docs/emulation.md.

Each case is a piece of assembly; r4 points to a scratch buffer whose first word holds the buffer's own address. The two numbers are
executed instructions and Cortex-M4 cycles, with the sum that led to them.
"""

import unittest

from emulation_support import EmulationTest, emulation

# name: (assembly, instructions, cycles)
CASES = {
    "nop": ("nop; nop; nop", 3, 3),
    "load": ("ldr r0, [r4]", 1, 2),
    "loads pipelined": ("ldr r0, [r4]; ldr r1, [r4, #4]; ldr r2, [r4, #8]", 3, 2 + 1 + 1),
    "load waits for address": ("ldr r0, [r4]; ldr r1, [r0]", 2, 2 + 2),
    "load waits for index": ("ldr r5, [r4, #4]; ldr r1, [r4, r5]", 2, 2 + 2),
    "loads apart": ("ldr r0, [r4]; adds r1, #1; ldr r2, [r4]", 3, 2 + 1 + 2),
    "store": ("str r0, [r4, #8]", 1, 1),
    "load then store": ("ldr r0, [r4]; str r0, [r4, #8]", 2, 2 + 1),
    "store then load": ("str r0, [r4, #8]; ldr r0, [r4]", 2, 1 + 2),
    "narrow loads": ("movs r5, #2; ldrb r0, [r4, #1]; ldrh r1, [r4, r5]; ldrsb r2, [r4, r5]", 4, 1 + 2 + 1 + 1),
    "wide loads": ("ldrb.w r0, [r4, #1]; ldrsh.w r1, [r4, #2]; ldr.w r2, [r4, #4]", 3, 2 + 1 + 1),
    "narrow stores": ("strb r0, [r4, #8]; strh r0, [r4, #8]; str.w r0, [r4, #8]", 3, 3),
    "stack loads": ("sub sp, #8; ldr r0, [sp, #4]; ldr r1, [sp]; str r1, [sp]; add sp, #8", 5, 1 + 2 + 1 + 1 + 1),
    "literal load": ("ldr r0, [pc, #0]; ldr.w r1, [pc, #0]", 2, 2 + 1),
    "write back": ("ldr r0, [r4, #0]!; ldr r1, [r4], #0", 2, 2 + 1),
    "load double": ("ldrd r0, r1, [r4]", 1, 3),
    "store double": ("strd r0, r1, [r4, #8]", 1, 3),
    "load double is not pipelined": ("ldr r0, [r4]; ldrd r2, r3, [r4]; ldr r0, [r4]", 3, 2 + 3 + 2),
    "load multiple": ("mov r5, r4; ldmia r5!, {r0-r3}", 2, 1 + 5),
    "load multiple wide": ("ldmia.w r4, {r0-r3, r12}", 1, 6),
    "store multiple": ("mov r5, r4; adds r5, #8; stmia r5!, {r0-r1}; stmia.w r5, {r0-r3}", 4, 1 + 1 + 3 + 5),
    "push pop": ("push {r0-r3}; pop {r0-r3}", 2, 5 + 5),
    "exclusive": ("ldrex r0, [r4]; clrex", 2, 2 + 1),
    "preload": ("pld [r4]", 1, 1),
    "multiply": ("muls r0, r1, r0; mla r0, r1, r2, r3; smull r0, r1, r2, r3; smlad r0, r1, r2, r3; smlald r0, r1, r2, r3", 5, 5),
    "divide": ("sdiv r0, r1, r2; udiv r0, r1, r2", 2, 14),
    "saturate": ("ssat r0, #8, r1; usat r0, #8, r1; qadd r0, r1, r2; sxtb16 r0, r1; pkhbt r0, r1, r2", 5, 5),
    "branch not taken": ("cmp r0, r0; bne 1f; nop; 1: nop", 4, 4),
    "branch taken": ("cmp r0, r0; beq 1f; nop; 1: nop", 3, 1 + 3 + 1),
    "wide branch taken": ("cmp r0, r0; beq.w 1f; nop; 1: b.w 2f; nop; 2: nop", 4, 1 + 3 + 3 + 1),
    "compare and branch": ("movs r0, #0; cbz r0, 1f; nop; 1: cbnz r0, 2f; nop; 2: nop", 5, 1 + 3 + 1 + 1 + 1),
    "loop": ("movs r0, #10; 1: subs r0, #1; bne 1b", 21, 1 + 10 * 1 + 9 * 3 + 1),
    "call": ("bl test_return", 2, 3 + 3),
    "call with frame": ("bl test_frame", 3, 3 + 3 + (3 + 2)),
    "call register": ("movw r0, #:lower16:test_return; movt r0, #:upper16:test_return; blx r0", 4, 1 + 1 + 3 + 3),
    "table branch": ("movs r0, #0; tbb [pc, r0]; 2: .byte (3f-2b)/2, (3f-2b)/2; 3: nop", 3, 1 + (2 + 2) + 1),
    "load to pc": ("adr r0, 1f; adds r0, #1; str r0, [r4, #8]; ldr pc, [r4, #8]; nop; .balign 4; 1: nop", 5, 1 + 1 + 1 + (2 + 2) + 1),
    "predicated": ("cmp r0, r0; ite eq; addeq r0, #1; addne r0, #2", 4, 4),
    "fpu arithmetic": ("vmul.f32 s0, s1, s2; vadd.f32 s0, s1, s2; vsub.f32 s0, s1, s2; vnmul.f32 s0, s1, s2", 4, 4),
    "fpu multiply-add": ("vfma.f32 s0, s1, s2; vfms.f32 s0, s1, s2; vmla.f32 s0, s1, s2; vmls.f32 s0, s1, s2", 4, 12),
    "fpu negated multiply-add": ("vfnma.f32 s0, s1, s2; vfnms.f32 s0, s1, s2; vnmla.f32 s0, s1, s2; vnmls.f32 s0, s1, s2", 4, 12),
    "fpu multiply-add, high registers": ("vfma.f32 s1, s3, s5; vfms.f32 s15, s13, s11", 2, 6),
    "fpu divide": ("vdiv.f32 s0, s1, s2; vsqrt.f32 s0, s1; vsqrt.f32 s1, s0", 3, 42),
    "fpu one cycle": ("vabs.f32 s0, s1; vneg.f32 s0, s1; vmov.f32 s0, s1; vmov.f32 s0, #1.0; vcvt.s32.f32 s0, s1; vcvt.f32.s32 s1, s0", 6, 6),
    "fpu compare": ("vcmp.f32 s0, s1; vmrs APSR_nzcv, fpscr; vcmp.f32 s0, #0", 3, 3),
    "fpu to core": ("vmov r0, s0; vmov s0, r0; vmov r0, r1, s0, s1; vmov s0, s1, r0, r1", 4, 8),
    "fpu load": ("vldr s0, [r4]; vldr s1, [r4, #4]", 2, 2 + 1),
    "fpu and core loads": ("ldr r0, [r4]; vldr s0, [r4]; ldr r1, [r4]", 3, 2 + 1 + 1),
    "fpu load waits for address": ("ldr r0, [r4]; vldr s0, [r0]", 2, 2 + 2),
    "fpu store": ("vstr s0, [r4, #8]", 1, 1),
    "fpu double": ("vldr d0, [r4]; vstr d0, [r4, #8]", 2, 3 + 3),
    "fpu multiple": ("vldmia r4, {s0-s3}; vstmia r4, {s0-s3}; vldmia r4, {d0-d1}", 3, 5 + 5 + 5),
    "fpu push pop": ("vpush {s0-s1}; vpop {s0-s1}", 2, 3 + 3),
    # QEMU ends a translated block at a page of 4 KB: neither may that look like a branch nor part neighbouring loads.
    "page end": ("b.w 2f; .balign 4096; .space 4092; 2: ldr r0, [r4]; ldr r1, [r4]; ldr r2, [r4]; nop.w", 5, 3 + (2 + 1 + 1) + 1),
    "instruction across pages": ("b.w 2f; .balign 4096; .space 4092; 2: ldr r0, [r4]; ldr.w r1, [r4]; ldr r2, [r4]; nop", 5, 3 + (2 + 1 + 1) + 1),
    "narrow instruction before page": ("b.w 2f; .balign 4096; .space 4090; 2: nop.w; nop; nop; nop", 5, 3 + 4),
}  # fmt: skip

HELPERS = """
std::uint32_t scratch[16];
extern "C" __attribute__((naked, used)) void test_return() { asm volatile("bx lr"); }
extern "C" __attribute__((naked, used)) void test_frame() { asm volatile("push {r4, lr}\\npop {r4, pc}"); }
"""


def firmware() -> str:
    """One function for each case: the register set-up stands before the region."""
    text = [HELPERS]
    for index, (name, (code, _, _)) in enumerate(CASES.items()):
        text.append(
            f"__attribute__((noinline)) void case_{index}() {{\n"
            f'  asm volatile("movw r4, #:lower16:scratch\\nmovt r4, #:upper16:scratch" : : : "r4");\n'
            f'  TINYTC_REGION_BEGIN("{name}");\n'
            f'  asm volatile("{code.replace("; ", chr(92) + "n")}" : : : "r0", "r1", "r2", "r3", "r4", "r5", "r12", "lr", "cc",\n'
            f'    "memory", "s0", "s1", "s2", "s3", "s15");\n'
            f'  TINYTC_REGION_END("{name}");\n}}\n'
        )
    calls = "\n".join(
        f"  scratch[0] = reinterpret_cast<std::uint32_t>(scratch); scratch[1] = 8; case_{i}();" for i in range(len(CASES))
    )
    return "\n".join([*text, f"int main(int, char**) {{\n{calls}\n  return 0;\n}}\n"])


class Counts(EmulationTest):
    def test_snippets(self):
        result = self.execute(firmware())
        self.assertEqual(result["exit_code"], 0, result["output"])
        for name, (code, instructions, cycles) in CASES.items():
            with self.subTest(name):
                region = result["regions"][name]
                self.assertEqual((region["instructions"], region["cycles"]), (instructions, cycles), code)

    def test_counts_are_deterministic(self):
        image = self.build(firmware())
        first, second = emulation.run(image), emulation.run(image)
        self.assertEqual(first["regions"], second["regions"])
        self.assertEqual((first["instructions"], first["cycles"]), (second["instructions"], second["cycles"]))

    def test_optimization_of_blocks_does_not_matter(self):
        """The same function counted once and as part of a longer run; and the last call apart from the sum."""
        result = self.execute("""
            volatile int sink;
            __attribute__((noinline)) void work(int n) { for (int i = 0; i < n; ++i) sink = sink + i * i; }
            __attribute__((noinline)) void measured(int n) { TINYTC_REGION_BEGIN("part"); work(n); TINYTC_REGION_END("part"); }
            int main(int, char**) {
              TINYTC_REGION_BEGIN("all");
              for (int i = 1; i <= 3; ++i) measured(100 * i);
              TINYTC_REGION_END("all");
              TINYTC_REGION_BEGIN("one"); work(300); TINYTC_REGION_END("one");
              return 0;
            }""")
        part, whole, one = (result["regions"][name] for name in ("part", "all", "one"))
        self.assertEqual(part["calls"], 3)
        self.assertEqual(whole["calls"], 1)
        # Regions differ by the instructions that pass the argument and call: at most 4 instructions and 8 cycles.
        self.assertLessEqual(abs(part["last_instructions"] - one["instructions"]), 4)
        self.assertLessEqual(abs(part["last_cycles"] - one["cycles"]), 8)
        self.assertGreater(whole["instructions"], part["instructions"])
        self.assertLess(whole["instructions"], part["instructions"] + 100)

    def test_region_that_is_not_closed(self):
        with self.assertRaisesRegex(emulation.EmulationError, "'open'.*not closed"):
            self.execute('int main(int, char**) { TINYTC_REGION_BEGIN("open"); return 0; }')

    def test_region_opened_twice(self):
        result = self.execute("""
            int main(int argc, char**) {
              for (int i = 0; i < argc + 1; ++i) TINYTC_REGION_BEGIN("again");
              TINYTC_REGION_END("again");
              return 0;
            }""")
        self.assertEqual(result["exit_code"], 125)
        self.assertIn("opened twice", result["output"])

    def test_riscv_counts_instructions_only(self):
        result = self.execute(
            """
            int main(int, char**) {
              TINYTC_REGION_BEGIN("nops");
              asm volatile("nop\\nnop\\naddi a0, a0, 1\\nmul a0, a0, a0" ::: "a0");
              TINYTC_REGION_END("nops");
              return 0;
            }""",
            "esp32c3",
        )
        self.assertEqual(result["regions"]["nops"]["instructions"], 4)
        self.assertIsNone(result["regions"]["nops"]["cycles"])

    def test_profile_names_the_functions(self):
        image = self.build("""
            volatile int sink;
            extern "C" __attribute__((noinline)) void hot() { for (int i = 0; i < 1000; ++i) sink = i; }
            extern "C" __attribute__((noinline)) void cold() { sink = 1; }
            int main(int, char**) {
              hot();
              TINYTC_REGION_BEGIN("r"); hot(); cold(); TINYTC_REGION_END("r");
              return 0;
            }""")
        rows = {name: (instructions, cycles) for name, instructions, cycles in emulation.run(image, profile=True)["profile"]}
        self.assertGreater(rows["hot"][0], 3000)  # at least store, add or compare, branch for each round
        self.assertLess(rows["hot"][0], 6000)  # not the call before the region
        self.assertLess(rows["cold"][0], 10)


if __name__ == "__main__":
    unittest.main()
