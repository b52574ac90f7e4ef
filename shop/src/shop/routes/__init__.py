"""The HTTP surface: one file per noun. Handlers are plain functions and run on the server's worker threads."""
