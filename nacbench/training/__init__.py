"""Training: loop, optimiser and learning-rate schedule, checkpoints with exact resume, progress."""
