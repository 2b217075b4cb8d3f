"""Metrics that are computed from kept predictions: of classes, of labels, and of values."""
