"""The built-in tasks: one file each, found by name (``some_name.py`` is ``some-name``)."""

if __name__ != "nacbench.tasks":
    raise ImportError(f"this folder is the package nacbench.tasks; import it by that name, not as {__name__!r}")
