"""Benchmark of reports: time to aggregate many records, without and with the cached index.

    python benchmarks/aggregate.py [RECORDS]     # 100,000 by default; as many files are written and removed

Times are printed for a quarter, a half and all of the records, to show that they grow linearly.
"""

import json
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

SEEDS = 10
TASKS = tuple(f"task-{number}" for number in range(20))
MODELS = tuple(f"model-{number}" for number in range(10))
TEMPLATE = Path(__file__).parents[1] / "results"


def write_records(store: Path, first: int, last: int) -> None:
    """Write records number ``first`` to ``last`` - 1, copies of a committed record.

    A series has ``SEEDS`` seeds; series of the same task and model differ in their learning rate.
    """
    from nacbench.recording.identity import run_id_of
    from nacbench.recording.read_record import read_record

    path = next(path for path in sorted(TEMPLATE.rglob("record.json")) if path.parts[-4] == "digits")
    template = read_record(path).model_dump(mode="json")
    for number in range(first, last):
        series, seed = divmod(number, SEEDS)
        task, model = TASKS[series % len(TASKS)], MODELS[series // len(TASKS) % len(MODELS)]
        record = {**template, "task": task, "model": model, "seed": seed, "scale": "mini"}
        config = {**template["identity"]["config"], "seed": seed, "scale": "mini"}
        config["task"] = {**config["task"], "name": task}
        config["model"] = {**config["model"], "name": model}
        config["training"] = {**config["training"], "lr": 1e-6 * (series + 1)}
        record["identity"] = {**template["identity"], "config": config}
        record["run_id"] = run_id_of(record["identity"])
        record["metrics"] = {"test": {template["metric"]: 0.5 + (number * 7919 % 1000) / 2500}}
        folder = store / task / model / record["run_id"]
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(json.dumps(record), encoding="utf-8")


def aggregate(store: Path) -> int:
    """Read and group the runs and make the table, as a report does before writing; return the number of runs."""
    from nacbench.recording.index import read_runs
    from nacbench.reporting.series import group
    from nacbench.reporting.tables.scores import score_table

    found = read_runs(store)
    score_table(group(found.runs), found.failures)
    return len(found.runs)


def main() -> None:
    """Write records, aggregate them twice, and print the times."""
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with TemporaryDirectory(prefix="nacbench-aggregate-") as scratch:
        os.environ["NACBENCH_CACHE"] = f"{scratch}/cache"
        store = Path(scratch) / "runs"
        # Import first, so that the first aggregation does not pay for it
        started = time.perf_counter()
        import pandas as pd
        import pyarrow.parquet  # noqa: F401
        import scipy.stats  # noqa: F401

        pd.DataFrame({"a": [1]})
        print(f"imports: {time.perf_counter() - started:.1f} s, counted in neither column")
        print(f"{'records':>9} {'first':>8} {'again':>8}")
        done = 0
        for count in (total // 4, total // 2, total):
            write_records(store, done, count)
            done = count
            for file in (Path(scratch) / "cache").rglob("*.parquet"):
                file.unlink()
            times = []
            for _ in range(2):
                started = time.perf_counter()
                assert aggregate(store) == count
                times.append(time.perf_counter() - started)
            print(f"{count:>9,} {times[0]:>6.2f} s {times[1]:>6.2f} s", flush=True)


if __name__ == "__main__":
    main()
