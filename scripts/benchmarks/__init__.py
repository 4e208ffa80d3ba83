"""Benchmarks of the emitted code on emulated boards.

How to read it: cases.py is the table of what is measured and against which figures; firmware.py writes the measuring program;
measure.py compiles one case with tinytc, runs it and collects the figures; compare.py sets two result files against each other;
sweep.py draws random layer shapes. scripts/bench is the command line.
"""
