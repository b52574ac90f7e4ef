"""``bongsu doctor`` as a process: what it prints, its exit codes, and what strangers' words and bytes can do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.monitoring.payloads import serve
from tests.monitoring.strangers import answer, flood, pages, stranger
from tests.support import free_port


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bongsu", "doctor", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "BONGSU_CONFIG"}
    return subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def test_the_command_prints_what_to_add_and_exits_with_what_it_found(tmp_path: Path) -> None:
    with serve("3.3") as host:
        fine = run(host, folder=tmp_path)
        assert (fine.returncode, fine.stderr) == (0, "")
        add = "→ Spring: management.metrics.distribution.percentiles-histogram.http.server.requests=true\n"
        assert add in fine.stdout, "in one piece, to be copied"
        assert fine.stdout.endswith("Nothing is wrong.\n")
        ill = run(f"http://{host}/metrics", folder=tmp_path)
    assert ill.returncode == 1
    assert ill.stdout.endswith("1 error, 0 warnings\n")


def test_the_command_prints_json(tmp_path: Path) -> None:
    with serve("2.1") as host:
        found = json.loads(run(host, "--json", folder=tmp_path).stdout)
    assert found["ok"] is True
    assert found["services"][0]["signals"][0]["query"]


def test_bad_input_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    for arguments, words in (
        ((), "there is no bongsu.toml here"),
        (("ftp://shop/metrics",), "is not an address"),
        ((f"http://127.0.0.1:{free_port()}",), "nobody listens there"),
        (("--config", "other.toml"), "other.toml: cannot be read"),
    ):
        told = run(*arguments, folder=tmp_path)
        assert told.returncode == 2, told
        assert words in told.stderr
        assert "Traceback" not in told.stderr


def test_words_of_strangers_do_no_harm_to_the_terminal(tmp_path: Path) -> None:
    evil = 'a{x="1"} 1\n\x1b[2J[/red] [bold]not a sample\n'
    with stranger(pages(metrics=answer(evil))) as url:
        told = run(f"{url}/metrics", folder=tmp_path)
    assert told.returncode == 1
    assert "\x1b[2J" not in told.stdout
    assert "[/red] [bold]not a sample" in told.stdout


MEASURED = """
import sys
from bongsu.__main__ import main
try:
    main()
finally:
    print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)
"""
"""The command, and at the end its own peak of memory: what wait4 tells counts the parent's before the exec too."""


def test_a_hundred_megabytes_cost_bounded_memory(tmp_path: Path) -> None:
    piece = b"".join(b'requests_total{path="/%d"} %d\n' % (each, each) for each in range(2000))
    start = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 104857600\r\n\r\n"
    with stranger(flood(start, piece)) as url:
        command = [sys.executable, "-c", MEASURED, "doctor", f"{url}/metrics", "--json"]
        told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 1, told.stderr
    findings = json.loads(told.stdout)["findings"]
    assert any("only what came before was examined" in each["what"] for each in findings)
    used = int(told.stderr.split()[-2])
    assert used < 250 * 1024, f"{used / 1024:.0f} MiB"
