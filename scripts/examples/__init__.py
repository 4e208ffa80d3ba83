"""Compiles the example models with tinytc, builds their firmware and lets the emulated boards learn.

`shoulder.adapt` and `digits.learn` return what the devices reported; scripts/quickstart prints it, test/firmware/learning_test.py
compares it with PyTorch.
"""
