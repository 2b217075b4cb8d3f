"""Profiling: parameters, FLOPs, time, memory and energy of a model."""
