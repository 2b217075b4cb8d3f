"""Records that others wrote are not believed: each that is not one is named with its reason, and all others count."""

import json
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from nacbench.errors import BrokenFileError, UserError
from nacbench.recording.curve import read_curve
from nacbench.recording.index import read_runs
from nacbench.recording.read_record import read_failure, read_record
from nacbench.recording.record import RunRecord
from nacbench.recording.store import finished
from nacbench.recording.transfer import merge, pack
from tests.conftest import REPOSITORY
from tests.made import made_failure, made_record, write_content, write_failure, write_run

Content = dict[str, Any]


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NACBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))


def changed(place: str, value: Any, **given: Any) -> Content:
    """The content of a made record with another value at a dotted place; with the value ... it has none."""
    content = made_record(**given).model_dump(mode="json")
    *parts, last = place.split(".")
    section = content
    for part in parts:
        section = section[part]
    if value is ...:
        del section[last]
    else:
        section[last] = value
    return content


# A place in a record, a value that it must not have there, and the reason that is named
WRONG: Mapping[str, tuple[str, Any, str]] = {
    "identity": ("identity", {}, "identity.config: field required"),
    "metrics": ("metrics", {}, "metrics.test has no accuracy, its main metric"),
    "no main metric": ("metrics.test", {"nll": 0.1}, "metrics.test has no accuracy"),
    "hardware": ("environment.hardware", {}, "environment.hardware.device: field required"),
    "no test example": ("data.splits.test", 0, "no examples that were scored"),
    "no splits": ("data.splits", {}, "no examples that were scored"),
    "accuracy above 1": ("metrics.test.accuracy", 97.5, "accuracy of test is 97.5; it lies between 0 and 1"),
    "error below 0": ("metrics.test", {"accuracy": 0.5, "error/fog": -0.1}, "error/fog of test is -0.1"),
    "a metric of true": ("metrics.test.accuracy", True, "metrics.test.accuracy = True"),
    "a metric as text": ("metrics.test.accuracy", "0.9", "metrics.test.accuracy = '0.9'"),
    "a metric of another split": ("metrics.validation.accuracy", None, "metrics.validation.accuracy = None"),
    "a metric without a name": ("metrics.test", {"accuracy": 0.5, "": 0.1}, "at least 1 character"),
    "a metric whose square is no number": ("metrics.test.nll", 1e160, "metrics.test.nll = 1e+160"),
    "answers of fewer examples": (
        "answers",
        {"options": 2, "labels": [3, 2], "given": [5, 0]},
        "answers counts 5 examples, and data.splits.test is 1000",
    ),
    "an accuracy that its answers exclude": (
        "answers",
        {"options": 2, "labels": [600, 400], "given": [1000, 0]},
        "accuracy of test is 0.9; by its answers it is at most 0.6",
    ),
    "another seed": ("seed", 7, "seed is 7, but its identity says 0"),
    "another task": ("task", "cifar10", "task is cifar10, but its identity says digits"),
    "another model": ("model", "vit", "model is vit, but its identity says nac"),
    "another size": ("size", "paper", "size is paper, but its identity says mini"),
    "another scale": ("scale", "paper", "scale is paper, but its identity says mini"),
    "another precision": ("precision", "fp32", "precision is fp32, but its identity says bf16"),
    "other data": ("data.fingerprint", "f2", "data.fingerprint is f2, but its identity says f1"),
    "another network": ("trained_on", {"task": "digits", "run_id": "0" * 12}, "trained_on.run_id is 000000000000, but"),
    "a negative seed": ("identity.config.seed", -1, "identity.config.seed = -1"),
    "a seed that is too large": ("identity.config.seed", 2**63, "identity.config.seed = 9223372036854775808"),
    "a seed as text": ("identity.config.seed", "0", "identity.config.seed = '0'"),
    "no training": ("identity.config.training", ..., "identity.config.training: field required"),
    "no code": ("identity.code", ..., "identity.code: field required"),
    "code of numbers": ("identity.code", {"engine": 1}, "identity.code.engine = 1"),
    "more in the identity": ("identity.luck", 1, "identity.luck"),
    "a file outside": ("files", {"../../../.ssh/id_rsa": "0" * 64}, "files."),
    "a device": ("files", {"/dev/zero": "0" * 64}, "files./dev/zero"),
    "a file with NUL": ("files", {"a\0b": "0" * 64}, "files."),
    "a short digest": ("files", {"config.yaml": "abc"}, "files.config.yaml = 'abc'"),
    "negative seconds": ("cost.train_seconds", -1.0, "cost.train_seconds = -1.0"),
    "negative parameters": ("cost.parameters", -1, "cost.parameters = -1"),
    "parameters beyond 64 bits": ("cost.parameters", 2**70, "cost.parameters = "),
    "half an attempt": ("attempts", 1.5, "attempts = 1.5"),
    "no threads": ("environment.hardware.threads", 0, "environment.hardware.threads = 0"),
    "a billion classes": ("data.classes", 10**9, "data.classes = 1000000000"),
    "a time as text": ("finished", "yesterday", "finished = 'yesterday'"),
    "a task outside the store": ("task", "../../outside", "task = '../../outside'"),
    "a task with an escape": ("task", "a\x1b[31m", "task = "),
    "a very long name": ("size", "x" * 10_000, "size = "),
    "an unknown key": ("surprise", 1, "surprise"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_record_that_is_none_is_named_with_its_reason(tmp_path: Path, case: str) -> None:
    place, value, reason = WRONG[case]
    folder = write_content(tmp_path, changed(place, value))
    write_run(tmp_path, made_record(seed=5))
    found = read_runs(tmp_path)
    assert [run.seed for run in found.runs] == [5]
    (line,) = found.broken
    assert line.startswith(f"{folder / 'record.json'} is not a record of schema 3: ")
    assert reason in line
    assert "\n" not in line


BYTES: Mapping[str, bytes] = {
    "nested deeply": b"[" * 100_000,
    "nested deeply in a detail": json.dumps(changed("details", {"test": {"a": 0}})).encode().replace(b"0}", b"[" * 500),
    "nested in a whole record": json.dumps(changed("details", {"test": {"a": 7.5}}))
    .encode()
    .replace(b"7.5", b"[" * 500 + b"]" * 500),
    "5,000 digits": json.dumps(changed("attempts", 123456789)).encode().replace(b"123456789", b"9" * 5000),
    "5,000 digits in a detail": json.dumps(changed("details", {"test": {"a": 123456789}}))
    .encode()
    .replace(b"123456789", b"9" * 5000),
    "NaN": json.dumps(changed("metrics.test.accuracy", float("nan"))).encode(),
    "NaN in a detail": json.dumps(changed("details", {"test": {"rate": float("nan")}})).encode(),
    "infinity": json.dumps(changed("cost.train_seconds", float("inf"))).encode(),
    "1e999": json.dumps(changed("cost.train_seconds", 123456789)).encode().replace(b"123456789", b"1e999"),
    "not UTF-8": b'{"schema_version": "\xff"}',
    "half a surrogate": json.dumps(changed("details", {"test": {"a": "x"}})).encode().replace(b'"x"', rb'"\ud800"'),
    "a score twice": json.dumps(changed("attempts", 1))
    .encode()
    .replace(b'"accuracy": 0.9', b'"accuracy": 0.9, "accuracy": 1'),
    "a metric twice": json.dumps(changed("attempts", 1)).encode().replace(b'"metric"', b'"metric": "nll", "metric"'),
    "UTF-16": json.dumps(changed("attempts", 1)).encode("utf-16"),
    "a byte-order mark": json.dumps(changed("attempts", 1)).encode("utf-8-sig"),
    "empty": b"",
    "cut": json.dumps(changed("attempts", 1)).encode()[:-100],
    "a list": b"[]",
    "null": b"null",
    "a number as version": b'{"schema_version": 1}',
    "a version of true": b'{"schema_version": true}',
    "a version of text": b'{"schema_version": "2"}',
}


@pytest.mark.parametrize("case", BYTES)
def test_a_file_that_is_no_json_of_ours_is_named(tmp_path: Path, case: str) -> None:
    folder = write_run(tmp_path, made_record())
    write_run(tmp_path, made_record(seed=5))
    (folder / "record.json").write_bytes(BYTES[case])
    found = read_runs(tmp_path)
    assert [run.seed for run in found.runs] == [5]
    (line,) = found.broken
    assert line.startswith(f"{folder / 'record.json'} is not a record of schema 3: ")
    assert len(line) < 1000


def test_nan_in_a_sentence_is_a_word(tmp_path: Path) -> None:
    folder = write_run(tmp_path, made_record(notes=["NaN and -Infinity occurred"]))
    assert read_record(folder / "record.json").data.notes == ["NaN and -Infinity occurred"]


def test_a_pipe_a_device_a_socket_and_a_folder_are_no_records(tmp_path: Path) -> None:
    files = [write_run(tmp_path, made_record(seed=seed)) / "record.json" for seed in range(4)]
    for file in files:
        file.unlink()
    os.mkfifo(files[0])
    files[1].symlink_to("/dev/zero")
    files[2].mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        (tmp_path / "s").mkdir()
        server.bind(str(tmp_path / "s/s"))
        (tmp_path / "s/s").rename(files[3])
        found = read_runs(tmp_path)
    assert found.runs == []
    assert len(found.broken) == 4


def test_another_id_than_the_digest_or_the_folder_is_named(tmp_path: Path) -> None:
    folder = write_run(tmp_path, made_record(seed=0))
    content = json.loads((folder / "record.json").read_text())
    wrong = tmp_path / "digits/nac" / ("0" * 12)
    folder.rename(wrong)
    (wrong / "record.json").write_text(json.dumps({**content, "run_id": "0" * 12}))
    copy = write_run(tmp_path, made_record(seed=1))
    copy.rename(copy.with_name(f"{copy.name}-copy"))
    digest, name = sorted(read_runs(tmp_path).broken, key=lambda line: "folder called" in line)
    assert f"its run_id is {'0' * 12}, but the digest of its identity is {folder.name}" in digest
    assert f"is the record of run {copy.name}, in a folder called '{copy.name}-copy'" in name


def test_a_run_that_is_done_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    asked, other = (write_run(tmp_path, made_record(seed=seed)) for seed in range(2))
    (other / "record.json").rename(asked / "record.json")
    with pytest.raises(BrokenFileError, match=f"is the record of run {other.name}, in a folder called '{asked.name}'"):
        finished(asked)


def test_records_keep_what_older_ones_had(tmp_path: Path) -> None:
    """All committed records, which are of schema 1, are still records."""
    files = sorted((REPOSITORY / "results").rglob("record.json"))
    assert len(files) > 300
    assert {read_record(file).run_id == file.parent.name for file in files} == {True}


def test_a_store_of_1000_good_and_50_broken_records_reports_the_1000_and_names_the_50(tmp_path: Path) -> None:
    for seed in range(1000):
        write_content(tmp_path / "good", made_record(seed=seed).model_dump(mode="json"))
    cases = list(WRONG.values())
    for number in range(50):
        place, value, _ = cases[number % len(cases)]
        write_content(tmp_path / f"bad-{number}", changed(place, value))
    for _ in range(2):  # without and with cached rows
        found = read_runs(tmp_path)
        assert len(found.runs) == 1000
        assert len(found.broken) == 50


def test_broken_records_do_not_stop_a_merge_or_an_archive(tmp_path: Path) -> None:
    write_run(tmp_path / "a", made_record())
    write_content(tmp_path / "a", changed("identity", {}))
    write_content(tmp_path / "b", changed("metrics", {}))
    merged = merge([tmp_path / "a"], tmp_path / "b")
    assert (merged.copied, len(merged.broken)) == (1, 2)
    packed = pack([tmp_path / "a"], tmp_path / "runs.tar.gz")
    assert (packed.copied, len(packed.broken)) == (1, 1)


def test_a_record_that_is_a_link_is_named_and_nothing_is_copied(tmp_path: Path) -> None:
    record = write_run(tmp_path / "a", made_record()) / "record.json"
    record.rename(tmp_path / "elsewhere.json")
    record.symlink_to(tmp_path / "elsewhere.json")
    assert len(read_runs(tmp_path / "a").runs) == 1
    with pytest.raises(UserError, match=r"a/digits/nac/\w+/record\.json is reached by a link, and links .* are not"):
        merge([tmp_path / "a"], tmp_path / "b")
    assert not (tmp_path / "b").exists()


# -- failures and curves -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"seed": -1},
        {"reason": 5},
        {"cause": "bad luck"},
        {"log": "a line"},
        {"when": ""},
        {"run_id": "0" * 12},
        {"x": 1},
    ],
)
def test_a_failure_that_is_none_is_named_and_the_others_are_read(tmp_path: Path, change: Content) -> None:
    path = write_failure(tmp_path, made_failure()) / "failure.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    write_failure(tmp_path, made_failure(run_id="0000000000aa"))
    found = read_runs(tmp_path)
    assert len(found.failures) == 1
    (line,) = found.broken
    assert line.startswith(str(path))


def test_a_failure_nested_deeply_is_named(tmp_path: Path) -> None:
    path = write_failure(tmp_path, made_failure()) / "failure.json"
    path.write_text("[" * 100_000)
    with pytest.raises(BrokenFileError, match="is not a failure of schema 3: it is not JSON"):
        read_failure(path)


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "{}",
        "[" * 100_000,
        '{"step": 1, "epoch": 1, "split": "train"}',
        '{"step": 1, "epoch": 1, "split": "search", "loss": 1}',
        '{"step": -1, "epoch": 1, "split": "train", "loss": 1}',
        '{"step": 1, "epoch": 1, "split": "validation", "accuracy": "high"}',
        '{"step": 1, "epoch": 1, "split": "train", "loss": NaN}',
        '{"step": 1, "epoch": 1, "split": "train", "loss": 1e999}',
    ],
)
def test_a_curve_that_is_none_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "curve.jsonl"
    path.write_text(f'{{"step": 1, "epoch": 1, "split": "train", "loss": 2.5}}\n{line}\n')
    with pytest.raises(UserError, match=r"curve\.jsonl is not a learning curve: line 2: "):
        read_curve(path)


def test_a_record_in_memory_is_checked_by_the_same_rules() -> None:
    checks: list[Callable[[], RunRecord]] = [
        lambda: RunRecord.model_validate(changed("seed", 7)),
        lambda: RunRecord.model_validate(changed("metrics", {})),
    ]
    for check in checks:
        with pytest.raises(ValueError, match=r"but its identity says 0|has no accuracy"):
            check()
