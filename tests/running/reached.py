"""Script that computes runs, each in a process of its own, and writes which modules of nacbench each one imports.

Usage: ``python reached.py FOLDER``, where FOLDER has ``runs.json`` (configurations by name) and ``mirror``; for each
name, ``NAME.json`` is written there.
"""

import importlib
import json
import os
import sys
from pathlib import Path

# Imported once, before the processes part: most of the time goes there.
HEAVY = (
    "torch",
    "accelerate",
    "pandas",
    "pyarrow.dataset",
    "pyarrow.pandas_compat",
    "scipy.ndimage",
    "scipy.special",
    "sklearn.datasets",
    "torch.utils.flop_counter",
    "torchvision.transforms",
)


def carry_out(given: dict[str, object], folder: Path, name: str) -> None:
    """Compute one run from its configuration to its record."""
    import torch

    from nacbench.running.resolve import resolve
    from nacbench.running.runner import run
    from nacbench.training.execution import Execution

    torch.set_num_threads(1)
    settings = Execution(device="cpu", show_progress=False)
    run(resolve(given), store=folder / name, data_root=folder / "mirror", execution=lambda: settings)
    modules = sorted(module for module in sys.modules if module.partition(".")[0] == "nacbench")
    (folder / f"{name}.json").write_text(json.dumps(modules))


def main(folder: Path) -> int:
    """Compute all runs; return 0 if all succeeded."""
    for module in HEAVY:
        importlib.import_module(module)
    processes = []
    for name, given in json.loads((folder / "runs.json").read_text()).items():
        process = os.fork()
        if process == 0:
            try:
                carry_out(given, folder, name)
            except BaseException:
                import traceback

                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        processes.append(process)
    codes = [os.waitpid(process, 0)[1] for process in processes]  # wait for all, even if the first failed
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
