"""No command prints the names, reasons and paths of others raw: not on a terminal, nor into a pipe."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nacbench import cli
from nacbench.formats.escape import visible
from nacbench.recording.record import FAILURE
from nacbench.sweep.plan import make_plan
from nacbench.sweep.read_sweep import read_sweep
from tests.hostile import IN_RECORDS
from tests.made import made_failure, made_record, write_content

EVIL = "\x1b[31mred\rover\x9b\u202e\u2028\nerror: forged $x$ [bold]x[/bold]"
SHOWN = "\\x1b[31mred\\rover\\x9b\\u202e\\u2028"
FOLDER = "runs \x1b[31m\r\u202e"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs whose free text and folder are hostile, a broken record, and a sweep with a failed run."""
    place = tmp_path_factory.mktemp("made")
    store = place / FOLDER
    for seed in range(2):
        for model, score in (("nac", 0.9), ("vit", 0.7)):
            record = made_record(seed=seed, model=model, score=score + seed / 100, notes=[EVIL])
            content = record.model_dump(mode="json")
            content["environment"]["hardware"]["cpu"] = EVIL
            content["environment"]["versions"]["torch"] = f"{EVIL}{model}"
            content["identity"]["config"]["model"]["note"] = EVIL + model
            folder = write_content(store, content)
            (folder / "state.json").write_text(json.dumps({"attempts": 1, "identity": content["identity"]}))
    broken = store / "digits" / "nac" / f"broken{FOLDER}"
    broken.mkdir(parents=True)
    (broken / "record.json").write_text(json.dumps({"task": EVIL}))
    sweep = place / f"sweep{FOLDER}.yaml"
    sweep.write_text(yaml.safe_dump({"name": "s", "scale": "smoke", "tasks": ["digits"], "models": ["nac"]}))
    (run,) = make_plan(read_sweep(str(sweep)), place / "data").runs
    folder = run.folder(store)
    folder.mkdir(parents=True)
    failure = made_failure(status="failed", run_id=run.run_id, model="nac", reason=EVIL, traceback=EVIL, log=[EVIL])
    (folder / FAILURE).write_text(failure.model_dump_json())
    (folder / "log.txt").write_text(f"2026-11-23 09:00:00 {EVIL}\n")
    return place


@pytest.fixture
def there(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, as the working folder."""
    monkeypatch.chdir(made)
    return made


def printed(words: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """All that the command line writes to both streams, which may not have a character that cannot be seen."""
    monkeypatch.setattr(sys, "argv", ["nacbench", *words])
    with pytest.raises(SystemExit):
        cli.main()
    out, err = capfd.readouterr()
    for text in (out, err):
        assert visible(text, keep="\n\t") == text
    return out, err


@pytest.mark.parametrize(
    "words",
    [
        ["report", FOLDER, "--out", f"report{FOLDER}", "--html", "--mixed"],
        ["compare", "nac", "vit", "--task", "digits", "--out", FOLDER],
        ["compare", "nac", EVIL, "--task", "digits", "--out", FOLDER],
        ["compare", "nac", "vit", "--task", EVIL, "--out", FOLDER],
        ["claims", FOLDER],
        [
            "why",
            f"{FOLDER}/digits/nac/digits-nac-mini-mini-0-0.001-e1",
            f"{FOLDER}/digits/vit/digits-vit-mini-mini-0-0.001-e1",
        ],
        ["why", EVIL, EVIL],
        ["repeat", EVIL],
        ["merge", FOLDER, "--into", f"merged{FOLDER}"],
        ["pack", FOLDER, "--out", f"packed{FOLDER}.tar.gz"],
        ["unpack", f"sweep{FOLDER}.yaml", "--into", "x"],
        ["sweep", "status", f"sweep{FOLDER}.yaml", "--out", FOLDER],
        ["sweep", "status", f"sweep{FOLDER}.yaml", "--out", FOLDER, "--json"],
        ["sweep", "logs", f"sweep{FOLDER}.yaml", "--out", FOLDER],
        ["sweep", "plan", f"sweep{FOLDER}.yaml", "--out", FOLDER],
        ["sweep", "status", EVIL],
        ["run", "--task", EVIL, "--model", "nac"],
        ["run", "--task", "digits", "--model", "nac", "--set", EVIL],
        ["run", "--task", "digits", "--model", "nac", "--plugin", EVIL],
        ["run", "--config", EVIL],
        ["run", EVIL],
        [EVIL],
        [f"--{EVIL}"],
        ["tasks", EVIL],
        ["data", "where", EVIL],
        ["tune", FOLDER],
        ["tune", EVIL],
        ["watch", EVIL],
        ["prune", EVIL],
        ["circuit", EVIL],
        ["check", EVIL],
    ],
    ids=lambda words: visible(" ".join(words[:2]))[:30],
)
def test_no_command_prints_a_name_raw(
    words: list[str], there: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out, err = printed(words, monkeypatch, capfd)
    assert "Traceback" not in err
    assert not any(line.startswith("error: forged") for line in f"{out}\n{err}".splitlines())


def test_what_is_escaped_is_still_told(
    there: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shown = " ".join(printed(["sweep", "status", f"sweep{FOLDER}.yaml", "--out", FOLDER], monkeypatch, capfd))
    assert f"failed (error)  digits · nac · seed 0: {SHOWN}" in shown
    shown = " ".join(printed(["sweep", "logs", f"sweep{FOLDER}.yaml", "--out", FOLDER], monkeypatch, capfd))
    assert shown.count("\\x1b[31mred") == 3  # reason, traceback and log
    shown = " ".join(printed(["report", FOLDER, "--out", "report", "--mixed"], monkeypatch, capfd))
    assert SHOWN in shown
    assert "broken" in shown
    assert "/runs \\x1b[31m" in shown


def test_a_traceback_of_a_bug_is_escaped() -> None:
    code = f"from nacbench import cli\ndef fail(**options): raise RuntimeError({EVIL!r})\ncli.app = fail\ncli.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert "RuntimeError: \\x1b[31mred\\rover" in done.stderr
    assert visible(done.stderr, keep="\n") == done.stderr


def test_json_is_read_back_as_it_was(
    there: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert all(json.loads(json.dumps(name)) == name for name in IN_RECORDS)
    out, _ = printed(["sweep", "status", f"sweep{FOLDER}.yaml", "--out", FOLDER, "--json"], monkeypatch, capfd)
    (row,) = json.loads(out)
    assert row["detail"] == EVIL
