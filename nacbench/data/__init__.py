"""Getting, checking, caching and serving data."""
