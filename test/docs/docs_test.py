"""What the documentation says is still true: tables of the README, its example, links between pages.

    python test/docs/docs_test.py            tests ($TINYTC, else build/tinytc)
    python test/docs/docs_test.py --update   writes the README's tables of operators and targets
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from benchmarks import cases, layers, page  # noqa: E402

TINYTC = pathlib.Path(os.environ.get("TINYTC", ROOT / "build" / "tinytc"))
README = ROOT / "README.md"
SHOULDER = ROOT / "models" / "shoulder" / "shoulder.onnx"


def output(*command) -> str:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True).stdout


def operators_table() -> str:
    """| what | operators |, from `tinytc --list-ops`: name, then what it can be used for."""
    groups: dict[str, list[str]] = {}
    for line in output(TINYTC, "--list-ops").splitlines():
        name, use = line.split(maxsplit=1)
        groups.setdefault(use, []).append(name)
    rows = [f"| {use} | {', '.join(sorted(names))} |" for use, names in sorted(groups.items(), reverse=True)]
    return "\n".join(["| for | operators |", "|---|---|", *rows])


def targets_table() -> str:
    lines = [line.split(maxsplit=1) for line in output(TINYTC, "--list-targets").splitlines()]
    return "\n".join(["| target | |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in lines)])


TABLES = {"operators": operators_table, "targets": targets_table}


def pattern(name: str) -> re.Pattern:
    return re.compile(rf"(<!-- {name}: begin [^\n]*-->\n)(.*?)(<!-- {name}: end -->)", re.DOTALL)


def updated(text: str) -> str:
    for name, make in TABLES.items():
        table = make()
        text, count = pattern(name).subn(lambda match: match[1] + table + "\n" + match[3], text)
        assert count == 1, name
    return text


class Benchmarks(unittest.TestCase):
    def test_page_is_what_the_script_writes(self):
        self.assertEqual(page.PAGE.read_text(), page.render(json.loads(page.RESULTS.read_text())), "run scripts/bench --page")

    def test_misses_are_shown(self):
        """What exceeds its limit, differs, or was not measured stands in the summary and in its row."""
        results = {"cases": {"kws_int8": {"cycles": 9_000_000, "ram": 12_000, "flash_code": 1, "steps_off": 1}}, "plain": {}, "sweep": {}}
        results["plain"]["x/dense"] = {"packed": 10, "plain": 17}
        results["sweep"]["dense"] = {"base": 1, "mean": 1.6, "worst": 2, "unit": "MAC", "count": 200, "problems": ["mean"], "worst_layers": []}
        text = page.render(results)
        head = text[: text.index("## How it is measured")]
        self.assertIn("* `kws_int8`, cycles: 9,000,000, allowed 3,522,256 (0.38)", head)
        self.assertIn("* `kws_int8`: outputs differ by 1 steps, allowed 0", head)
        self.assertIn("* plain weights of `x/dense`: 1.70, allowed 1.6", head)
        self.assertIn("* random shapes of `dense`: mean 1.60, worst 2.00, 0 mismatches", head)
        self.assertIn("| `kws_int8` | cycles | 9,000,000 | 9,269,096 | 0.971 | 3,522,256 (0.38) | **no** |", text)
        self.assertIn("| `kws_int8` | RAM, bytes | 12,000 | 24,184 | 0.496 | 13,000 (0.54) | yes |", text)
        self.assertIn("| `ic_int8` | cycles | not measured |", text)
        self.assertRegex(head, r"\*\*1 of \d+ promises are kept, 4 are not, \d+ were not measured\.\*\*")

    def test_every_case_is_on_the_page(self):
        text = page.render({"cases": {}, "plain": {}, "sweep": {}})
        for name in [*(case.name for case in cases.CASES), *layers.FAMILIES]:
            self.assertIn(f"| `{name}` |", text)


class Documentation(unittest.TestCase):
    def test_tables_are_current(self):
        self.assertEqual(README.read_text(), updated(README.read_text()), "run test/docs/docs_test.py --update")

    def test_example_compiles(self):
        (example,) = re.findall(r"```cpp\n(.*?)```", README.read_text(), re.DOTALL)
        with tempfile.TemporaryDirectory(prefix="tinytc-docs-") as folder:
            out = pathlib.Path(folder)
            output(TINYTC, SHOULDER, "--name", "gesture", "--target", "nrf52840", "--train", "last:2", "--loss", "cross-entropy", "-o", out)
            (out / "main.cpp").write_text(example)
            for compiler in (["g++"], ["arm-none-eabi-g++", "-mcpu=cortex-m4"]):
                output(*compiler, "-std=c++14", "-Wall", "-Wextra", "-Werror", "-O2", "-c", out / "main.cpp", "-o", out / "main.o")

    def test_links_lead_somewhere(self):
        for page in [README, ROOT / "CHANGELOG.md", *ROOT.glob("docs/*.md"), *ROOT.glob("models/**/README.md")]:
            for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
                if not link.startswith("http"):
                    self.assertTrue((page.parent / link).exists(), f"{page.relative_to(ROOT)}: {link}")

    def test_every_option_is_in_the_guide(self):
        guide = (ROOT / "docs" / "guide.md").read_text()
        told_elsewhere = {"--help", "--version", "--quiet", "--out"}
        for option in re.findall(r"(--[a-z][a-z0-9-]+)", re.sub(r"Examples:.*", "", output(TINYTC, "--help"), flags=re.DOTALL)):
            if option not in told_elsewhere:
                self.assertIn(option, guide)


if __name__ == "__main__":
    if "--update" in sys.argv:
        README.write_text(updated(README.read_text()))
        sys.exit(0)
    unittest.main()
