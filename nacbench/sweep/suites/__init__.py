"""Suites: sweeps that come with nacbench, as YAML files."""
