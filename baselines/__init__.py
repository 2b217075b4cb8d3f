"""The built-in baselines: one file each, found by name (``some_name.py`` is ``some-name``)."""

if __name__ != "nacbench.baselines":
    raise ImportError(f"this folder is the package nacbench.baselines; import it by that name, not as {__name__!r}")
