"""``python -m nacbench``: the command line without an installed script."""

from nacbench.cli import main

if __name__ == "__main__":
    main()
