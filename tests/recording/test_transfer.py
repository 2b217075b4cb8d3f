"""Merging, packing and unpacking runs: complete, verified, never replacing other results."""

import hashlib
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from nacbench.contracts.task import Evaluation
from nacbench.data.mirror.unpack import unpack
from nacbench.errors import UserError
from nacbench.filesystem.files import digest_of, utc_now
from nacbench.recording.decisions import Asked, Decision, Member, begin
from nacbench.recording.index import read_runs
from nacbench.recording.record import RunRecord
from nacbench.recording.tags import Tags, add_tags, read_tags
from nacbench.recording.transfer import merge, pack, unpack_into
from nacbench.reporting.build import build_report
from nacbench.reporting.comparing import compare
from nacbench.running.scoring import write_predictions
from tests.made import made_failure, made_record, write_failure, write_run


def run_of(store: Path, *, weights: bytes = b"weights", **changes: Any) -> Path:
    """Write a run with files whose digests are in its record."""
    folder = write_run(store, made_record(**changes))
    (folder / "checkpoint").mkdir()
    (folder / "checkpoint/model.safetensors").write_bytes(weights)
    (folder / "log.txt").write_text("a log")
    (folder / "claims").mkdir()
    (folder / "claims/000001.json").write_text("{}")
    names = ("curve.jsonl", "checkpoint/model.safetensors")
    return with_record(folder, files={n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in names})


def with_record(folder: Path, **changes: Any) -> Path:
    record = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps({**record, **changes}))
    return folder


def contents(store: Path) -> dict[str, bytes]:
    return {str(p.relative_to(store)): p.read_bytes() for p in sorted(store.rglob("*")) if p.is_file()}


def test_all_finished_runs_are_copied_with_all_files(tmp_path: Path) -> None:
    folder = run_of(tmp_path / "a", seed=0)
    run_of(tmp_path / "b", seed=1)
    write_failure(tmp_path / "b", made_failure())
    merged = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    assert (merged.copied, merged.there, merged.broken) == (2, 0, [])
    assert sorted(run.seed for run in read_runs(tmp_path / "all").runs) == [0, 1]
    place = tmp_path / "all" / folder.relative_to(tmp_path / "a")
    assert {path.name for path in place.iterdir()} == {
        "record.json",
        "state.json",
        "curve.jsonl",
        "log.txt",
        "checkpoint",
    }
    assert (place / "checkpoint/model.safetensors").read_bytes() == b"weights"
    before = contents(tmp_path / "all")
    again = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    assert (again.copied, again.there) == (0, 2)
    assert contents(tmp_path / "all") == before


def test_failures_go_with_the_runs_until_their_run_is_finished(tmp_path: Path) -> None:
    run_of(tmp_path / "a", seed=0)
    diverged = made_failure(status="failed", cause="diverged")
    write_failure(tmp_path / "a", diverged.model_copy(update={"log": ["/home/me"], "traceback": "in /home/me"}))
    write_failure(tmp_path / "a", made_failure(seed=7, run_id="0123456789ab", status="cancelled"))
    first = merge([tmp_path / "a"], tmp_path / "all", weights=False)
    assert (first.copied, first.failed) == (1, 1)
    assert read_runs(tmp_path / "all").failures == [diverged]
    assert merge([tmp_path / "a"], tmp_path / "all").failed == 0
    archive = tmp_path / "all.tar.gz"
    assert pack([tmp_path / "all"], archive).failed == 1
    assert unpack_into(archive, tmp_path / "there", unpack).failed == 1
    assert read_runs(tmp_path / "there").failures == [diverged]
    (tmp_path / "there" / "digits" / "vit" / diverged.run_id / "failure.json").unlink()  # a copy that was interrupted
    assert merge([tmp_path / "a"], tmp_path / "there").failed == 1
    later = diverged.model_copy(update={"cause": "oom", "when": "2026-11-24T09:00:00+00:00"})
    write_failure(tmp_path / "c", later)
    for stores in (("a", "c"), ("c", "a")):  # the last one counts, whatever the order
        assert later in read_runs(*(tmp_path / store for store in stores)).failures
    done = write_run(tmp_path / "b", made_record(seed=diverged.seed, lr=0.5))
    place = tmp_path / "all" / done.relative_to(tmp_path / "b")
    write_failure(tmp_path / "all", made_failure(status="failed", model=place.parent.name, run_id=place.name))
    assert merge([tmp_path / "b"], tmp_path / "all").copied == 1
    assert (place / "record.json").is_file()
    assert not (place.parent / ".replaced").exists()
    write_failure(tmp_path / "old", made_failure(status="failed", model=place.parent.name, run_id=place.name))
    assert read_runs(tmp_path / "all", tmp_path / "old").failures == [diverged]  # the other run is finished


def test_equal_records_of_one_run_are_merged(tmp_path: Path) -> None:
    run_of(tmp_path / "a")
    with_record(run_of(tmp_path / "b"), finished="2026-11-24T00:00:00+00:00", attempts=3)
    merged = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    assert (merged.copied, merged.there) == (1, 1)


def test_of_several_copies_of_a_run_the_fullest_is_taken(tmp_path: Path) -> None:
    run_of(tmp_path / "whole")
    merge([tmp_path / "whole"], tmp_path / "lean", weights=False)
    for order in (("lean", "whole"), ("whole", "lean")):
        merge([tmp_path / name for name in order], tmp_path / "-".join(order))
        assert len(list((tmp_path / "-".join(order)).rglob("*.safetensors"))) == 1


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_a_run_that_is_there_gets_what_it_lacks(tmp_path: Path, damage: str) -> None:
    folder = run_of(tmp_path / "a")
    merge([tmp_path / "a"], tmp_path / "all")
    whole = contents(tmp_path / "all")
    (place,) = (tmp_path / "all").rglob("*.safetensors")
    place.unlink()
    if damage == "damaged":
        place.write_bytes(b"other")
    assert merge([tmp_path / "a"], tmp_path / "all", weights=False).completed == 0
    merged = merge([tmp_path / "a"], tmp_path / "all")
    assert (merged.copied, merged.there, merged.completed) == (0, 1, 1)
    assert contents(tmp_path / "all") == whole
    place.unlink()
    (folder / "checkpoint/model.safetensors").write_bytes(b"another")  # not the record's
    assert merge([tmp_path / "a"], tmp_path / "all").completed == 0 and not place.exists()


def test_weights_that_are_not_copied_may_be_damaged(tmp_path: Path) -> None:
    (run_of(tmp_path / "a") / "checkpoint/model.safetensors").write_bytes(b"other")
    with pytest.raises(UserError, match="is damaged or changed"):
        merge([tmp_path / "a"], tmp_path / "all")
    assert merge([tmp_path / "a"], tmp_path / "all", weights=False).copied == 1


def test_failures_keep_their_tags(tmp_path: Path) -> None:
    folder = write_failure(tmp_path / "a", made_failure(status="failed"))
    run_of(tmp_path / "a")
    add_tags(folder, Tags(tags=("odd",)))
    merge([tmp_path / "a"], tmp_path / "all")
    assert read_tags(tmp_path / "all" / folder.relative_to(tmp_path / "a")).tags == ("odd",)


def test_decisions_with_other_margins_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    for store, margin in (("a", 1.0), ("b", 2.0)):
        run_of(tmp_path / store)
        begin(tmp_path / store, decided("nac - vit", margin))
        begin(tmp_path / store, decided(f"only in {store}", margin, other=store))
    before = contents(tmp_path)
    told = r"digits: nac - vit was decided with a margin of 2 in .*/b, and with 1 in what is copied; keep them in two "
    with pytest.raises(UserError, match=f"{told}folders. Nothing was copied"):
        merge([tmp_path / "a"], tmp_path / "b")
    assert contents(tmp_path) == before


def decided(name: str, margin: float, other: str = "b") -> Decision:
    members = tuple(Member(label=label, series=(label * 12)[:12]) for label in ("a", other * 2))
    asked = Asked(name=name, task="digits", scale="smoke", members=members, bars=(0.0,))
    about: dict[str, Any] = {"sweep": "mine", "began": utc_now(), "level": 0.05, "prior": 8.0, "first": 3, "most": 20}
    return Decision(margin=margin, comparisons=(asked,), **about)


@pytest.mark.parametrize("where", ["between stores", "with the target"])
def test_different_records_of_one_run_are_an_error_and_nothing_is_copied(tmp_path: Path, where: str) -> None:
    run_of(tmp_path / "a", seed=1)
    run_of(tmp_path / "a")
    other = tmp_path / ("b" if where == "between stores" else "all")
    with_record(run_of(other), metrics={"test": {"accuracy": 0.91}})
    before = contents(tmp_path)
    stores = [tmp_path / "a", tmp_path / "b"] if where == "between stores" else [tmp_path / "a"]
    with pytest.raises(UserError, match=r"digits · nac · seed 0 has different numbers in .* and .*nothing was copied"):
        merge(stores, tmp_path / "all")
    assert contents(tmp_path) == before


@pytest.mark.parametrize(("name", "complaint"), [("curve.jsonl", "is damaged or changed"), ("gone", "is missing")])
def test_a_damaged_file_is_named_and_nothing_is_copied(tmp_path: Path, name: str, complaint: str) -> None:
    run_of(tmp_path / "a", seed=1)
    folder = run_of(tmp_path / "a")
    (folder / "curve.jsonl").write_text("changed")
    if name == "gone":
        (folder / "curve.jsonl").unlink()
    with pytest.raises(UserError, match=rf"curve\.jsonl {complaint}.*nothing was copied"):
        merge([tmp_path / "a"], tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_of_many_damaged_files_some_are_named_and_the_others_counted(tmp_path: Path) -> None:
    for seed in range(7):
        (run_of(tmp_path / "a", seed=seed) / "curve.jsonl").unlink()
    with pytest.raises(UserError, match="; and 2 more; nothing was copied") as caught:
        merge([tmp_path / "a"], tmp_path / "all")
    assert str(caught.value).count("is missing") == 5


def test_an_unfinished_run_in_the_target_is_set_aside(tmp_path: Path) -> None:
    folder = run_of(tmp_path / "a")
    place = tmp_path / "all" / folder.relative_to(tmp_path / "a")
    place.mkdir(parents=True)
    (place / "state.json").write_text("{}")
    assert merge([tmp_path / "a"], tmp_path / "all").copied == 1
    assert (place / "record.json").exists()
    assert (place.parent / ".replaced" / f"{place.name}-1" / "state.json").exists()


def test_runs_are_not_merged_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "all").touch()
    with pytest.raises(
        UserError, match=r"cannot use .*all: it is a file, and this must be a folder: name another place"
    ):
        merge([tmp_path / "runs"], tmp_path / "all")


def test_broken_records_are_named_and_not_copied(tmp_path: Path) -> None:
    run_of(tmp_path / "a", seed=1)
    (run_of(tmp_path / "a") / "record.json").write_text("{")
    merged = merge([tmp_path / "a"], tmp_path / "all")
    assert merged.copied == 1
    assert "is not JSON" in merged.broken[0]


def test_pack_and_unpack_preserve_the_runs(tmp_path: Path) -> None:
    for seed in range(2):
        run_of(tmp_path / "a", seed=seed)
    assert pack([tmp_path / "a"], tmp_path / "out/runs.tar.gz").copied == 2
    pack([tmp_path / "a"], tmp_path / "again.tar.gz")
    assert (tmp_path / "again.tar.gz").read_bytes() == (tmp_path / "out/runs.tar.gz").read_bytes()
    merge([tmp_path / "a"], tmp_path / "merged")
    assert unpack_into(tmp_path / "again.tar.gz", tmp_path / "b", unpack).copied == 2
    assert contents(tmp_path / "b") == contents(tmp_path / "merged")
    assert unpack_into(tmp_path / "again.tar.gz", tmp_path / "b", unpack).there == 2


def archive_of(folder: Path, place: Path) -> Path:
    """Archive a folder of runs as it is, whatever is wrong with it."""
    with tarfile.open(place, "w:gz") as archive:
        archive.add(folder, ".")
    return place


def test_what_is_wrong_in_an_archive_is_told_by_its_place_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_of(Path("a"))
    odd = run_of(Path("a"), seed=1)
    (odd / "record.json").write_text("{")
    inside = odd.relative_to("a")
    (line,) = unpack_into(archive_of(Path("a"), Path("odd.tar.gz")), Path("b"), unpack).broken
    assert line.startswith(f"odd.tar.gz/{inside}/record.json ")
    shutil.rmtree(odd)
    whole = run_of(Path("a"), seed=2)
    (whole / "curve.jsonl").write_bytes(b"other")
    with pytest.raises(UserError, match=rf"^damaged\.tar\.gz/{whole.relative_to('a')}/curve\.jsonl is damaged"):
        unpack_into(archive_of(Path("a"), Path("damaged.tar.gz")), Path("c"), unpack)


def test_an_archive_without_weights_is_smaller_and_valid(tmp_path: Path) -> None:
    run_of(tmp_path / "a")
    pack([tmp_path / "a"], tmp_path / "runs.tar.gz", weights=False)
    with tarfile.open(tmp_path / "runs.tar.gz") as archive:
        assert not [name for name in archive.getnames() if "checkpoint" in name]
    assert unpack_into(tmp_path / "runs.tar.gz", tmp_path / "b", unpack).copied == 1


def reported(store: Path, out: Path) -> list[str]:
    """Return all tables of a report, and a comparison of two runs, which reads their predictions."""
    built = build_report([store], out)
    compared = compare(read_runs(store), "nac", "vit", "digits")
    assert compared.examples
    tables = [path.read_text() for path in built.files if path.suffix in (".md", ".tex", ".csv")]
    assert len(tables) >= 3
    return [*tables, *compared.lines()]


def test_an_archive_without_logits_gives_the_same_tables(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for model in ("nac", "vit"):
        logits = rng.normal(size=(500, 10)).astype(np.float16)
        predictions: dict[str, np.ndarray] = {
            "index": np.arange(500, dtype=np.int32),
            "label": np.arange(500, dtype=np.int32) % 10,
            "prediction": logits.argmax(1).astype(np.int32),
            "nll": rng.random(500, dtype=np.float32),
            "logits": logits,
        }
        folder = run_of(tmp_path / "a", model=model, score=0.5)
        write_predictions(folder / "predictions.parquet", {"test": Evaluation(metrics={}, predictions=predictions)})
        files = json.loads((folder / "record.json").read_text())["files"]
        with_record(folder, files={**files, "predictions.parquet": digest_of(folder / "predictions.parquet")})
    assert merge([tmp_path / "a"], tmp_path / "whole").copied == 2
    assert merge([tmp_path / "a"], tmp_path / "small", logits=False).copied == 2
    assert reported(tmp_path / "small", tmp_path / "r1") == reported(tmp_path / "whole", tmp_path / "r2")
    for path in (tmp_path / "small").rglob("predictions.parquet"):
        assert "logits" not in pq.read_schema(path).names
        assert path.stat().st_size < (tmp_path / "whole" / path.relative_to(tmp_path / "small")).stat().st_size / 2
    # the copy is valid by its own record, counts as the same run, and can be copied again
    assert merge([tmp_path / "small"], tmp_path / "again").copied == 2
    assert merge([tmp_path / "small"], tmp_path / "whole").there == 2
    pack([tmp_path / "a"], tmp_path / "small.tar.gz", logits=False)
    assert unpack_into(tmp_path / "small.tar.gz", tmp_path / "b", unpack).copied == 2
    assert contents(tmp_path / "b") == contents(tmp_path / "small")
    # and a change of its predictions is detected
    path = next((tmp_path / "small").rglob("predictions.parquet"))
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(UserError, match="is damaged or changed"):
        merge([tmp_path / "small"], tmp_path / "more")


def test_a_file_that_cannot_be_packed_or_unpacked_is_named(tmp_path: Path) -> None:
    run_of(tmp_path / "a")
    (tmp_path / "there.tar.gz").touch()
    (tmp_path / "empty").mkdir()
    for stores, archive, complaint in (
        (["a"], "there.tar.gz", "exists already"),
        (["a"], "runs.zip", r"ends with \.tar\.gz"),
        (["empty"], "new.tar.gz", "no finished run"),
        (["nowhere"], "new.tar.gz", "no folder"),
    ):
        with pytest.raises(UserError, match=complaint):
            pack([tmp_path / store for store in stores], tmp_path / archive)
    assert not (tmp_path / "new.tar.gz").exists()
    for name, complaint in (
        ("there.tar.gz", "is empty; get it again"),
        ("nowhere.tar.gz", "there is no file"),
        ("a", "nacbench merge .*/a --into .*/b/deeper$"),
    ):
        with pytest.raises(UserError, match=complaint):
            unpack_into(tmp_path / name, tmp_path / "b" / "deeper", unpack)
    assert list(tmp_path.glob("**/.*")) == []
    assert not (tmp_path / "b").exists()  # an empty folder would look like runs that were unpacked


def test_a_folder_without_runs_is_not_merged(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"^no finished run in .*/empty; make one with: nacbench run"):
        merge([tmp_path / "empty"], tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_hostile_archive_is_refused(tmp_path: Path) -> None:
    run_of(tmp_path / "a")
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "a", arcname="../outside")
    with pytest.raises(UserError, match="would lie outside"):
        unpack_into(tmp_path / "evil.tar.gz", tmp_path / "b", unpack)
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path / "b").exists()


def test_names_in_a_record_cannot_lead_out_of_the_store(tmp_path: Path) -> None:
    """A run's folder is named after the task in its record, which may come from an untrusted archive."""
    folder = run_of(tmp_path / "a")
    for hostile in ("../../outside", "/tmp/outside", "..", ""):
        record = json.loads((folder / "record.json").read_text())
        (folder / "record.json").write_text(json.dumps({**record, "task": hostile}))
        with pytest.raises(UserError, match=r"^no finished run in .*is not a record of schema 3: task"):
            merge([tmp_path / "a"], tmp_path / "all")
        assert not (tmp_path / "all").exists()
    assert RunRecord.model_validate({**record, "task": "digits"}).task == "digits"
