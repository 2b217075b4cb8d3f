"""Sphinx's settings for the documentation site; _ext/ makes from the code what the code knows, at build time."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]  # this checkout, whatever is installed

from nacbench import __version__  # noqa: E402

project = "nacbench"
author = "the nacbench developers"
copyright = "the nacbench developers, Apache-2.0"
version = release = __version__
language = "en"
exclude_patterns = ["_build"]

extensions = [
    "myst_nb",  # pages of Markdown, and notebooks, which are executed in each build
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "site_pages",
    "site_docstrings",
    "site_mathml",
]

# Markdown
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_in_temp = True  # what a notebook writes is not left behind
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_output_stderr = "remove"  # warnings of libraries, with paths of this machine
highlight_language = "text"  # of indented blocks; fenced ones say what they are

# docstrings: single backticks are names of Python objects, and nitpicky wants each of them to exist
default_role = "py:obj"
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False  # what a base promises is said there
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
nitpicky = True
OTHERS = (
    "(accelerate|ast|collections|contextlib|importlib|io|networkx|nn|np|numpy|nx|os|pa|pathlib|pd|pq|pydantic|pydantic_core|rich|"
    "tempfile|torch|torchvision|types|typing|v2)"
)
nitpick_ignore_regex = [
    # Python's and other libraries' types: their inventories of names are on the network, which a build must not need
    ("py:.*", rf"{OTHERS}\..*"),
    # the same as some annotations name them
    ("py:(class|exc|obj)", "Accelerator|AveragedModel|BaseDistribution|Console|Image|NoneType"),
    ("py:(class|exc|obj)", "Path|Tensor|ValidationError"),
    # aliases and type variables of our own, which nobody looks up
    (
        "py:class",
        r"tuple\[str|Cause|Columns|CompileChoice|Fill|KernelSetting|MeanOf|Mixing|Pair|Panel|PathLike|Prior|Shape|Stored|Targets|Tree|Word|nacbench\.reporting\.figures\.layout\.Item|nacbench\.data\.mirror\.parallel\.(Job|Result)|nacbench\.formats\.reading\.Schema|nacbench\.registry\.P|nacbench\.statistics\.Key",
    ),
]

# the pages
html_math_renderer = "mathml"
html_theme = "furo"
html_title = f"nacbench {__version__}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
