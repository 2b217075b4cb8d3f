"""Nothing vanishes: links are followed, what cannot be read is named, and of two numbers none is chosen in silence."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from nacbench.errors import UserError
from nacbench.filesystem.files import append_to, digest_of
from nacbench.recording.index import look_at_runs, read_runs
from nacbench.recording.store import finished, refuse_links, set_aside
from nacbench.recording.transfer import merge, pack
from nacbench.reporting.build import build_report
from tests.made import folder_of, made_record, write_content, write_run


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NACBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))


def seeds(*stores: Path) -> list[int]:
    return sorted(run.seed for run in read_runs(*stores).runs)


# -- links -------------------------------------------------------------------------------------------------------------


def test_a_run_that_was_moved_and_left_a_link_counts_once(tmp_path: Path) -> None:
    store, elsewhere = tmp_path / "runs", tmp_path / "elsewhere"
    write_run(store, made_record(seed=0))
    moved = write_run(store, made_record(seed=1))
    elsewhere.mkdir()
    moved.rename(elsewhere / "an old name")
    moved.symlink_to(elsewhere / "an old name")
    assert seeds(store) == [0, 1]
    assert merge([store], tmp_path / "all").copied == 2
    assert pack([store], tmp_path / "runs.tar.gz").copied == 2
    assert seeds(tmp_path / "all") == [0, 1]
    assert finished(moved) is not None


def test_a_run_that_was_moved_within_its_store_and_left_a_link_counts_once(tmp_path: Path) -> None:
    moved = write_run(tmp_path, made_record())
    for place in ("digits/kept", ".hidden"):
        (tmp_path / place).mkdir()
        moved.rename(tmp_path / place / moved.name)
        moved.symlink_to(tmp_path / place / moved.name)
        assert seeds(tmp_path) == [0]
        moved.unlink()
        (tmp_path / place / moved.name).rename(moved)


def test_a_store_that_is_a_link_and_a_store_in_a_link_are_read(tmp_path: Path) -> None:
    write_run(tmp_path / "disk/real", made_record())
    (tmp_path / "runs").symlink_to(tmp_path / "disk/real")
    (tmp_path / "all").mkdir()
    (tmp_path / "all/linked").symlink_to(tmp_path / "disk")
    assert seeds(tmp_path / "runs") == seeds(tmp_path / "all") == [0]


def test_loops_of_links_end(tmp_path: Path) -> None:
    store = tmp_path / "up/runs"
    folder = write_run(store, made_record())
    (store / "self").symlink_to(store)
    (store / "digits/above").symlink_to(tmp_path)
    (folder.parent / "a").symlink_to(folder.parent / "b")
    (folder.parent / "b").symlink_to(folder.parent / "a")
    write_run(tmp_path / "other", made_record(seed=1))
    found = read_runs(store)
    assert sorted(run.seed for run in found.runs) == [0, 1]
    assert len(found.broken) == 2  # the two links to each other
    assert all("is a link that leads nowhere" in line for line in found.broken)


def test_many_links_to_each_other_take_no_longer_than_their_folders(tmp_path: Path) -> None:
    """With two links a level there are 2^40 paths, and 41 folders."""
    for level in range(40):
        folder = tmp_path / f"level-{level}"
        folder.mkdir()
        for name in ("a", "b"):
            (folder / name).symlink_to(tmp_path / f"level-{level + 1}")
    write_run(tmp_path / "level-40", made_record())
    assert seeds(tmp_path / "level-0") == [0]


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    gone = write_run(tmp_path, made_record())
    gone.rename(tmp_path.parent / "unmounted")
    gone.symlink_to(tmp_path / "nowhere")
    assert read_runs(tmp_path).broken == [f"{gone} is a link that leads nowhere: No such file or directory"]
    lost = write_run(tmp_path, made_record(seed=1)) / "record.json"
    lost.unlink()
    lost.symlink_to("nowhere.json")
    assert f"{lost} is a link that leads nowhere: No such file or directory" in read_runs(tmp_path).broken


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path, made_record())
    closed = tmp_path / "closed"
    closed.mkdir()
    listing = os.scandir

    def scandir(path: str) -> Any:
        if path == str(closed):
            raise PermissionError(13, "Permission denied", path)
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = read_runs(tmp_path)
    assert len(found.runs) == 1
    assert found.broken == [f"{closed} cannot be looked into: Permission denied"]


def test_a_store_with_a_name_that_is_not_utf_8_is_read(tmp_path: Path) -> None:
    write_run(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")), made_record())
    assert seeds(tmp_path) == seeds(tmp_path) == [0]


# -- two numbers -------------------------------------------------------------------------------------------------------


def with_score(folder: Path, score: float, **environment: Any) -> Path:
    content = json.loads((folder / "record.json").read_text())
    content["metrics"]["test"]["accuracy"] = score
    content["environment"] |= environment
    (folder / "record.json").write_text(json.dumps(content))
    return folder


def test_one_run_with_two_numbers_is_refused_with_both_paths(tmp_path: Path) -> None:
    stores = [tmp_path / name for name in ("a", "b")]
    one, other = (write_run(store, made_record()) for store in stores)
    assert seeds(*stores) == [0]  # equal copies count once
    with_score(other, 0.7)
    where = r"\(in the same environment, as far as it is recorded\)"
    message = rf"digits · nac · seed 0 has different numbers in {one} and {other} {where}"
    for reads in (
        lambda: read_runs(*stores),
        lambda: read_runs(tmp_path),
        lambda: build_report(stores, tmp_path / "out"),
        lambda: merge(stores, tmp_path / "all"),
        lambda: pack([tmp_path], tmp_path / "runs.tar.gz"),
    ):
        with pytest.raises(UserError, match=message):
            reads()
    assert len(look_at_runs(tmp_path).runs) == 2
    assert not (tmp_path / "all").exists()
    assert not (tmp_path / "runs.tar.gz").exists()


def test_copies_with_other_answers_are_refused(tmp_path: Path) -> None:
    def answers(*given: int) -> dict[str, object]:
        return {"answers": {"options": 2, "labels": [500, 500], "given": list(given)}}

    stores = [tmp_path / name for name in ("a", "b", "c")]
    for store, change in zip(stores, (answers(520, 480), answers(500, 500), {}), strict=True):
        folder = write_run(store, made_record())
        content = json.loads((folder / "record.json").read_text())
        (folder / "record.json").write_text(json.dumps({**content, **change}))
    for pair in (stores[:2], stores[1::-1]):
        with pytest.raises(UserError, match="digits · nac · seed 0 has different numbers in"):
            read_runs(*pair)
    assert seeds(*stores[1:]) == [0]  # one of before answers were counted is no other one


def test_what_differs_between_the_machines_of_two_numbers_is_named(tmp_path: Path) -> None:
    stores = [tmp_path / name for name in ("a", "b")]
    _, other = (write_run(store, made_record()) for store in stores)
    hardware = {"device": "cpu", "cpu": "Test CPU", "cores": 2, "threads": 1, "gpu": None}
    with_score(other, 0.7, hardware=hardware, versions={"nacbench": "0.1.0", "torch": "2.14"}, settings={"tf32": True})
    with pytest.raises(UserError) as caught:
        merge(stores, tmp_path / "all")
    for part in (
        "threads differ (2, 1)",
        'torch differs (2.15.0, "2.14")',
        "tf32 differs (—, true)",
    ):
        assert part in str(caught.value)
    assert str(caught.value).endswith("nothing was copied")


def copied(folder: Path) -> Path:
    """What a file manager makes of a run: its name is not an id."""
    copy = folder.with_name(f"{folder.name}-copy")
    shutil.copytree(folder, copy)
    return copy


def test_a_copy_beside_a_run_is_named_and_counts_once(tmp_path: Path) -> None:
    folder = write_run(tmp_path, made_record())
    copy = copied(folder)
    for store in (tmp_path, tmp_path / "digits"):
        found = read_runs(store)
        assert [run.score for run in found.runs] == [0.9]
        assert f"{copy / 'record.json'} is the record of run {folder.name}" in found.broken[0]
    merged = merge([tmp_path], tmp_path.parent / f"{tmp_path.name}-all")
    assert (merged.copied, len(merged.broken)) == (1, 1)


def test_a_copy_beside_a_run_with_other_numbers_is_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path, made_record())
    copy = copied(folder)
    with_score(copy, 0.7)
    for reads in (
        lambda: read_runs(tmp_path),
        lambda: build_report([tmp_path], tmp_path / "out"),
        lambda: merge([tmp_path], tmp_path / "all"),
        lambda: pack([tmp_path], tmp_path / "runs.tar.gz"),
    ):
        with pytest.raises(UserError, match="has different numbers in") as refusal:
            reads()
        assert str(folder) in str(refusal.value)
        assert str(copy) in str(refusal.value)


def test_two_runs_of_one_series_and_seed_are_refused_with_both_paths(tmp_path: Path) -> None:
    first = write_run(tmp_path, made_record(task="digits-c", trained_on="digits"))
    content = made_record(task="digits-c", trained_on="digits").model_dump(mode="json")
    content["trained_on"]["run_id"] = content["identity"]["trained_on"] = "fedcba987654"
    second = write_content(tmp_path, content)
    with pytest.raises(UserError, match="digits-c · nac · seed 0 has two runs with the same settings") as caught:
        read_runs(tmp_path)
    for part in (str(first), str(second), "0123456789ab", "fedcba987654"):
        assert part in str(caught.value)


# -- set aside ---------------------------------------------------------------------------------------------------------


def test_a_number_that_is_only_set_aside_is_named(tmp_path: Path) -> None:
    folder = write_run(tmp_path, made_record())
    set_aside(folder)
    (line,) = read_runs(tmp_path).broken
    assert line.startswith(f"{folder.parent / '.replaced' / folder.name}-1 holds the last finished record of run")
    with pytest.raises(UserError, match=r"no finished run in .*-1 holds the last finished record"):
        build_report([tmp_path], tmp_path / "out")
    write_run(tmp_path, made_record())
    assert read_runs(tmp_path).broken == []


def test_the_last_whole_record_that_was_set_aside_is_named(tmp_path: Path) -> None:
    for number in range(11):
        folder = write_run(tmp_path, made_record())
        if number == 10:
            (folder / "record.json").write_text("{")
        set_aside(folder)
    (folder.parent / ".replaced" / f"{folder.name}-notes").mkdir()
    (line,) = read_runs(tmp_path).broken
    assert f"{folder.name}-10 holds" in line


# -- planted links -----------------------------------------------------------------------------------------------------


def test_what_is_appended_does_not_go_through_a_link(tmp_path: Path) -> None:
    victim, log = tmp_path / "victim", tmp_path / "log.txt"
    victim.write_text("mine")
    log.symlink_to(victim)
    with pytest.raises(UserError, match=r"log\.txt is not a regular file"):
        append_to(log)
    assert victim.read_text() == "mine"
    log.unlink()
    os.mkfifo(log)
    with pytest.raises(UserError, match=r"log\.txt is not a regular file"):
        append_to(log)
    log.unlink()
    for _ in range(2):
        with append_to(log) as file:
            file.write("ü\n")
    assert log.read_text() == "ü\nü\n"


@pytest.mark.parametrize("name", ["log.txt", "curve.jsonl", "scores", "checkpoint", "claims", "checkpoint/last"])
def test_a_run_with_a_link_in_its_folder_is_not_started(tmp_path: Path, name: str) -> None:
    folder = folder_of(tmp_path)
    (folder / name).parent.mkdir(parents=True)
    refuse_links(folder)
    (folder / name).symlink_to(tmp_path)
    with pytest.raises(UserError, match=f"{name} is a link"):
        refuse_links(folder)
    (tmp_path / "linked").symlink_to(folder.parent)
    (folder / name).unlink()
    refuse_links(tmp_path / "linked" / folder.name)  # the folder itself may be reached by a link


def test_links_in_a_run_s_folder_are_not_copied(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "model.safetensors").write_text("weights")
    folder = write_run(tmp_path / "a", made_record())
    (folder / "notes").symlink_to(secret)
    (folder / "more.txt").symlink_to(secret / "model.safetensors")
    merge([tmp_path / "a"], tmp_path / "b")
    copied = folder_of(tmp_path / "b")
    assert not (copied / "notes").exists()
    assert not (copied / "more.txt").exists()
    (folder / "checkpoint").symlink_to(secret)
    content = json.loads((folder / "record.json").read_text())
    files = {"checkpoint/model.safetensors": digest_of(secret / "model.safetensors")}
    (folder / "record.json").write_text(json.dumps({**content, "files": files}))
    with pytest.raises(UserError, match=r"model\.safetensors is reached by a link"):
        merge([tmp_path / "a"], tmp_path / "c")


def test_a_file_beside_a_record_that_is_a_device_is_not_read(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a", made_record())
    (folder / "predictions.parquet").symlink_to("/dev/zero")
    content = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps({**content, "files": {"predictions.parquet": "0" * 64}}))
    with pytest.raises(UserError, match=r"predictions\.parquet is reached by a link"):
        merge([tmp_path / "a"], tmp_path / "b")
    with pytest.raises(UserError, match=r"predictions\.parquet is not a regular file"):
        digest_of(folder / "predictions.parquet")
