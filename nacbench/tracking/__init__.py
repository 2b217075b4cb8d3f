"""Runs in the tools that people already watch: TensorBoard, trackio, Weights & Biases, MLflow."""
