"""What a build of the documentation would let pass: commands that do not exist, subjects that no page covers."""

import importlib
import re
import shlex
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from typer.main import get_command

from nacbench.cli import app
from nacbench.formats.yaml_text import parse_yaml
from nacbench.nn.network import Network, build_network
from nacbench.plugin_files import load_plugin_file
from nacbench.recording.record import CAUSES, schema
from nacbench.registry import MODELS, TASKS
from nacbench.running.resolve import resolve
from nacbench.sweep.read_sweep import KEYS, parse_sweep
from nacbench.sweep.state import STATES
from nacbench.training.initial import take_initial

from .conftest import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGES = {
    path.relative_to(DOCS).as_posix(): path.read_text() for path in DOCS.rglob("*.md") if "_build" not in path.parts
}
FENCED = re.compile(r"^```(\S*).*?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NACBENCH: Any = get_command(app)
NOT_IN_THE_API = ("nacbench.api", "nacbench.cli", "nacbench.tasks", "nacbench.__main__")


@pytest.fixture(scope="module")
def site() -> Iterator[ModuleType]:
    """What makes the generated blocks."""
    sys.path.insert(0, str(DOCS / "_ext"))
    yield importlib.import_module("site_generated")
    sys.path.remove(str(DOCS / "_ext"))


# -- generated blocks --------------------------------------------------------------------------------------------------


def test_every_generated_block_can_be_made(site: ModuleType) -> None:
    asked = [line for page in PAGES.values() for line in page.splitlines() if line.startswith("```{generated}")]
    found = [block.group(1) for page in PAGES.values() for block in site.BLOCK.finditer(page)]
    assert len(found) == len(asked), "a block is not written as the pages' reader wants it"
    assert set(found) == set(site.GENERATORS), "a block that cannot be made, or one that no page asks for"


def test_every_task_is_in_its_tables(site: ModuleType) -> None:
    table, sections = site.tasks(), site.task_reference()
    for name in TASKS.entries():
        cls = TASKS.get(name)
        assert f"| [`{name}`](task-reference.md#{name}) | {cls.title} |" in table
        section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", sections, re.DOTALL | re.MULTILINE)
        assert section, name
        for fact in ("Licence: ", "Citation: ", "Provenance: ", "Data: ", "`training.batch_size`"):
            assert fact in section[1], f"{name}: {fact}"


def test_every_model_is_in_its_tables_with_all_its_options(site: ModuleType) -> None:
    table, sections = site.models(), site.model_reference()
    for name in MODELS.entries():
        cls = MODELS.get(name)
        assert f"| [`{name}`](#{name}) | {cls.title} |" in table
        section = re.search(rf"^### {name}\n(.*?)(?=^### |\Z)", sections, re.DOTALL | re.MULTILINE)
        assert section, name
        assert set(re.findall(r"^\| `model\.(\w+)`", section[1], re.MULTILINE)) == set(cls().options())


def test_every_command_is_there_with_all_its_options(site: ModuleType) -> None:
    text = site.commands()
    groups = {group.name: group.typer_instance for group in app.registered_groups}
    names = [f"nacbench {command.name}" for command in app.registered_commands]
    names += [f"nacbench {name}" for name in groups]
    assert len(names) > 15
    for name, group in groups.items():
        assert group is not None
        for command in group.registered_commands:
            assert command.callback is not None
            names.append(f"nacbench {name} {command.name or command.callback.__name__}")
    assert sorted(re.findall(r"^#+ (nacbench .+)$", text, re.MULTILINE)) == sorted(names)
    for option in ("--checkpoint-seconds X", "--weights / --no-weights", r"--match params\|flops\|latency"):
        assert f"`{option}`" in text


def test_every_field_of_a_record_is_there(site: ModuleType) -> None:
    text, whole = site.record(), schema()
    for name, part in {"RunRecord": whole, **whole["$defs"]}.items():
        section = text.partition(f"### {name}\n")[2].partition("### ")[0]
        assert set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)) == set(part["properties"])


# -- what pages say by hand --------------------------------------------------------------------------------------------


def blocks(*languages: str) -> Iterator[tuple[str, str]]:
    """The fenced blocks of all pages in some languages, each with its page's name."""
    for name, page in PAGES.items():
        yield from ((name, content) for language, content in FENCED.findall(page) if language in languages)


def command_lines() -> list[tuple[str, str]]:
    """Every whole line that starts nacbench, in fenced shell blocks and in indented ones."""
    shell = [(name, line) for name, content in blocks("bash") for line in content.replace("\\\n", " ").splitlines()]
    shell += [
        (name, line) for name, page in PAGES.items() for line in re.findall(r"^    (nacbench .*)$", page, re.MULTILINE)
    ]
    return [(name, line) for name, line in shell if re.match(r"\s*(torchrun .* -m )?nacbench\s", line)]


def parsed(words: list[str]) -> None:
    """Let the command line take these words, but do nothing; raises what a user would see."""
    command = NACBENCH
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    assert not hasattr(command, "commands"), f"no command {' '.join(words)}"
    command.make_context(command.name, words)


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_a_command_in_a_block_parses(page: str, line: str) -> None:
    words = shlex.split(re.sub(r"\$\w+", "0", line), comments=True)
    parsed(words[words.index("nacbench") + 1 :])


def test_wrong_commands_would_be_found() -> None:
    assert len(command_lines()) > 40
    for line in ("rum --task digits", "run --tusk digits", "run --seed x", "data fetch", "sweep plan"):
        with pytest.raises(Exception, match=r"."):
            parsed(line.split())


def test_commands_within_sentences_exist_and_have_these_options() -> None:
    inline = [
        (name, text) for name, page in PAGES.items() for text in re.findall(r"`(nacbench [^`]+)`", FENCED.sub("", page))
    ]
    assert len(inline) > 30
    for name, text in inline:
        command = NACBENCH
        words = text.split()[1:]
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        assert not words or words[0][0] in "-=" or not hasattr(command, "commands") or words[0].isupper(), (
            f"{name}: {text}"
        )
        known = {own for parameter in command.params for own in (*parameter.opts, *parameter.secondary_opts)}
        options = {word for word in words if word.startswith("--")}
        assert options <= known | {"--help"}, f"{name}: {text}"


@pytest.mark.parametrize("scale", ["smoke", "mini"])
def test_the_weights_of_the_page_on_publishing_fit_the_task_that_begins_with_them(scale: str) -> None:
    """Networks of images of another size would be refused, whatever is done with the last layer."""
    found = re.search(
        r"--task (\S+) --model (\S+) --init-from runs/([^/]+)/\S+ --init-head new", PAGES["publishing.md"]
    )
    assert found is not None
    task, model, before = found.groups()

    def network(name: str) -> Network:
        config = resolve({"task": name, "model": model, "scale": scale})
        return build_network(config.training_task, config.training_task.spec(), config.model_plugin, 0)

    take_initial(network(task), network(before).state_dict(), "new", before)


def test_make_s_targets_exist() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = {target for page in PAGES.values() for target in re.findall(r"`make ([a-z-]+)`", page)}
    assert {"demo", "test-slurm"} <= targets
    assert [target for target in targets if f"\n{target}:" not in makefile] == []


def test_sweeps_in_the_pages_are_sweeps() -> None:
    found = [parse_yaml(content, "the page") for _, content in blocks("yaml")]
    sweeps = [content for content in found if "tasks" in content]
    assert len(sweeps) >= 2
    try:
        for number, content in enumerate(sweeps):
            for file in content.get("plugins", ()):
                load_plugin_file(REPOSITORY / file)
            content.pop("choices", None)  # names a file that is not there
            assert parse_sweep(content, REPOSITORY / f"sweep-{number}.yaml").expand()
    finally:
        TASKS.forget_files()
        MODELS.forget_files()


def test_the_page_on_sweeps_knows_every_key_state_and_cause() -> None:
    named = set(re.findall(r"`([^`]+)`", FENCED.sub("", PAGES["sweeps.md"])))
    assert {*KEYS, *STATES, *CAUSES} <= named


def test_every_cause_of_a_failure_has_its_way_out() -> None:
    page = PAGES["when-something-goes-wrong.md"]
    table = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", page, re.MULTILINE)
    assert [cause for cause, _, _ in table] == list(CAUSES)


def test_links_that_leave_the_site_become_text() -> None:
    sys.path.insert(0, str(DOCS / "_ext"))
    pages = importlib.import_module("site_pages")
    sys.path.remove(str(DOCS / "_ext"))
    text = "[in](tasks.md), [out](../results/README.md), ![figure](../results/x.png)"
    assert pages.without_outside_links(text, DOCS, "index") == "[in](tasks.md), out, ![figure](../results/x.png)"
    assert pages.without_outside_links("[up](../tasks.md)", DOCS, "api/index") == "[up](../tasks.md)"


def test_the_api_reference_has_every_module(site: ModuleType) -> None:
    pages = "\n".join(site.filled_in(page) for name, page in PAGES.items() if name.startswith("api/"))
    documented = re.findall(r"^\.\. automodule:: (\S+)$", pages, re.MULTILINE)
    there = {
        ".".join(file.relative_to(folder.parent).with_suffix("").parts)
        for folder in (REPOSITORY / "nacbench", REPOSITORY / "nacbench" / "baselines")
        for file in folder.rglob("*.py")
        if file.name != "__init__.py"
    }
    there = {f"nacbench.{name}" if name.startswith("baselines.") else name for name in there}
    wanted = {name for name in there if not name.startswith(NOT_IN_THE_API)}
    # whose own __init__.py defines something
    assert sorted(documented) == sorted(wanted | {"nacbench.code_digest", "nacbench.conformance"})


def test_the_page_of_public_names_has_them_all(site: ModuleType) -> None:
    page = site.public()
    names = importlib.import_module("site_api").public_names()
    assert [name for name in names if f"`{name}" not in page] == []


def test_python_in_the_pages_imports_public_names_only() -> None:
    code = [(page, line) for page, content in blocks("python") for line in content.splitlines()]
    imports = [(page, line) for page, line in code if re.match(r"\s*(from|import) nacbench", line)]
    assert len(imports) > 1
    assert [own for own in imports if not re.match(r"\s*(from nacbench import|import nacbench$)", own[1])] == []


def test_the_glossary_is_short_and_explains_each_word_in_one_sentence() -> None:
    entries = re.findall(r"^\*\*(.+?)\*\*\n: (.+(?:\n  .+)*)", PAGES["glossary.md"], re.MULTILINE)
    assert 15 <= len(entries) <= 20
    assert [word for word, said in entries if len(re.findall(r"[.?!](?:\s|$)", said)) != 1] == []
