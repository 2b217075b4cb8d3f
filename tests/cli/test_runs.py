"""``nacbench runs``, ``nacbench show`` and the details of models: what is stored, in words and as JSON."""

import json
import shlex
import shutil
from pathlib import Path
from typing import Any, Literal

import pytest
from typer.testing import CliRunner

from nacbench.cli import app
from nacbench.contracts.described import option_texts, recipe_texts
from nacbench.errors import UserError
from nacbench.filesystem.files import utc_now
from nacbench.recording.locate import locate
from nacbench.recording.record import Answers, RunRecord
from nacbench.recording.store import WEIGHTS
from nacbench.recording.tags import add_tags, given, read_tags
from nacbench.registry import MODELS, TASKS
from nacbench.suggestions import nearest
from nacbench.sweep.submission import Submission, SubmittedRun
from nacbench.watching.sources import FolderSource
from nacbench.watching.watcher import Watcher
from tests.made import made_failure, made_record, write_failure, write_run


def printed(*words: str) -> str:
    """Standard output of a command that succeeds."""
    result = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Three finished runs of two variants, and a failed one."""
    for seed, lr, score in ((0, 0.001, 0.8), (1, 0.001, 0.9), (0, 0.01, 0.7)):
        write_run(tmp_path, made_record(seed=seed, lr=lr, score=score), curve=False)
    write_failure(tmp_path, made_failure(model="vit", status="failed"))
    return tmp_path


def test_runs_are_listed_with_state_and_score_whether_they_are_finished_or_not(store: Path) -> None:
    rows = json.loads(printed("runs", str(store), "--json"))["runs"]
    assert sorted((row["model"], row["state"], row["score"]) for row in rows if row["score"]) == [
        ("nac", "done", 0.7),
        ("nac", "done", 0.8),
        ("nac", "done", 0.9),
    ]
    assert [row["model"] for row in rows if row["state"] == "failed"] == ["vit"]


def test_the_best_comes_first_in_the_unit_of_the_metric(store: Path) -> None:
    table = printed("runs", str(store), "--sort", "score", "--state", "done")
    assert table.index("90.00 %") < table.index("80.00 %") < table.index("70.00 %")
    assert "3 runs: 3 done" in table


def test_conditions_on_settings_choose_runs(store: Path) -> None:
    rows = json.loads(printed("runs", str(store), "--where", "training.lr=0.01", "--json"))["runs"]
    assert [row["settings"]["training.lr"] for row in rows] == [0.01]


def test_a_run_is_shown_by_the_beginning_of_its_id(store: Path) -> None:
    record = made_record(seed=1, score=0.9)
    shown = printed("show", record.run_id[:7], "--out", str(store))
    assert record.run_id in shown
    assert "90.00 %" in shown
    assert "nacbench repeat" in shown


def test_tags_are_a_column_where_a_run_has_some(store: Path) -> None:
    assert " tags " not in printed("runs", str(store))
    failed = made_failure(model="vit", status="failed")
    for run_id, tag in ((made_record(seed=1, score=0.9).run_id, "good"), (failed.run_id, "good"), (failed.run_id, "x")):
        add_tags(locate(run_id, store), given(tags=[tag], notes=["seen on Monday"]))
    assert " tags " in printed("runs", str(store))
    rows = json.loads(printed("runs", str(store), "--where", "tag=good", "--json"))["runs"]
    assert [(row["state"], row["tags"]) for row in rows] == [("done", ["good"]), ("failed", ["good", "x"])]


def test_a_run_is_shown_with_tags_notes_and_cost(store: Path) -> None:
    record = made_record(seed=1, score=0.9)
    add_tags(locate(record.run_id, store), given(tags=["good"], notes=["the one for the poster"]))
    shown = printed("show", record.run_id, "--out", str(store))
    assert "good" in shown
    assert "the one for the poster" in shown
    assert f"{record.cost.parameters:,}, of which the model" in shown
    assert "over test examples" not in shown


def test_a_failed_run_says_why(store: Path) -> None:
    failure = made_failure(model="vit", status="failed")
    shown = printed("show", failure.run_id, "--out", str(store))
    assert failure.reason.splitlines()[0] in shown


def rows_of(*words: str) -> list[dict[str, Any]]:
    """The rows of ``nacbench runs`` as data."""
    found: list[dict[str, Any]] = json.loads(printed("runs", *words, "--json"))["runs"]
    return found


def test_a_failed_run_is_found_in_a_part_of_a_store_and_by_its_settings(store: Path) -> None:
    failed = made_failure(model="vit", status="failed")
    assert [row["state"] for row in rows_of(str(store / "digits" / "vit"))] == ["failed"]
    folder = locate(failed.run_id, store)
    identity = made_record(model="vit", seed=9).identity
    (folder / "state.json").write_text(json.dumps({"attempts": 1, "identity": identity}))
    assert [row["state"] for row in rows_of(str(store), "--where", "model.depth=3", "--model", "vit")] == ["failed"]
    with pytest.raises(UserError, match="--where seed=77"):
        printed("runs", str(store), "--where", "seed=77")


def test_equal_copies_of_a_run_are_listed_once(store: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    copy = tmp_path_factory.mktemp("copy") / "runs"
    shutil.copytree(store, copy)
    assert len([row for row in rows_of(str(store), str(copy)) if row["state"] == "done"]) == 3


def test_a_folder_has_one_name_however_it_is_written(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = write_run(store, made_record(seed=5))
    (begun / "record.json").unlink()
    (store / "digits" / "nac" / "0123456789ab").mkdir()
    (store / "digits" / "nac" / "0123456789ab" / "record.json").write_text("{")
    monkeypatch.chdir(store / "digits")
    assert len(rows_of("..")) == len(rows_of(str(store))) == 5
    assert printed("report", "..", "--html", "--out", "report")
    page = (store / "digits" / "report" / "index.html").read_text()
    assert "Not counted: digits/nac/0123456789ab" in page
    assert str(store) not in page


def test_failures_without_a_finished_run_are_named(tmp_path: Path) -> None:
    write_failure(tmp_path, made_failure(status="failed", reason="out of memory"))
    done = CliRunner().invoke(app, ["report", str(tmp_path), "--out", str(tmp_path / "report")])
    assert done.exit_code != 0
    assert "digits · vit · seed 0 failed: out of memory" in str(done.exception)
    shown = printed("show", made_failure().run_id, "--out", str(tmp_path))
    assert "log.txt" not in shown


def test_a_run_without_a_readable_state_is_named(store: Path) -> None:
    folder = write_run(store, made_record(seed=5))
    (folder / "record.json").unlink()
    (folder / "state.json").write_text("{")
    done = CliRunner().invoke(app, ["runs", str(store)])
    assert f"warning: {folder}/state.json is broken" in done.stderr


def test_a_copy_beside_a_run_does_not_make_its_id_ambiguous(store: Path) -> None:
    folder = locate(made_record(seed=1, score=0.9).run_id, store)
    shutil.copytree(folder, folder.with_name(f"{folder.name}-copy"))
    assert locate(folder.name, store) == folder
    other = store / "digits-c" / "nac" / f"{folder.name[:6]}abcdef"
    other.mkdir(parents=True)
    with pytest.raises(
        UserError, match=f"ids of 2 runs start with it: .*{other}.*; give more of the id, or the folder"
    ):
        locate(folder.name[:6], store)


def test_only_a_network_that_the_run_has_trained_has_an_interval_over_examples(store: Path) -> None:
    own, other = made_record(seed=1, score=0.9), made_record(task="digits-c", trained_on="digits", protocol="ood")
    write_run(store, other)
    assert "95 % interval over 1,000 examples" in printed("show", own.run_id, "--out", str(store))
    assert "interval" not in printed("show", other.run_id, "--out", str(store))


def test_a_run_is_shown_with_its_floors_and_what_is_missing(store: Path) -> None:
    answers = Answers(options=10, labels=[120, 440, 440], given=[200, 400, 400])
    record = made_record(seed=7).model_copy(update={"answers": answers})
    record = record.model_copy(update={"data": record.data.model_copy(update={"partial": ["5 of 10 images"]})})
    write_run(store, record)
    shown = printed("show", record.run_id, "--out", str(store))
    assert "floors: chance 10.00 %, always the most frequent class 44.00 %" in shown
    assert "not the whole data set: 5 of 10 images" in shown
    assert len(json.loads(printed("show", record.run_id, "--out", str(store), "--json"))["remarks"]) == 2


def test_a_trial_of_tuning_shows_validation_examples(store: Path) -> None:
    notes = ["for tuning: scored on validation examples; the test examples are not read"]
    record = made_record(task="digits-tuning", notes=notes)
    folder = write_run(store, record)
    lines = printed("show", record.run_id, "--out", str(store)).splitlines()
    assert [line.split()[0] for line in lines if " accuracy " in line] == ["validation"]
    report = printed("report", str(folder), "--out", str(store / "report"))
    text = (store / "report" / "table.md").read_text()
    assert "validation score" in text
    assert "accuracy on 1,000 validation examples" in text
    assert "test score" not in text + report


def test_a_changed_curve_is_not_shown(store: Path) -> None:
    record = made_record(seed=6)
    folder = write_run(store, record)
    assert "training loss, last 0.1" in printed("show", record.run_id, "--out", str(store))
    curve = folder / "curve.jsonl"
    curve.write_text(curve.read_text().replace("0.1", "0.2"))
    done = CliRunner().invoke(app, ["show", record.run_id, "--out", str(store)])
    assert "training loss, last" not in done.stdout
    assert "its curve is not shown" in done.stderr
    with pytest.raises(UserError, match=r"curve\.jsonl is damaged or changed"):
        printed("export", str(folder), "--to", "tensorboard", "--into", str(store / "tb"))


def test_every_option_and_every_setting_of_training_is_described() -> None:
    classes = [*MODELS.load_all()[0].items(), *TASKS.load_all()[0].items()]
    for name, cls in classes:
        assert [own for own in cls.option_names() if own not in option_texts(cls)] == [], name
    for name, task in TASKS.load_all()[0].items():
        texts = {key: text for recipe in task.recipes.values() for key, text in recipe_texts(recipe).items()}
        assert [key for key, text in texts.items() if not text] == [], name


def test_a_model_is_described_with_its_sizes() -> None:
    told = printed("models", "gru")
    assert "number of layers, each in both directions" in told
    assert "used at scale" in told


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--learning-rate", "--set training.lr=…"),
        ("--gpu", "--device auto|cpu|cuda"),
        ("--dataset", "--task NAME"),
        ("--foo-bar", None),
    ],
)
def test_an_option_of_another_tool_suggests_ours(typed: str, meant: str | None) -> None:
    known = ["--set training.lr=…", "--device auto|cpu|cuda", "--task NAME"]
    assert nearest(typed, known) == ([meant] if meant else [])


# -- runs that have not begun ------------------------------------------------------------------------------------------


def submit(store: Path, *records: RunRecord, executor: Literal["local", "slurm"] = "local") -> list[Path]:
    """The folders that the made runs of these records will have; they are submitted."""
    keys = [f"{own.task}/{own.model}/{own.run_id}" for own in records]
    runs = [SubmittedRun(key=key, config=own.identity["config"]) for key, own in zip(keys, records, strict=True)]
    named = {"token": f"nacbench-{0:032x}", "sweep": "mine", "when": utc_now(), "user": "me", "host": "here"}
    places = {
        "store": str(store),
        "data_root": str(store),
        "plugins": (),
        "profile": {"executor": executor, "time": "1h"},
    }
    Submission.model_validate({**named, **places, "runs": runs}).write()
    return [store / key for key in keys]


def variants_of(store: Path) -> dict[int, str]:
    """What tells runs apart, by seed, as `runs` says; `runs --json` and `watch` say the same."""
    watcher = Watcher(FolderSource(store))
    watcher.look()
    watched = {row["run"]: row["variant"] for row in watcher.changes()["rows"]}
    found = rows_of(str(store))
    assert {row["run_id"]: ", ".join(row["differing"].values()) for row in found} == watched
    return {row["seed"]: watched[row["run_id"]] for row in found}


def test_runs_of_one_series_are_not_told_apart_by_what_is_not_known_of_one(tmp_path: Path) -> None:
    write_run(tmp_path, made_record(seed=1))
    submit(tmp_path, made_record(seed=0))
    assert variants_of(tmp_path) == {0: "", 1: ""}
    write_failure(tmp_path, made_failure(model="nac", status="failed", seed=2))  # as it is merged: without its state
    assert variants_of(tmp_path) == {0: "", 1: "", 2: ""}


def test_a_run_that_has_not_begun_is_called_like_those_of_its_configuration(tmp_path: Path) -> None:
    for seed, (lr, engine) in enumerate(((0.003, "e1"), (0.01, "e1"), (0.01, "e2"))):
        write_run(tmp_path, made_record(seed=seed, lr=lr, engine=engine))
    submit(tmp_path, made_record(seed=3, lr=0.003), made_record(seed=4, lr=0.01), made_record(seed=5, lr=0.03))
    write_failure(tmp_path, made_failure(model="nac", status="failed", seed=6))
    assert variants_of(tmp_path) == {
        0: "code.engine=e1, lr=0.003",
        1: "code.engine=e1, lr=0.01",
        2: "code.engine=e2, lr=0.01",
        3: "lr=0.003",
        4: "lr=0.01",
        5: "lr=0.03",
        6: "",
    }


def test_a_run_that_goes_on_is_compared_by_all_that_it_began_with(tmp_path: Path) -> None:
    write_run(tmp_path, made_record(seed=0))
    (write_run(tmp_path, made_record(seed=1, engine="e2")) / "record.json").unlink()
    assert variants_of(tmp_path) == {0: "code.engine=e1", 1: "code.engine=e2"}


@pytest.mark.parametrize("config", [{"task": 5}, {"model": 5}, {"seed": "none"}])
def test_a_submission_of_another_version_is_listed_as_far_as_it_is_known(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    (folder,) = submit(tmp_path, made_record())
    (path,) = (tmp_path / ".sweeps" / "submissions").iterdir()
    content = json.loads(path.read_text())
    content["runs"][0]["config"] = config
    path.write_text(json.dumps(content))
    (row,) = rows_of(str(tmp_path))
    assert (row["run_id"], row["model"], row["settings"]) == (folder.name, "nac", {})


def test_a_submitted_run_is_found_before_it_has_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = tmp_path / "some" / "store"
    write_run(store, made_record())
    write_run(store, made_record(model="vit"))
    folder, other = submit(store, made_record(seed=7), made_record(seed=8))
    for words in (
        (folder.name[:8], "--out", str(store)),
        (str(folder),),
        (folder.name[:8], "--out", str(store.parent)),
    ):
        assert folder.name in printed("show", *words)
    assert printed("tag", folder.name[:8], "--out", str(store)) == f"{folder}: no tags and no notes\n"
    assert not folder.exists()
    printed("tag", str(folder), "--add", "good")
    assert read_tags(folder).tags == ("good",)
    assert [row["run_id"] for row in rows_of(str(store), "--where", "tag=good", "--model", "nac")] == [folder.name]
    assert "good" in printed("show", folder.name, "--out", str(store))  # now it has a folder, but has not begun
    assert f"{folder}: no tags" in printed("tag", folder.name[:8], "--out", str(store), "--remove", "good")
    for verb in ("show", "tag"):
        with pytest.raises(UserError, match=r"is not a run's folder; no id in .* starts with it"):
            printed(verb, "abcdef", "--out", str(store))
        with pytest.raises(
            UserError, match=r"is not a run's folder: it has no record\.json, failure\.json or state\.json"
        ):
            printed(verb, str(store / "digits" / "nac" / "0123456789ab"))
    assert rows_of(str(store / "digits" / "vit"), "--state", "planned") == []
    assert {row["run_id"] for row in rows_of(str(store / "digits" / "nac"), "--state", "planned")} == {
        folder.name,
        other.name,
    }


def test_several_submitted_runs_whose_ids_begin_alike_are_named(tmp_path: Path) -> None:
    records = [made_record(seed=seed) for seed in range(40)]
    first = {record.run_id[0]: record for record in records}
    one, two = next((own, first[own.run_id[0]]) for own in records if first[own.run_id[0]].run_id != own.run_id)
    submit(tmp_path, one, two)
    with pytest.raises(UserError, match=r"ids of 2 runs start with it: .*; give more of the id, or the folder"):
        printed("show", one.run_id[0], "--out", str(tmp_path))


# -- ways on -----------------------------------------------------------------------------------------------------------


def hint(text: str) -> list[str]:
    """The words of the command at the end of an output."""
    line = text.rstrip().splitlines()[-1]
    return shlex.split(line[line.index("nacbench ") :].partition(";")[0])


@pytest.mark.parametrize(("name", "told"), [("runs", []), ("my runs", ["--out"])])
def test_an_unfinished_run_is_resumed_where_it_is(
    tmp_path: Path, name: str, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    record = made_record(seed=5)
    folder = write_run(tmp_path / name, record)
    (folder / "record.json").unlink()
    (folder / "config.yaml").touch()
    out = [f"{tmp_path / name}" for _ in told]
    plugin = ["--plugin", "my file.py"]
    monkeypatch.setattr("nacbench.cli.show.load_plugins", lambda files: None)
    for words in ((record.run_id, "--out", name), (str(folder),)):
        config = ["nacbench", "run", "--config", str(folder / "config.yaml"), *told, *out]
        assert hint(printed("show", *words)) == config
        assert hint(printed("show", *words, *plugin)) == [*config, *plugin]


@pytest.mark.parametrize("state", ["unknown", "unreadable"])
def test_a_run_that_must_not_be_started_by_hand_has_no_such_hint(
    tmp_path: Path, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nacbench.sweep.observer.is_available", lambda: False)
    (folder,) = submit(tmp_path, made_record(), executor="slurm")
    if state == "unreadable":
        folder.parent.mkdir(parents=True)
        folder.touch()
    shown = printed("show", str(folder))
    assert state in shown
    assert "start or resume it" not in shown


def test_what_runs_ends_with_finds_each_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_id = made_record().run_id
    folder = write_run(tmp_path / "my store", made_record())
    for words in (["."], ["my store"], ["my store/digits"], [str(folder)]):
        command = hint(printed("runs", *words))
        assert command[:3] == ["nacbench", "show", "ID"]
        assert run_id in printed("show", run_id[:8], *command[3:])
    (tmp_path / "my store").rename("runs")
    assert hint(printed("runs")) == hint(printed("runs", "./runs/")) == ["nacbench", "show", "ID"]
    assert "nacbench show" not in printed("runs", "--state", "running")


def test_of_several_folders_each_run_has_its_own(store: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    record = made_record(seed=9)
    write_run(other, record)
    told = printed("runs", str(store), str(other))
    assert hint(told) == ["nacbench", "show", "ID", "--out", "FOLDER"]
    (line,) = (line.split() for line in told.splitlines() if record.run_id[:8] in line)
    assert line[-1] == str(other)
    assert record.run_id in printed("show", record.run_id[:8], "--out", line[-1])


def test_a_circuit_is_offered_only_where_the_network_is(tmp_path: Path) -> None:
    def offers(record: RunRecord) -> bool:
        return "nacbench circuit" in printed("show", record.run_id, "--out", str(tmp_path))

    record, other = made_record(), made_record(task="digits-c", trained_on="digits", protocol="ood")
    folder = write_run(tmp_path, record)
    assert not offers(record)
    for place in (folder, write_run(tmp_path, other)):
        (place / WEIGHTS).parent.mkdir()
        (place / WEIGHTS).touch()
    assert offers(record)
    assert not offers(other)
