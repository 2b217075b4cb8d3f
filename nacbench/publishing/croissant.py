"""Croissant metadata of a task's data: JSON-LD by the format of MLCommons, version 1.0 (docs.mlcommons.org/croissant).

Readers of Croissant convert values to the declared types without asking, so every value is checked here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nacbench.data.images.task import HubImageTask
from nacbench.data.mirror.archive import ArchiveFiles
from nacbench.data.mirror.hub import HubFiles
from nacbench.errors import UserError, shown
from nacbench.filesystem.files import digest_of
from nacbench.publishing.data_facts import Facts
from nacbench.publishing.examples import Column

VERSION = "http://mlcommons.org/croissant/1.0"
# Keys whose meanings the format asks every file to state, in full; all are Croissant's own
TERMS = (
    "citeAs column equivalentProperty extract field fileProperty fileObject fileSet format includes isLiveDataset "
    "jsonPath key md5 parentField path recordSet references regex repeated replace samplingRate separator source "
    "subField transform"
)
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in TERMS.split()},
}
ARCHIVES = {".zip": "application/zip", ".tar": "application/x-tar", ".tgz": "application/x-tar"}
TEXT, INTEGER = "sc:Text", "cr:Int64"
KINDS = {TEXT: str, INTEGER: int}
# What Croissant's own examples give in place of a checksum for repositories, which have none
NO_CHECKSUM = "https://github.com/mlcommons/croissant/issues/80"


def croissant(facts: Facts, examples: Path | None = None, columns: Sequence[Column] = ()) -> str:
    """Return the metadata as JSON.

    Args:
        facts: what is known of the data.
        examples: Parquet file of decoded examples, which lies beside the metadata; None if there is none.
        columns: its columns.

    Raises:
        UserError: if a value is not of its declared type.
    """
    cls = type(facts.task)
    records = [*_splits(facts), *_classes(facts), *_published(facts)]
    files = [part for own in facts.files for part in _distribution(own)]
    if examples is not None:
        files.append(_file(examples.name, examples.name, "application/x-parquet", digest_of(examples)))
        records.append(_examples(examples.name, columns))
    content = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": facts.name,
        "conformsTo": VERSION,
        "description": _description(facts),
        "license": cls.licence,
        "citeAs": cls.citation,
        "version": f"{cls.version}.0.0",
        **({"url": facts.sources[0]} if facts.sources else {}),
        "keywords": [cls.modality, cls.protocol, cls.targets],
        "distribution": files,
        "recordSet": records,
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def inline(name: str, kinds: Mapping[str, str], records: Sequence[Mapping[str, Any]], about: str) -> dict[str, Any]:
    """Return a record set whose records are in the metadata itself, all checked.

    Args:
        name: of the record set.
        kinds: data type of each field by name; the first field is the key.
        records: by name of the field.
        about: description.

    Raises:
        UserError: if a record lacks a field, has another one, or a value is not of its type.
    """
    for number, record in enumerate(records):
        if record.keys() != kinds.keys():
            raise UserError(f"record {number} of {name} has the fields {', '.join(record)}, not {', '.join(kinds)}")
        for key, value in record.items():
            if type(value) is not KINDS[kinds[key]]:
                raise UserError(f"record {number} of {name}: {key} = {shown(value)} is not of type {kinds[key]}")
    first = next(iter(kinds))
    if len({record[first] for record in records}) < len(records):
        raise UserError(f"{name}: {first} has a value twice, and must tell the records apart")
    return {
        **_record_set(name, about),
        "key": {"@id": f"{name}/{first}"},
        "field": [_field(name, key, kind) for key, kind in kinds.items()],
        "data": [{f"{name}/{key}": value for key, value in record.items()} for record in records],
    }


def _splits(facts: Facts) -> Iterator[dict[str, Any]]:
    if facts.sizes:
        about = "Splits and the number of examples that are used of each"
        rows = [{"name": split, "examples": count} for split, count in facts.sizes.items()]
        yield {**inline("splits", {"name": TEXT, "examples": INTEGER}, rows, about), "dataType": "cr:Split"}


def _classes(facts: Facts) -> Iterator[dict[str, Any]]:
    if facts.class_names:
        about = "Classes; a label of decoded examples is the index of one"
        rows = [{"index": index, "name": name} for index, name in enumerate(facts.class_names)]
        yield inline("classes", {"index": INTEGER, "name": TEXT}, rows, about)


def _published(facts: Facts) -> Iterator[dict[str, Any]]:
    """Yield a record set for each split of images that the hub has as Parquet, as it has them."""
    task = facts.trained
    if not isinstance(task, HubImageTask) or task.dataset not in facts.files:
        return
    for split in task.dataset.splits:
        name = f"published-{split}"
        source = {"fileSet": {"@id": _split_id(task.dataset, split)}}
        image = {**source, "extract": {"column": task.image_column}, "transform": {"jsonPath": "bytes"}}
        label = {**source, "extract": {"column": task.label_column}}
        # A copy may list its classes in another order, or have only some of them: see `nacbench.data.class_order`
        numbered = "Number of the class as the published files number it; the schema in them has its name"
        yield {
            **_record_set(name, f"Images of split {split}, as they are published"),
            "field": [
                {**_field(name, "image", "sc:ImageObject"), "source": image},
                {**_field(name, "label", INTEGER), "source": label, "description": numbered},
            ],
        }


def _examples(file: str, columns: Sequence[Column]) -> dict[str, Any]:
    def field(column: Column) -> dict[str, Any]:
        source = {"fileObject": {"@id": file}, "extract": {"column": column.name}}
        shape = f"; shape {'×'.join(map(str, column.shape))}, last index fastest" if column.shape else ""
        own = {**_field("examples", column.name, column.kind), "source": source, "description": column.about + shape}
        return {**own, "repeated": True} if column.shape else own

    about = "First examples of each split, decoded as the task has them before any augmentation"
    return {**_record_set("examples", about), "field": [field(column) for column in columns]}


def _distribution(files: Any) -> Iterator[dict[str, Any]]:
    """Yield the files that can be named with an address and a checksum."""
    if isinstance(files, HubFiles):
        yield _file(files.name, files.origin(), "git+https", NO_CHECKSUM)
        for split, pattern in files.splits.items():
            yield {
                "@type": "cr:FileSet",
                "@id": _split_id(files, split),
                "name": _split_id(files, split),
                "containedIn": {"@id": files.name},
                "encodingFormat": "application/x-parquet",
                "includes": pattern,
            }
    elif isinstance(files, ArchiveFiles) and files.sha256 is not None:
        address = files.url.partition("?")[0]
        ending = next((kind for end, kind in ARCHIVES.items() if address.endswith(end)), "application/octet-stream")
        yield _file(files.name, files.url, ending, files.sha256)


def _file(name: str, address: str, encoding: str, sha256: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": address,
        "encodingFormat": encoding,
        "sha256": sha256,
    }


def _split_id(files: HubFiles, split: str) -> str:
    return f"{files.name}/{split}"


def _record_set(name: str, about: str) -> dict[str, Any]:
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "description": about}


def _field(record_set: str, name: str, kind: str) -> dict[str, Any]:
    identifier = f"{record_set}/{name}"
    return {"@type": "cr:Field", "@id": identifier, "name": identifier, "dataType": kind}


def _description(facts: Facts) -> str:
    cls = type(facts.task)
    named = {files["@id"] for own in facts.files for files in _distribution(own)}
    unnamed = [str(own) for own in facts.files if getattr(own, "name", None) not in named]
    parts = [
        f"{cls.title}, with {cls.classes} {'classes' if cls.targets == 'classes' else cls.targets}",
        f"From: {cls.provenance}",
        *(f"Not listed, as its makers publish no checksum or it is given by hand: {files}" for files in unnamed),
        *([f"Fingerprint of the decoded examples: {facts.fingerprint}"] if facts.fingerprint else []),
        *(["Numbers are as published; the data was not looked at"] if facts.missing and facts.sizes else []),
        *facts.problems,
    ]
    return ". ".join(parts)
