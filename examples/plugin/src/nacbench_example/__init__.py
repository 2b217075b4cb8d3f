"""A baseline and a task for nacbench, as a package of their own."""
