"""Tags and notes: beside the record, found by filters at once, and lost by nothing but ``nacbench tag``."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nacbench import records
from nacbench.cli import app
from nacbench.data.mirror.unpack import unpack
from nacbench.errors import UserError
from nacbench.recording import tags
from nacbench.recording.choice import Choice
from nacbench.recording.index import read_runs
from nacbench.recording.tags import TAGS, add_tags, change_tags, given, read_tags
from nacbench.recording.transfer import merge, pack, unpack_into
from tests.made import made_failure, made_record, write_failure, write_run


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Three runs of one series; the first two have tags, and the first a note."""
    folders = [write_run(tmp_path / "runs", made_record(seed=seed)) for seed in range(3)]
    add_tags(folders[0], given(["good", "v1"], "The loss spikes at epoch 3"))
    add_tags(folders[1], given("v1"))
    return tmp_path / "runs"


def seeds(store: Path, *where: str) -> list[int]:
    return [run.seed for run in sorted(Choice(where=where).of(read_runs(store)).runs, key=lambda run: run.seed)]


def folder_of(store: Path, seed: int) -> Path:
    return next(Path(run.folder) for run in read_runs(store).runs if run.seed == seed)


@pytest.mark.parametrize(
    ("where", "left"),
    [
        ("tag=good", [0]),
        ("tag=v1", [0, 1]),
        ("tag = good,v1", [0, 1]),
        ("tag!=good", [1, 2]),
        ("tag~OO", [0]),
        ("note~spikes at epoch", [0]),
        ("note=The loss spikes at epoch 3", [0]),
        ("training.lr~0.0", [0, 1, 2]),
    ],
)
def test_runs_are_chosen_by_tag_and_note(store: Path, where: str, left: list[int]) -> None:
    assert seeds(store, where) == left


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("tag=bad", "--where tag=bad leaves none of 3 runs; tag is good or v1"),
        ("tags=good", "unknown setting in --where 'tags'; did you mean 'tag'"),
        ("note~", "--where 'note~': write KEY=VALUE, as in training.lr=0.001, or with != < <= > >= or ~"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused(store: Path, where: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        seeds(store, where)
    assert str(caught.value).startswith(message)


def test_a_filter_by_tag_without_any_tag_says_so(tmp_path: Path) -> None:
    write_run(tmp_path, made_record())
    with pytest.raises(UserError, match="none of the runs has a tag; nacbench tag gives them"):
        seeds(tmp_path, "tag=good")


def test_records_have_them_and_see_every_change(store: Path) -> None:
    assert list(records(store).sort_values("seed")["tags"]) == ["good,v1", "v1", ""]
    assert list(records(store).sort_values("seed")["notes"]) == ["The loss spikes at epoch 3", "", ""]
    for number in range(5):  # also within one tick of the file system's clock
        change_tags(folder_of(store, 2), lambda own, number=number: given(f"t{number}"))  # type: ignore[misc]
        assert sorted(records(store)["tags"]) == ["good,v1", f"t{number}", "v1"]
    (folder_of(store, 2) / TAGS).unlink()
    assert sorted(records(store)["tags"]) == ["", "good,v1", "v1"]


def test_tags_from_several_sides_at_once_are_all_kept(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: add_tags(tmp_path, given(f"t{number:02}")), range(40)))
    assert read_tags(tmp_path).tags == tuple(f"t{number:02}" for number in range(40))
    assert [path.name for path in tmp_path.iterdir()] == [TAGS]


@pytest.mark.parametrize("way", ["merge", "pack", "two copies"])
def test_copies_keep_the_tags_and_notes_of_all(store: Path, tmp_path: Path, way: str) -> None:
    other = write_run(tmp_path / "other", made_record(seed=0))
    add_tags(other, given(["v1", "best"], ["The loss spikes at epoch 3", "A second look"]))
    target = tmp_path / "all"
    if way == "merge":
        add_tags(write_run(target, made_record(seed=1)), given("mine"))
        merge([store, tmp_path / "other"], target)
        assert read_tags(folder_of(target, 1)).tags == ("mine", "v1")
    elif way == "pack":
        pack([store, tmp_path / "other"], tmp_path / "runs.tar.gz")
        unpack_into(tmp_path / "runs.tar.gz", target, unpack)
    found = read_runs(*([target] if target.exists() else [store, tmp_path / "other"])).runs
    (first,) = [run for run in found if run.seed == 0]
    assert first.own_tags() == given(["best", "good", "v1"], ["The loss spikes at epoch 3", "A second look"])
    assert len(found) == 3


def test_a_merge_into_a_folder_without_a_record_keeps_its_tags(store: Path, tmp_path: Path) -> None:
    started = tmp_path / "all" / folder_of(store, 0).relative_to(store)
    started.mkdir(parents=True)
    add_tags(started, given("early"))
    merge([store], tmp_path / "all")
    assert read_tags(started).tags == ("early", "good", "v1")


@pytest.mark.parametrize(
    "content",
    ["{", '{"tags": ["a b"]}', '{"tags": [1]}', '{"more": 1}', json.dumps({"tags": ["x"] * 2000}), '{"notes": [""]}'],
)
def test_a_broken_file_is_named_and_its_run_counts(store: Path, tmp_path: Path, content: str) -> None:
    broken = folder_of(store, 0) / TAGS
    broken.write_text(content)
    for _ in range(2):  # the second time from the cache
        found = read_runs(store)
        assert len(found.runs) == 3
        assert [str(broken) in line and "its run counts, without tags" in line for line in found.broken] == [True]
    assert seeds(store, "tag=v1") == [1]
    merged = merge([store], tmp_path / "all")
    assert (merged.copied, len(merged.broken)) == (3, 1)
    with pytest.raises(UserError, match=TAGS):  # rather than replaced, and what it held lost
        add_tags(broken.parent, given("more"))
    assert broken.read_text() == content


@pytest.mark.parametrize(
    ("tag", "note", "message"),
    [
        ("a b", (), r"tags\.0 = 'a b': a tag has letters, digits and \. _ : @ \+ - only"),
        ("a,b", (), "a tag has"),
        ("../x", (), "a tag has"),
        ("-x", (), "a tag has"),
        ("", (), "a tag has"),
        ("x" * 65, (), "64 at most"),
        ([2024], (), r'tags\.0 = 2024: write it as text; in YAML in quotes, as in "2024"'),
        ([True], (), "tags.0 = True: write it as text"),
        ({"a": 1}, (), "write it as text"),
        ([f"t{number}" for number in range(1001)], (), "1000"),
        ((), "", "a note has 1 to 2,000 characters, and this one has 0"),
        ((), "x" * 2001, "this one has 2,001"),
        ((), "\x1b[31mred", r"the character U\+001B is not allowed"),
        ((), "\ud800", r"the character U\+D800 is not allowed"),
    ],
)
def test_what_is_no_tag_or_note_is_refused(tag: object, note: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        given(tag, note)


def test_a_note_is_one_line(tmp_path: Path) -> None:
    assert given(notes="two\n  lines\tand\u2028more").notes == ("two lines and more",)


def command(*words: object) -> str:
    result = CliRunner().invoke(app, ["tag", *map(str, words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return " ".join(result.output.split())


def test_a_link_to_tags_that_leads_nowhere_is_named(store: Path) -> None:
    folder = folder_of(store, 2)
    (folder / TAGS).symlink_to(folder / "moved.json")
    found = read_runs(store)
    assert len(found.runs) == 3
    assert [str(folder / TAGS) in line and "its run counts, without tags" in line for line in found.broken] == [True]
    (folder / TAGS).unlink()
    assert not read_runs(store).broken


@pytest.mark.parametrize("where", ["source", "target", "set aside"])
def test_broken_tags_do_not_end_a_merge_half_way(store: Path, tmp_path: Path, where: str) -> None:
    """They are warned of, and everything else is copied; that of a failure, after which nothing looks for it again."""
    target = tmp_path / "merged"
    failed = [write_failure(store, made_failure(run_id=f"00000000000{number}")) for number in range(2)]
    if where == "source":
        broken = failed[0] / TAGS
    else:
        broken = write_run(target, made_record(seed=0)) / TAGS
        if where == "set aside":
            (broken.parent / "record.json").write_text("cut")
    broken.write_text("{")
    merged = merge([store], target)
    assert (merged.copied, merged.there, merged.failed) == ((2, 1, 2) if where == "target" else (3, 0, 2))
    assert any("has no tags and notes from" in line and TAGS in line for line in merged.broken)
    assert not merge([store], target).failed
    assert "v1" in read_tags(folder_of(target, 1)).tags


def test_the_command_adds_removes_and_prints(store: Path) -> None:
    first, second = folder_of(store, 0), folder_of(store, 1)
    said = command(first, second, "--add", "seen", "--remove", "good", "--note", "again")
    assert said == (
        f"{first}: tag seen, tag v1, note 'The loss spikes at epoch 3', note 'again' "
        f"{second}: tag seen, tag v1, note 'again'"
    )
    assert command(second.name[:10], "--out", store, "--remove-note", "again") == f"{second}: tag seen, tag v1"
    assert command(folder_of(store, 2)) == f"{folder_of(store, 2)}: no tags and no notes"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--remove", "goood"], "unknown tag of these runs 'goood'; did you mean 'good'?"),
        (["--remove-note", "x"], "unknown note of these runs 'x'; there are: The loss spikes at epoch 3"),
        (["--add", "x", "--remove", "x"], "'x' is to be added and to be removed; choose one"),
        (["nowhere", "--add", "x"], "'nowhere' is not a run's folder; no id in"),
        (["/", "--add", "x"], "/ is not a run's folder: it has no record.json, failure.json or state.json"),
    ],
)
def test_the_command_changes_nothing_if_it_refuses(store: Path, words: list[str], message: str) -> None:
    before = read_tags(folder_of(store, 0))
    with pytest.raises(UserError) as caught:
        command(folder_of(store, 0), *words, "--out", store)
    assert str(caught.value).startswith(message)
    assert read_tags(folder_of(store, 0)) == before


def test_a_folder_that_stays_locked_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "try_lock", lambda descriptor: False)
    monkeypatch.setattr(tags, "PATIENCE_SECONDS", 0.05)
    with pytest.raises(UserError, match="another process keeps changing the tags in"):
        add_tags(tmp_path, given("x"))
