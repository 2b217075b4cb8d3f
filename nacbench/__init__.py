"""nacbench: Neural Attentive Circuits against strong baselines, across modalities, with numbers that can be traced."""

__version__ = "0.1.0"
