"""This machine: its hardware, software, memory and processes, and Slurm."""
