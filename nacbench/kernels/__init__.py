"""Kernels of nacbench's own, each beside the same formula in PyTorch, which computes where they cannot be had.

The module of each kernel says what it computes, `nacbench.kernels.path` which of the two a run uses.
"""
