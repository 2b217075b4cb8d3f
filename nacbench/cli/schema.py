"""``nacbench schema``: print the JSON Schema of a run's record."""

from nacbench.formats.terminal import say_json


def schema() -> None:
    """Print the JSON Schema of record.json."""
    from nacbench.recording import record

    say_json(record.schema())
