"""What all tests share."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Some tests hold printed documents against the code; this writes them anew."""
    parser.addoption("--write-docs", action="store_true", help="write the documents that tests print")
