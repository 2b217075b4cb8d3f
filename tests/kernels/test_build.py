"""Building the kernels: once, whole, and never a reason for a run to fail."""

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nacbench.data.mirror.places import cache_folder
from nacbench.kernels import build, geglu, path
from nacbench.kernels.build import SOURCES, SOURCES_DIGEST, UnavailableError, digest_of_sources

COMPILER = """#!/bin/sh
if [ "$1" = --version ]; then echo made 1.0; exit; fi
echo called >> "$(dirname "$0")/calls"
while [ "$1" != -o ]; do shift; done
echo a library > "$2"
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("NACBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a compiler in place, and return the file in which it notes its calls."""

    def put(script: str) -> Path:
        file = tmp_path / "compiler"
        file.write_text(script)
        file.chmod(0o755)
        monkeypatch.setenv("CXX", str(file))
        return tmp_path / "calls"

    return put


def made(said: list[str]) -> Path:
    """Build the library, without loading it; return its file."""
    command = build._command()
    library = cache_folder() / "kernels" / f"{build._name(command)}.so"
    build._make(library, command, said.append)
    return library


def test_ids_of_runs_cover_the_sources() -> None:
    """If this fails: a source was changed, and the constant has to follow."""
    assert digest_of_sources() == SOURCES_DIGEST
    assert set(SOURCES) == {file.name for file in build.HERE.iterdir() if file.suffix in (".cpp", ".h")}


def test_the_library_is_built_once(cache: Path, compiler: Callable[[str], Path]) -> None:
    calls, said = compiler(COMPILER), list[str]()
    first, second = made(said), made(said)
    assert first == second
    assert first.is_relative_to(cache)
    assert calls.read_text().splitlines() == ["called"]
    assert said == ["building kernels, once per machine: about 10 seconds"]


@pytest.mark.parametrize("content", [b"", b"half a libra", b"a library\n and more"])
def test_an_altered_library_is_built_again(content: bytes, cache: Path, compiler: Callable[[str], Path]) -> None:
    calls = compiler(COMPILER)
    made([]).write_bytes(content)
    assert made([]).read_bytes() == b"a library\n"
    assert len(calls.read_text().splitlines()) == 2


def test_of_several_processes_one_builds(cache: Path, compiler: Callable[[str], Path]) -> None:
    calls = compiler(COMPILER.replace("echo a", "sleep 0.3; echo a"))
    threads = [threading.Thread(target=made, args=([],)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls.read_text().splitlines() == ["called"]


def test_another_compiler_makes_another_library(cache: Path, compiler: Callable[[str], Path]) -> None:
    compiler(COMPILER)
    first = made([])
    compiler(COMPILER.replace("made 1.0", "made 1.1"))
    assert made([]) != first


# -- reasons why there is none -----------------------------------------------------------------------------------------


def reason() -> str:
    """Why there are no kernels."""
    with pytest.raises(UnavailableError) as caught:
        build.load(lambda text: None)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_a_compiler_there_are_none(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert reason() == "no C++ compiler: no-such-compiler is not found"


def test_the_first_error_of_a_compiler_is_the_reason(cache: Path, compiler: Callable[[str], Path]) -> None:
    compiler("#!/bin/sh\necho 'a.h:1: note: see' >&2\necho 'a.h:2: error: no such type' >&2\nexit 1\n")
    assert reason() == f"{os.environ['CXX']} failed: a.h:2: error: no such type"
    assert not list((cache / "kernels").glob("*.so"))


def test_the_reason_of_a_linker_comes_before_that_it_has_failed(cache: Path, compiler: Callable[[str], Path]) -> None:
    compiler("#!/bin/sh\necho 'ld: link failed: No space left' >&2\necho 'error: ld returned 1' >&2\nexit 1\n")
    assert reason() == f"{os.environ['CXX']} failed: ld: link failed: No space left"


def test_a_compiler_that_cannot_be_read_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "g++ 'x")
    assert reason() == """CXX = "g++ 'x" cannot be read: No closing quotation"""


def test_a_library_that_cannot_be_loaded_is_a_reason(cache: Path, compiler: Callable[[str], Path]) -> None:
    compiler(COMPILER)
    assert ".so: " in reason()  # the loader's own words, with the file's name


def test_a_cache_that_cannot_be_written_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NACBENCH_CACHE", str(tmp_path / "file"))
    assert "Not a directory" in reason()


def test_the_library_is_no_ones_to_write_but_the_users(cache: Path, compiler: Callable[[str], Path]) -> None:
    compiler(COMPILER)
    assert not made([]).stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def test_kernels_that_compute_wrong_numbers_are_not_used(own_kernels: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geglu, "geglu", lambda hidden, bias, gain: 1.001 * hidden.chunk(2, dim=-1)[0] * gain)
    monkeypatch.setattr(path, "_reasons", {})
    assert path.why_not("cpu", lambda text: None) == "the kernels give wrong numbers on this machine"
