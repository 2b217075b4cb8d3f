"""Read a file of claims, the paper's or anybody's; what is wrong in it is told by claim and key."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nacbench.errors import BrokenFileError, first_problem, shown, unknown
from nacbench.formats.yaml_text import parse_yaml, read_mapping
from nacbench.reporting.paper.claims import KINDS, Claim, Claims


@cache
def read_claims() -> Claims:
    """Read the paper's claims, from claims.yaml beside this module."""
    text = files("nacbench.reporting.paper").joinpath("claims.yaml").read_text("utf-8")
    return _parsed(parse_yaml(text, "claims.yaml"), "claims.yaml")


def claims_in(path: Path) -> Claims:
    """Read anybody's claims from a file of the same format.

    Raises:
        UserError: if there is no such file, or it is not of this format; the message names the claim and the key.
    """
    return _parsed(read_mapping(path, Claims.model_fields), path)


def _parsed(content: Mapping[str, Any], where: object) -> Claims:
    for key in content:
        if key not in Claims.model_fields:
            raise BrokenFileError(f"{where}: {unknown('key', key, Claims.model_fields)}")
    some = content.get("claims")
    if not isinstance(some, list) or not some:
        raise BrokenFileError(
            f"{where}: claims must be a list of one or more claims, each a mapping with name and kind"
        )
    named: dict[str, Claim] = {}
    for number, one in enumerate(some, 1):
        claim = _claim(one, f"{where}: claim {_called(one, number)}")
        if claim.name in named:
            raise BrokenFileError(
                f"{where}: claim {number}: the name {shown(claim.name)} is taken; give it another one"
            )
        named[claim.name] = claim
    try:
        return Claims.model_validate({**content, "claims": list(named.values())})
    except ValidationError as error:
        raise BrokenFileError(f"{where}: {first_problem(error, '')}") from None


def _called(content: Any, number: int) -> str:
    name = content.get("name") if isinstance(content, Mapping) else None
    return f"{number} ({shown(name)})" if isinstance(name, str) and name else str(number)


def _claim(content: Any, where: str) -> Claim:
    if not isinstance(content, Mapping):
        raise BrokenFileError(
            f"{where} is {shown(content)}; it must be a mapping with the keys name, kind, says, task …"
        )
    name = content.get("kind")
    if name is None:
        raise BrokenFileError(f"{where} has no kind; give one of {', '.join(KINDS)}")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise BrokenFileError(f"{where}: {unknown('kind', str(name), KINDS)}")
    for key in content:
        if key not in kind.model_fields:
            raise BrokenFileError(f"{where}: {unknown(f'key of a claim of kind {name}', key, kind.model_fields)}")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise BrokenFileError(f"{where}: {first_problem(error, '')}") from None
