"""Sweeps: expand a YAML file into runs, plan them, and run them in local processes or on a Slurm cluster."""
