"""Built-in tasks, one file each. A file is found by name: ``some_name.py`` defines the task ``some-name``."""

if __name__ != "nacbench.tasks":
    raise ImportError(f"this folder is the package nacbench.tasks; import it by that name, not as {__name__!r}")
