"""Built-in baseline models, one file each, named after their file (``some_name.py`` is ``some-name``)."""

# The folder is installed and imported as nacbench.baselines (see pyproject.toml). A second import under another name
# would make second classes, which isinstance and the registry would not recognise.
if __name__ != "nacbench.baselines":
    raise ImportError(f"this folder is the package nacbench.baselines; import it by that name, not as {__name__!r}")
