"""The command line as a user meets it."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from nacbench import __version__, conformance
from nacbench.cli import app
from nacbench.errors import UserError
from nacbench.recording import record
from tests.made import made_record, write_run

VERBS = [["run"], ["report"], ["tasks"], ["models"], ["why"], ["check"], ["schema"], ["data"], ["data", "fetch"]]


def invoke(*arguments: str) -> Result:
    """A verb in this process; a user's error is the result's exception."""
    return CliRunner().invoke(app, list(arguments))


def as_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A verb as users start it."""
    command = [sys.executable, "-m", "nacbench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("verb", [[], *VERBS])
def test_every_command_has_help(verb: list[str]) -> None:
    done = invoke(*verb, "--help")
    assert done.exit_code == 0
    assert "Usage:" in done.stdout


def test_version() -> None:
    assert invoke("--version").stdout == f"nacbench {__version__}\n"


def test_help_and_version_do_not_import_torch() -> None:
    code = (
        "import sys, nacbench.cli\n"
        "try: nacbench.cli.app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'pydantic', 'numpy', 'pandas', 'scipy', 'matplotlib', 'accelerate', 'datasets', 'yaml'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


RUN = ["run", "--scale", "smoke", "--task", "digits", "--model", "nac"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["run", "--model", "nac"], "no task given; name one with --task NAME"),
        (["run", "--task", "digits"], "no model given; name one with --model NAME"),
        (["run", "--task", "digitz", "--model", "nac"], "unknown task 'digitz'; did you mean 'digits'?"),
        (
            ["run", "--task", "digits", "--model", "perceiver-i"],
            "unknown model 'perceiver-i'; did you mean 'perceiver-io'?",
        ),
        ([*RUN, "--scale", "minni"], "unknown scale 'minni'; did you mean 'mini'?"),
        ([*RUN, "--set", "training.lrr=1"], "unknown setting 'training.lrr'; did you mean 'training.lr'?"),
        ([*RUN, "--set", "training.augment.flop=1"], "did you mean 'training.augment.flip'?"),
        ([*RUN, "--set", "model.depht=2"], "unknown setting 'model.depht'; did you mean 'model.depth'?"),
        ([*RUN, "--set", "task.pach=2"], "unknown setting 'task.pach'; did you mean 'task.patch'?"),
        ([*RUN, "--set", "model.size=huge"], "unknown size of model 'nac' 'huge'"),
        ([*RUN, "--set", "training.lr=-1"], "training.lr = -1: input should be greater than 0"),
        ([*RUN, "--set", "training.epochs=many"], "training.epochs = 'many'"),
        ([*RUN, "--set", "model.depth=0"], "model.depth = 0: input should be greater than 0"),
        ([*RUN, "--set", "task.patch=3"], "task.patch = 3: twice the patch must divide the sides of 8×8 pixels"),
        (
            [*RUN, "--set", "training.batch_size=5000"],
            "training.batch_size = 5000 is more than the 1199 training examples",
        ),
        ([*RUN, "--set", "training"], "--set 'training': write it as KEY=VALUE"),
        ([*RUN, "--set", "colour=red"], "unknown setting 'colour'"),
        ([*RUN, "--precision", "fp8"], "precision = 'fp8'"),
        ([*RUN, "--device", "tpu"], "unknown device 'tpu'; there are: auto, cpu, cuda"),
        ([*RUN, "--config", "nowhere.yaml"], "cannot read nowhere.yaml: No such file or directory"),
        ([*RUN, "--data-root", "nowhere"], "--data-root nowhere: no such folder"),
        ([*RUN, "--plugin", "nowhere.py"], "no plug-in file nowhere.py"),
        (["report", "nowhere"], "no folder nowhere"),
        (["why", "nowhere", "elsewhere"], "no id in runs starts with it, and it is not a configuration file (.yaml)"),
        (["check", "digitz"], "unknown task or model 'digitz'; did you mean 'digits'?"),
        (["check", "pruned"], "'pruned' is a protocol: check one of the tasks that it makes, such as 'digits-pruned'"),
        (["models", "--task", "digitz"], "unknown task 'digitz'"),
        (["data", "fetch", "digitz"], "unknown task 'digitz'"),
    ],
)
def test_a_user_error_is_one_line_that_names_it(
    arguments: list[str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke(*arguments)
    assert type(done.exception).__name__ == "UserError", done.output
    assert complaint in str(done.exception)
    assert "\n" not in str(done.exception)
    assert not list(tmp_path.rglob("record.json"))


@pytest.mark.parametrize(
    "arguments", [[*RUN, "--set", "training.lrr=1"], [*RUN, "--seed", "-1"], [*RUN, "--no-such-option"], ["fly"]]
)
def test_a_user_error_exits_with_2_without_traceback(arguments: list[str], tmp_path: Path) -> None:
    done = as_process(*arguments, *(["--out", str(tmp_path / "runs")] if arguments[0] == "run" else []))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "runs").exists()


def test_broken_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("task: {name: digits}\nmodel: [\n")
    done = invoke("run", "--config", str(tmp_path / "config.yaml"))
    assert f"{tmp_path / 'config.yaml'} is not valid YAML at line 3" in str(done.exception)


def test_tasks_as_json_have_whether_data_is_ready(tmp_path: Path) -> None:
    listed = {
        task["name"]: task
        for task in json.loads(invoke("tasks", "--json", "--data-root", str(tmp_path)).stdout)["tasks"]
    }
    assert listed["digits"]["ready"]
    assert not listed["cifar10"]["ready"]
    assert "nacbench data fetch" in listed["cifar10"]["missing"]
    assert all(task["citation"] and task["licence"] for task in listed.values())


def test_tasks_as_a_table() -> None:
    shown = invoke("tasks").stdout
    assert "digits" in shown
    assert "ready" in shown


@pytest.mark.parametrize("task", ["", "cifar10", "digits", "modelnet40"])
def test_baselines_match_nac_s_parameters_within_ten_percent(task: str) -> None:
    words = ["--task", task] if task else []
    found = json.loads(invoke("models", "--json", *words).stdout)["models"]
    rows = {row["name"]: row["parameters"] for row in found if task or row["reads"] != "points"}  # of another task
    assert set(rows) >= {"nac", "perceiver-io", "vit", "transformer"}
    assert isinstance(rows.get("dgcnn", {}).get("tiny"), int) == (task == "modelnet40")
    assert isinstance(rows["vit"]["tiny"], int) == (task != "modelnet40")
    for name, sizes in rows.items():
        if name.startswith("floor-"):  # which learn nothing deep
            continue
        for size in ("tiny", "mini", "paper"):
            own = sizes["matched" if size == "paper" and "matched" in sizes else size]
            if isinstance(own, int):  # otherwise the reason why it cannot do the task
                assert abs(own / rows["nac"][size] - 1) <= 0.10, f"{name} {size}: {own / rows['nac'][size]:.3f}"


def test_models_as_a_table() -> None:
    shown = invoke("models").stdout
    assert "perceiver-io" in shown
    assert "published" in shown


def test_the_schema_is_printed() -> None:
    assert json.loads(invoke("schema").stdout) == record.schema()


def test_one_failed_check_is_counted_in_the_singular(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = conformance.Result("task", "It works", "it does not")
    monkeypatch.setattr(conformance, "check_plugin", lambda *_: [failed])
    assert invoke("check", "digits").stderr == "1 check failed\n"
    monkeypatch.setattr(conformance, "check_plugin", lambda *_: [failed, failed])
    assert invoke("check", "digits").stderr == "2 checks failed\n"


def test_why_lists_only_differing_fields(tmp_path: Path) -> None:
    a = write_run(tmp_path, made_record())
    b = write_run(tmp_path, made_record(seed=3, lr=0.002))
    lines = invoke("why", str(a), str(b)).stdout.splitlines()
    assert [line.split() for line in lines[3:]] == [["seed", "0", "3"], ["training.lr", "0.001", "0.002"]]
    assert "The same run" in invoke("why", str(a), str(a)).stdout


def test_why_names_the_libraries_and_threads_that_differ(tmp_path: Path) -> None:
    record = made_record()
    hardware = record.environment.hardware.model_copy(update={"threads": 1})
    machine = record.environment.model_copy(
        update={"versions": {"nacbench": "0.1.0", "torch": "2.16.0"}, "hardware": hardware}
    )
    a = write_run(tmp_path / "here", record)
    b = write_run(tmp_path / "there", record.model_copy(update={"environment": machine}))
    lines = invoke("why", str(a), str(b)).stdout.splitlines()
    assert lines[2].startswith("The same run")
    assert [line.split() for line in lines[4:]] == [["threads", "2", "1"], ["torch", "2.15.0", "2.16.0"]]


def test_why_compares_a_run_with_a_configuration_and_installed_versions(tmp_path: Path) -> None:
    run = write_run(tmp_path, made_record())
    (tmp_path / "a.yaml").write_text("task: {name: digits}\nmodel: {name: nac}\nscale: smoke\n")
    lines = invoke("why", str(run), str(tmp_path / "a.yaml")).stdout.splitlines()
    assert ["torch", "2.15.0", version("torch")] in [line.split() for line in lines]


def test_why_takes_configurations_too(tmp_path: Path) -> None:
    for name, depth in (("a", 1), ("b", 2)):
        (tmp_path / f"{name}.yaml").write_text(
            f"task: {{name: digits}}\nmodel: {{name: nac, depth: {depth}}}\nscale: smoke\n"
        )
    lines = invoke("why", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")).stdout.splitlines()
    assert [line.split() for line in lines[3:]] == [["model.depth", "1", "2"]]


def test_report_prints_its_table_and_files(tmp_path: Path) -> None:
    write_run(tmp_path / "runs", made_record())
    done = invoke("report", str(tmp_path / "runs"), "--out", str(tmp_path / "report"))
    assert done.stdout.startswith("| task")
    assert str(tmp_path / "report" / "table.csv") in done.stdout


def test_data_fetch_decodes_files_that_are_there(tmp_path: Path) -> None:
    assert "digits: ready, fingerprint " in invoke("data", "fetch", "digits", "--data-root", str(tmp_path)).stdout


@pytest.mark.parametrize(
    ("words", "choice"),
    [
        ((), "off"),
        (("--compile",), "on"),
        (("--compile", "--seed", "1"), "on"),
        (("--compile", "auto", "--seed", "1"), "auto"),
        (("--compile=off",), "off"),
    ],
)
def test_compile_alone_means_on(words: tuple[str, ...], choice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def keep(*_: Any, **more: Any) -> None:
        given.update(more)
        raise UserError("enough")

    monkeypatch.setattr("nacbench.running.layers.run_layers", keep)
    invoke("run", "--task", "digits", "--model", "vit", *words)
    assert given["compile"] == choice


def test_a_wrong_word_for_compile_is_named(tmp_path: Path) -> None:
    result = invoke("run", "--task", "digits", "--model", "vit", "--compile", "atuo", "--out", str(tmp_path))
    assert str(result.exception) == "compile = 'atuo': give auto, on or off"
