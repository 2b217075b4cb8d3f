"""Settings of libraries: given, refused or recorded; and the list of them in the docs is complete."""

import ast
from collections.abc import Iterator
from pathlib import Path

import accelerate
import pytest
import torch

from nacbench.errors import UserError
from nacbench.machine.settings import GIVEN, VARIABLES, check_settings, given_settings, recorded, refused, variables
from tests.conftest import REPOSITORY


@pytest.mark.parametrize(
    "text",
    [
        "ACCELERATE_GRADIENT_ACCUMULATION_STEPS=2",
        "ACCELERATE_TORCH_DEVICE=cuda:1",
        "ACCELERATE_USE_FSDP=1",
        "ACCELERATE_USE_DEEPSPEED=true",
        "ACCELERATE_USE_MEGATRON_LM=true",
        "ACCELERATE_DYNAMO_BACKEND=INDUCTOR",
        "ACCELERATE_A_LATER_SETTING=yes",
        "ONEDNN_DEFAULT_FPMATH_MODE=BF16",
        "DNNL_DEFAULT_FPMATH_MODE=ANY",
        "NVIDIA_TF32_OVERRIDE=0",
        "NVIDIA_TF32_OVERRIDE=1",
        "OMP_DYNAMIC=TRUE",
        "OMP_THREAD_LIMIT=1",
        "MKL_DOMAIN_NUM_THREADS=MKL_DOMAIN_BLAS=1",
        "TORCH_COMPILE_DISABLE=1",
        "TORCHDYNAMO_DISABLE=1",
    ],
)
def test_what_would_change_numbers_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, _, value = text.partition("=")
    (line,) = refused({name: value})
    assert line.startswith(f"{text} is set, which changes numbers (") and line.endswith("; unset it")
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f"{name}="):
        check_settings()


@pytest.mark.parametrize(
    "text",
    [
        # as `accelerate launch` sets them
        "ACCELERATE_MIXED_PRECISION=no",
        "ACCELERATE_DYNAMO_BACKEND=no",
        "ACCELERATE_DYNAMO_MODE=default",
        "ACCELERATE_DYNAMO_USE_FULLGRAPH=False",
        "ACCELERATE_USE_CPU=True",
        "ACCELERATE_GRADIENT_ACCUMULATION_STEPS=1",
        "ONEDNN_DEFAULT_FPMATH_MODE=STRICT",
        "NVIDIA_TF32_OVERRIDE=",
        "TORCH_COMPILE_DISABLE=0",
        "OMP_DYNAMIC=false",
    ],
)
def test_a_value_that_asks_for_nothing_is_accepted(text: str) -> None:
    name, _, value = text.partition("=")
    assert refused({name: value}) == []


def test_what_can_change_last_digits_is_recorded_and_the_rest_is_not() -> None:
    environ = {
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_CBWR": "COMPATIBLE",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "TORCHINDUCTOR_MAX_AUTOTUNE": "1",
        "TORCH_HOME": "/home/me",
        "TORCHINDUCTOR_CACHE_DIR": "/home/me",
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
        "OMP_NUM_THREADS": "1",
        "HF_TOKEN": "secret",
        "ONEDNN_MAX_CPU_ISA": "",
    }
    assert recorded(environ) == {
        name: environ[name]
        for name in ("ATEN_CPU_CAPABILITY", "CUBLAS_WORKSPACE_CONFIG", "MKL_CBWR", "TORCHINDUCTOR_MAX_AUTOTUNE")
    }
    assert recorded({"MKL_CBWR": "x" * 5000}) == {"MKL_CBWR": "x" * 200}


def read_by(package: Path) -> Iterator[str]:
    """The environment variables of its own that a package's modules read by name."""
    for file in (package / "state.py", package / "accelerator.py", *(package / "utils").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("ACCELERATE_"):
                yield node.value


def test_every_variable_that_accelerate_reads_is_given_refused_or_harmless() -> None:
    names = sorted(set(read_by(Path(accelerate.__file__).parent)))
    assert "ACCELERATE_MIXED_PRECISION" in names
    treated = {name: variable.treatment for name, _, variable in variables(dict.fromkeys(names, "1"))}
    assert [name for name in names if treated.get(name) in (None, "recorded")] == []


def test_settings_in_python_are_given_and_put_back() -> None:
    other = {"float32": "float64", "highest": "high", True: False, False: True}
    before = [given.get(torch) for given in GIVEN]
    threads = torch.get_num_threads()
    try:
        for given in GIVEN:
            given.apply(torch, other[given.value])
        changed = [given.get(torch) for given in GIVEN]
        assert changed == [other[given.value] for given in GIVEN]
        with given_settings(3):
            assert [given.get(torch) for given in GIVEN] == [given.value for given in GIVEN]
            assert torch.get_num_threads() == 3
        assert [given.get(torch) for given in GIVEN] == changed
        assert torch.get_num_threads() == threads
    finally:
        for given, value in zip(GIVEN, before, strict=True):
            given.apply(torch, value)


def test_torch_s_own_defaults_are_what_is_given() -> None:
    assert {given.name: given.get(torch) for given in GIVEN} == {given.name: given.value for given in GIVEN}


def test_a_run_inside_autocast_or_no_grad_or_on_another_default_device_is_refused() -> None:
    for context, message in (
        (torch.autocast("cpu", torch.bfloat16), r"inside torch\.autocast"),
        (torch.no_grad(), r"inside torch\.no_grad"),
        (torch.inference_mode(), "inference_mode"),
        (torch.device("meta"), "default device is meta"),
    ):
        with context, pytest.raises(UserError, match=message):
            check_settings()


def test_the_docs_list_every_setting() -> None:
    text = (REPOSITORY / "docs" / "reproducing.md").read_text(encoding="utf-8")
    rows = [f"| `{variable.pattern}` | {variable.treatment} | {variable.what} |" for variable in VARIABLES]
    rows += [f"| `{given.name}` | given: `{given.value}` | {given.what} |" for given in GIVEN]
    assert [row for row in rows if row not in text] == []
    assert text.count("| `") == len(rows)
