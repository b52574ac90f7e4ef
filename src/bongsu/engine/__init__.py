"""One verb per file: read, decide in ``core``, write."""
