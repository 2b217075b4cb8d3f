"""What the verbs share: options, refusals, tables, and which data a task needs."""
