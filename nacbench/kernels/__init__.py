"""Kernels of nacbench's own, each beside the same formula in PyTorch, which computes where they cannot be had.

`nacbench.kernels.operators` and `nacbench.kernels.links` say what they compute, `nacbench.kernels.path` which
of the two a run uses.
"""
