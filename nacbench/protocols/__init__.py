"""Evaluation protocols for trained networks: distribution shift (OOD), low-shot, pruning; and tasks for tuning."""
