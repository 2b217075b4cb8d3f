"""Shared by the commands: options, error messages of the file system, tables, and the data that tasks need."""
