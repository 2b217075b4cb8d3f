"""Interfaces of plug-ins: tasks, models and protocols, training recipes, and the tensors that pass between them."""
