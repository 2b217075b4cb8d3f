"""The index: finds all runs of some stores, names broken records, and caches rows."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nacbench.errors import UserError
from nacbench.recording import index, row_readers
from nacbench.recording.index import Runs, read_runs
from nacbench.recording.read_record import read_record
from nacbench.recording.record import RunRecord
from tests.made import folder_of, made_failure, made_record, write_failure, write_run


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use an empty cache."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("NACBENCH_CACHE", str(folder))
    return folder


def seeds(found: Runs) -> list[int]:
    return [run.seed for run in found.runs]


def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Count the records that are read from their files from now on."""
    read: list[Path] = []

    def reading(path: str, run_id: str) -> RunRecord:
        read.append(Path(path))
        return read_record(path, run_id)

    monkeypatch.setattr(index, "read_record", reading)
    return read


def test_all_records_and_failures_of_several_folders_are_read(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 1)):
        write_run(tmp_path / name, made_record(seed=seed))
    write_failure(tmp_path / "a", made_failure())
    found = read_runs(tmp_path / "a", tmp_path / "b")
    assert seeds(found) == [0, 1]
    assert [failure.model for failure in found.failures] == ["vit"]
    assert found.broken == []


def test_a_broken_record_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    write_run(tmp_path, made_record(seed=0))
    bad = write_run(tmp_path, made_record(seed=1)) / "record.json"
    bad.write_text("{")
    for _ in range(2):  # without and with cached rows
        found = read_runs(tmp_path)
        assert seeds(found) == [0]
        (line,) = found.broken
        assert line.startswith(f"{bad} is not a record of schema 3: it is not JSON: ")


def test_folders_whose_names_start_with_a_dot_are_not_read(tmp_path: Path) -> None:
    write_run(tmp_path / ".hidden", made_record())
    found = read_runs(tmp_path)
    assert not any([found.runs, found.failures, found.broken, found.unfinished])


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no folder .*nowhere"):
        read_runs(tmp_path / "nowhere")


def test_the_same_run_in_two_folders_counts_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_run(tmp_path / name, made_record())
    (run,) = read_runs(tmp_path / "b", tmp_path / "a").runs
    assert run.folder.startswith(str(tmp_path / "b"))


def test_cached_records_are_not_read_again_and_give_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        write_run(tmp_path, made_record(seed=seed, notes=["ü | <b>"]))
    first = read_runs(tmp_path)
    read = reads(monkeypatch)
    assert repr(read_runs(tmp_path)) == repr(first)  # as text, in which NaN, for what is unknown, equals itself
    assert read == []
    new = write_run(tmp_path, made_record(seed=3))
    assert sorted(seeds(read_runs(tmp_path))) == [0, 1, 2, 3]
    assert read == [new / "record.json"]


def test_a_changed_record_is_read_again_and_a_removed_one_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [write_run(tmp_path, made_record(seed=seed)) for seed in range(2)]
    read_runs(tmp_path)
    file = folders[1] / "record.json"
    file.write_text(file.read_text().replace('"accuracy": 0.9', '"accuracy": 0.7'))  # of the same size
    os.utime(file, ns=(1, 1))
    read = reads(monkeypatch)
    assert {run.seed: run.score for run in read_runs(tmp_path).runs} == {0: 0.9, 1: 0.7}
    assert read == [file]
    file.unlink()
    assert seeds(read_runs(tmp_path)) == [0]
    assert seeds(read_runs(tmp_path)) == [0]


def test_a_record_is_read_again_although_its_size_and_modification_time_are_the_old_ones(tmp_path: Path) -> None:
    """As after `cp -p`, unpacking an archive, or an editor that restores times."""
    file = write_run(tmp_path, made_record(score=0.75)) / "record.json"
    assert [run.score for run in read_runs(tmp_path).runs] == [0.75]
    before = file.stat()
    file.write_text(file.read_text().replace("0.75", "0.25"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert [run.score for run in read_runs(tmp_path).runs] == [0.25]


def test_an_index_with_another_number_is_not_believed(tmp_path: Path, cache: Path) -> None:
    write_run(tmp_path, made_record(score=0.75))
    first = read_runs(tmp_path)
    (file,) = (cache / "index").iterdir()
    table = pq.read_table(file)
    position = table.column_names.index("score")
    pq.write_table(table.set_column(position, "score", pa.array([0.25])), file)
    assert read_runs(tmp_path) == first


@pytest.mark.parametrize("damage", ["", "no Parquet"])
def test_a_damaged_index_is_built_again(tmp_path: Path, cache: Path, damage: str) -> None:
    write_run(tmp_path, made_record())
    first = read_runs(tmp_path)
    (file,) = (cache / "index").iterdir()
    file.write_text(damage)
    assert read_runs(tmp_path) == first
    assert len(list((cache / "index").iterdir())) == 1


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, cache: Path) -> None:
    write_run(tmp_path, made_record())
    (cache / "index").write_text("in the way")
    assert seeds(read_runs(tmp_path)) == [0]


def test_runs_that_differ_only_in_their_seed_are_one_series(tmp_path: Path) -> None:
    for seed in range(2):
        write_run(tmp_path, made_record(task="digits-c", trained_on="digits", seed=seed))
    first, second = read_runs(tmp_path).runs
    assert first.series == second.series
    assert '"digits"' in first.settings


def test_very_many_records_are_read_in_several_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(6):
        write_run(tmp_path / "runs", made_record(seed=seed))
    (folder_of(tmp_path / "runs", seed=2) / "record.json").write_text("{}")
    alone = read_runs(tmp_path / "runs")
    monkeypatch.setenv("NACBENCH_CACHE", str(tmp_path / "another cache"))
    monkeypatch.setattr(row_readers, "MANY", 4)
    monkeypatch.setattr(row_readers, "EACH", 2)
    monkeypatch.setattr(row_readers, "granted_cores", lambda: 2)
    places = [(run.folder, run.size, run.changed) for run in alone.runs]
    found = row_readers.rows_at(places)
    assert {folder: repr(run) for folder, run in found.items()} == {run.folder: repr(run) for run in alone.runs}
    together = read_runs(tmp_path / "runs")
    assert repr(together) == repr(alone)
    assert len(together.runs) == 5 and "record.json is not a record" in together.broken[0]


@pytest.mark.parametrize("program", ["/bin/false", "/bin/cat"], ids=["does not start", "answers something else"])
def test_without_other_processes_records_are_read_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    for seed in range(4):
        write_run(tmp_path, made_record(seed=seed))
    monkeypatch.setattr(row_readers, "MANY", 1)
    monkeypatch.setattr(row_readers, "EACH", 1)
    monkeypatch.setattr(row_readers, "granted_cores", lambda: 2)
    monkeypatch.setattr(row_readers, "worker_environment", dict)
    monkeypatch.setattr("sys.executable", program)
    assert sorted(seeds(read_runs(tmp_path))) == [0, 1, 2, 3]
