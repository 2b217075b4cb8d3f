"""The machine: hardware, software versions, memory allocator, process identity, and Slurm."""
