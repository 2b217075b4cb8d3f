"""The training loop: optimiser and schedule, exact resume, evaluation."""
