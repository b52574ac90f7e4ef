"""``python -m bongsu`` and the ``bongsu`` command."""

from __future__ import annotations

from bongsu.cli.main import main

if __name__ == "__main__":
    main()
