"""Example of a plug-in package for nacbench: a baseline and a task."""
