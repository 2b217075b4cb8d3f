"""Time of a whole report of many records, without and with the cached index, beside that of another checkout.

    python benchmarks/report.py [--records N] [--pairs N] [--beside EARLIER_CHECKOUT]

Times are of the processor, all processes of a report together, as the machine may do other work. Checkouts take turns.
"""

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

OWN = Path(__file__).parents[1]
CODE = "import sys; from pathlib import Path; from nacbench.reporting.build import build_report; "
CODE += "build_report([Path(sys.argv[1])], Path(sys.argv[2]))"
WRITE = "import sys; from pathlib import Path; from aggregate import write_records; "
WRITE += "write_records(Path(sys.argv[1]), 0, int(sys.argv[2]))"


def seconds(checkout: Path, store: Path, scratch: Path) -> float:
    """Return the processor's seconds for a report by a checkout's code."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "NACBENCH_CACHE": str(cache_of(checkout, scratch))}
    words = [sys.executable, "-W", "ignore", "-c", CODE, str(store), str(scratch / "report")]
    process = subprocess.Popen(words, env=environment, cwd=scratch)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, "the report failed"
    return used.ru_utime + used.ru_stime


def write(checkout: Path, store: Path, records: int) -> None:
    """Write records by the code of a checkout; earlier code does not read what later code wrote."""
    places = os.pathsep.join(map(str, (checkout, checkout / "benchmarks")))
    words = [sys.executable, "-W", "ignore", "-c", WRITE, str(store), str(records)]
    subprocess.run(words, env={**os.environ, "PYTHONPATH": places}, cwd=store.parent, check=True)


def cache_of(checkout: Path, scratch: Path) -> Path:
    """Return the folder of a checkout's own cache."""
    return scratch / f"cache-{checkout.name}-{checkout.parent.name}"


def main() -> None:
    """Write records, report them by each checkout in turn, cold and warm, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--beside", type=Path)
    given = parser.parse_args()
    checkouts = [OWN, *([given.beside.absolute()] if given.beside else [])]
    with TemporaryDirectory(prefix="nacbench-report-") as place:
        scratch = Path(place)
        write(checkouts[-1], scratch / "runs", given.records)
        found: dict[str, dict[Path, list[float]]] = {"cold": {}, "warm": {}}
        for _ in range(given.pairs):
            for checkout in checkouts:
                for file in cache_of(checkout, scratch).rglob("*.parquet"):
                    file.unlink()
                for kind, own in found.items():
                    own.setdefault(checkout, []).append(seconds(checkout, scratch / "runs", scratch))
                    print(f"{kind} {own[checkout][-1]:8.1f} s  {checkout}", flush=True)
    for kind, own in found.items():
        medians = [statistics.median(own[checkout]) for checkout in checkouts]
        ratio = f", {medians[0] / medians[1]:.2f} × the other's {medians[1]:.1f} s" if len(medians) > 1 else ""
        print(f"{given.records:,} records, {kind}: {medians[0]:.1f} s{ratio}")


if __name__ == "__main__":
    main()
