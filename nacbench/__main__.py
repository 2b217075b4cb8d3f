"""``python -m nacbench``: the command line without an installed script."""

import os
import sys

if __name__ == "__main__":
    # `python -m` puts the working folder first on the path, so that a yaml.py there would be imported in place of the
    # library. It is taken away before anything else is imported; in a clone that is not installed, it is where this
    # package is found, and goes last instead.
    try:
        here = os.path.realpath("")
    except FileNotFoundError:  # the working folder was deleted: nothing can be imported from it
        here = ""
    if here and not sys.flags.safe_path and os.path.realpath(sys.path[0]) == here:
        folder = sys.path.pop(0)
        if os.path.realpath(folder) == os.path.dirname(os.path.dirname(os.path.realpath(__file__))):  # noqa: PTH120
            sys.path.append(folder)

    from nacbench.cli import main

    main()
