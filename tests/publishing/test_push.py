"""Pushing a folder to the hub: nothing is asked without it, and what differs is not pushed."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from nacbench.errors import UserError
from nacbench.publishing.hub_folder import FILES, export_run
from nacbench.running.outcome import Outcome

from .test_hub_folder import export


@dataclasses.dataclass
class FakeHub:
    """In place of the hub: keeps what it is asked."""

    asked: list[tuple[str, Any]] = dataclasses.field(default_factory=list)
    error: Exception | None = None

    def create_repo(self, repository: str, **more: Any) -> None:
        if self.error:
            raise self.error
        self.asked.append((repository, more))

    def upload_folder(self, **more: Any) -> str:
        self.asked.append(("upload", more))
        return "https://hub/commit/1"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    fake = FakeHub()
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: fake)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "a login")
    return fake


def test_a_push_makes_a_private_repository_of_the_folder(hub: FakeHub, outcome: Outcome, tmp_path: Path) -> None:
    done = export(outcome.folder, "--into", tmp_path, "--push", "me/mine")
    assert "https://hub/commit/1" in done.stdout.splitlines()
    (repository, made), (_, upload) = hub.asked
    assert (repository, made) == ("me/mine", {"private": True, "exist_ok": True})
    assert upload["folder_path"] == next(tmp_path.iterdir())
    assert sorted(upload["allow_patterns"]) == sorted(FILES)


def test_nothing_is_asked_of_the_hub_without_push(hub: FakeHub, outcome: Outcome, tmp_path: Path) -> None:
    assert export(outcome.folder, "--into", tmp_path).exit_code == 0
    assert hub.asked == []


def test_a_refused_push_leaves_the_folder_and_says_so(hub: FakeHub, outcome: Outcome, tmp_path: Path) -> None:
    hub.error = PermissionError("403")
    error = export(outcome.folder, "--into", tmp_path, "--push", "me/mine").exception
    assert isinstance(error, UserError)
    assert "403; the folder" in str(error)
    assert "is complete" in str(error)


def test_an_edited_card_is_pushed_as_it_is_unless_forced(hub: FakeHub, outcome: Outcome, tmp_path: Path) -> None:
    card = export_run(outcome.folder, tmp_path).path / "README.md"
    card.write_text("licence: mine")
    done = export(outcome.folder, "--into", tmp_path, "--push", "me/mine")
    assert done.exit_code == 0, done.exception
    assert "the same was there already, but for its card, which stays as it is" in done.stdout
    assert card.read_text() == "licence: mine"
    assert hub.asked[-1][1]["folder_path"] == card.parent
    assert export(outcome.folder, "--into", tmp_path, "--push", "me/mine", "--force").exit_code == 0
    assert card.read_text() != "licence: mine"


@pytest.mark.parametrize("name", ["config.json", "thesis.tex"])
def test_nothing_but_the_card_may_differ_in_what_is_pushed(
    hub: FakeHub, outcome: Outcome, tmp_path: Path, name: str
) -> None:
    made = export_run(outcome.folder, tmp_path).path
    (made / name).write_text(f"{(made / name).read_text()}\n" if (made / name).exists() else "x")
    assert export(outcome.folder, "--into", tmp_path, "--push", "me/mine").exit_code != 0
    assert hub.asked == []


@pytest.mark.parametrize(
    ("repository", "reason"),
    [
        ("me/mine", "there is no login.*hf auth login"),
        ("a//b", "a//b"),
        ("mine", "name its owner, too, as in --push OWNER/mine"),
    ],
)
def test_a_push_without_login_or_name_is_refused_before_anything_is_written(
    hub: FakeHub, outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: str, reason: str
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(UserError, match=reason):
        raise export(outcome.folder, "--into", tmp_path / "hub", "--push", repository).exception or ValueError
    assert not (tmp_path / "hub").exists()
    assert hub.asked == []
