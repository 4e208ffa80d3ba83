"""The compiler's cost grows linearly with the model: instructions by valgrind's count, which is the same on every machine; and memory.

    python test/scaling/scaling_test.py      (unittest; $TINYTC is the compiler, else build/tinytc)

A full run takes minutes: valgrind executes some 80 thousand million instructions.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import chain  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINYTC = pathlib.Path(os.environ.get("TINYTC", ROOT / "build" / "tinytc"))
SIZES = (1000, 5000, 10000)
GROWTH = 1.15  # what the project promises: linear within 15 %
MEMORY = 1_000_000_000  # bytes


class Scaling(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tinytc-scaling-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def command(self, nodes: int) -> list[str]:
        model = self.folder / f"chain{nodes}.onnx"
        chain.write(nodes, model)
        out = self.folder / f"out{nodes}"
        return [str(part) for part in (TINYTC, model, "--target", "stm32h747", "--name", "net", "-q", "-o", out)]

    def instructions(self, nodes: int) -> int:
        """Of tinytc itself: the compiler that it may call to measure code runs beside valgrind."""
        command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", *self.command(nodes)]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(0, done.returncode, done.stderr[-2000:])
        return int(re.search(r"I\s+refs:\s+([0-9,]+)", done.stderr)[1].replace(",", ""))

    @unittest.skipUnless(shutil.which("valgrind"), "valgrind is not installed")
    def test_instructions_per_node(self):
        start = self.instructions(4)  # reading the kernels' headers costs the same whatever the model is
        per_node = {nodes: (self.instructions(nodes) - start) / nodes for nodes in SIZES}
        print(f"{start:,} instructions to start, then a node: " + ", ".join(f"{cost:,.0f} of {n}" for n, cost in per_node.items()))
        # Small models may cost more a node: their memory plan is searched longer. So no size may cost more than the cheapest smaller one.
        for index, nodes in enumerate(SIZES[1:], 1):
            cheapest = min(per_node[smaller] for smaller in SIZES[:index])
            self.assertLessEqual(per_node[nodes], GROWTH * cheapest, f"{nodes} nodes")

    def test_memory(self):
        child = subprocess.Popen(self.command(SIZES[-1]))
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(0, child.returncode)
        self.assertLess(usage.ru_maxrss * 1024, MEMORY)


if __name__ == "__main__":
    if not TINYTC.exists():
        print(f"skipped: {TINYTC} is not built")
        raise SystemExit(77)
    unittest.main()
