"""Sweeps that come with the suite, as YAML."""
