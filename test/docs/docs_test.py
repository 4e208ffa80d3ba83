"""What the documentation says is still true: tables of the README, its example, links between pages.

    python test/docs/docs_test.py            tests ($TINYTC, else build/tinytc)
    python test/docs/docs_test.py --update   writes the README's tables of operators and targets
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
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
