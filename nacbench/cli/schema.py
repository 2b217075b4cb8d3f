"""``nacbench schema``: print the JSON Schema of a run's record."""

import json

import typer


def schema() -> None:
    """Print the JSON Schema of record.json."""
    from nacbench.recording import record

    typer.echo(json.dumps(record.schema(), indent=2))
