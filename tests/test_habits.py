"""How to cite, and what is checked on every change: files for machines that nothing else reads."""

import re
import tomllib
from typing import Any

import pytest
import yaml

import nacbench

from .conftest import REPOSITORY

PAPER = ["Weiss", "Rahaman", "Locatello", "Pal", "Bengio", "Schölkopf", "Li", "Ballas"]  # NeurIPS 2022


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """``[project]`` of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


@pytest.fixture(scope="module")
def citation() -> dict[str, Any]:
    """CITATION.cff."""
    content: dict[str, Any] = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    return content


def test_the_citation_is_of_this_version_and_has_what_the_format_asks_for(
    citation: dict[str, Any], project: dict[str, Any]
) -> None:
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == nacbench.__version__
    assert (citation["title"], citation["license"]) == (project["name"], project["license"])
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in project["authors"]]
    assert "preferred-citation" not in citation  # which would be cited instead of the software
    (paper,) = citation["references"]
    assert {"type", "title", "authors"} <= set(paper)


def test_the_paper_s_authors_are_in_its_order_everywhere(citation: dict[str, Any]) -> None:
    assert [author["family-names"] for author in citation["references"][0]["authors"]] == PAPER
    assert nacbench.get_model("nac").citation.startswith(", ".join(PAPER))
    first_authors = {
        name
        for file in [
            *REPOSITORY.glob("*.md"),
            *(REPOSITORY / "docs").rglob("*.md"),
            *(REPOSITORY / "nacbench").rglob("*.yaml"),
        ]
        # an author's paper of another year is another paper
        for name in re.findall(rf"({'|'.join(PAPER)}) et al(?!\. 2021)", file.read_text(encoding="utf-8"))
    }
    assert first_authors == {PAPER[0]}


def test_the_workflow_calls_the_steps_of_ci_on_every_python_that_is_promised(project: dict[str, Any]) -> None:
    workflow = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["test"]
    commands = [step["run"] for step in job["steps"] if step.get("run", "").startswith("make ")]
    script = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    assert commands == re.findall(r"^make .*$", script, re.M) != []
    promised = [name.rpartition(" ")[2] for name in project["classifiers"] if re.search(r":: 3\.\d+$", name)]
    assert job["strategy"]["matrix"]["python"] == promised
