"""Pages of metrics: five generations of Spring read exactly, and everything that only looks like a page survived."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from bongsu.adapters.exposition import NotMetrics, examine, parse
from bongsu.adapters.fetch import MOST, address, get, shown
from bongsu.core.errors import InvalidInput
from bongsu.lab.programs import find_program
from bongsu.ports import Unavailable
from tests.monitoring.payloads import GENERATIONS, payload, serve
from tests.monitoring.strangers import answer, drip, flood, pages, stranger
from tests.support import free_port, wait_for

PAGE = 'up_time{name="a"} 1\nup_time{name="b"} 2\n'


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_spring_page_is_read_as_the_prometheus_library_reads_it(generation: str) -> None:
    text = payload(generation, 600)
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    page = parse(text.encode())
    assert page.series == len(samples)
    assert set(page.names) == {each.name for each in samples}
    values: dict[str, set[str]] = {}
    for each in samples:
        for label, value in each.labels.items():
            values.setdefault(label, set()).add(value)
    assert page.labels == values
    assert (page.malformed_lines, page.duplicates, page.unfinished, page.cut) == (0, 0, False, "")
    assert page.unusable() == {"cache_size": "only NaN"}
    assert page.names["jvm_memory_max_bytes"].negative, "-1 means without a limit"


def test_a_generation_is_served_over_http() -> None:
    with serve("3.3") as host:
        page = examine(f"http://{host}/actuator/prometheus")
    assert page.series > 100
    assert page.content_type.startswith("text/plain")


def test_a_node_exporter_is_read_whole() -> None:
    program = find_program("prometheus-node-exporter")
    assert program, "the node exporter is missing: apt-get install --no-install-recommends prometheus-node-exporter"
    host = f"127.0.0.1:{free_port()}"
    exporter = subprocess.Popen(
        [program, f"--web.listen-address={host}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for("the node exporter", lambda: _answers(f"http://{host}/metrics"))
        page = examine(f"http://{host}/metrics")
    finally:
        exporter.terminate()
        exporter.wait(10)
    assert (page.malformed_lines, page.duplicates, page.unfinished) == (0, 0, False)
    assert {"node_cpu_seconds_total", "node_load1", "node_boot_time_seconds"} <= set(page.names)


def _answers(url: str) -> bool:
    try:
        return get(url, patience=1).status == 200
    except Unavailable:
        return False


def test_quoted_names_timestamps_exemplars_and_odd_spaces_are_samples() -> None:
    lines = [
        'a 1 1700000000000', 'b{x="1"}  +Inf', 'c { x = "y" , } 2', '{"my.name",x="1"} 3', 'd\t4', 'e{x="a\\"b,}c"} 5',
        'f_bucket{le="1"} 7 # {trace_id="abc"} 0.5 1700000000.0', "g -1.5e-3",
    ]  # fmt: skip
    page = parse(("\n".join(lines) + "\n").encode())
    assert (page.series, page.malformed) == (8, ())
    assert set(page.names) == {"a", "b", "c", "my.name", "d", "e", "f_bucket", "g"}


@pytest.mark.parametrize(
    "line", ["what is this", 'a{x="1" 2', "a{x=1} 2", "a 1_000", "a", "-a 1", "a+1", "a ١", "{} 1"]
)
def test_a_line_that_is_no_sample_is_counted_with_its_number(line: str) -> None:
    page = parse(f"{PAGE}{line}\n{PAGE}".encode())
    assert page.malformed == ((3, line),)


def test_a_series_that_is_there_twice_is_counted_comma_or_not() -> None:
    page = parse(b'a{x="1"} 1\na{x="1",} 2\na{x="2"} 3\n')
    assert (page.duplicates, page.duplicate) == (1, 'a{x="1"}')


@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
@settings(deadline=None, max_examples=400)
def test_whatever_the_bytes_parsing_raises_nothing_but_not_metrics(body: bytes) -> None:
    with suppress(NotMetrics):
        assert parse(body).series > 0


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_a_spring_page_with_bytes_knocked_out_of_it_is_still_read(data: st.DataObject) -> None:
    text = bytearray(payload("2.7", 600).encode())
    for _ in range(data.draw(st.integers(0, 5))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=5))
    page = parse(bytes(text))
    assert page.series > 60


@given(st.data())
@settings(deadline=None, max_examples=100)
def test_half_a_payload_is_noticed_wherever_inside_a_line_it_ends(data: st.DataObject) -> None:
    lines = payload("3.3", 600).splitlines()
    ends_in = data.draw(st.sampled_from(range(3, len(lines))))
    kept = data.draw(st.integers(1, lines[ends_in].rindex(" ")))  # a number that lost digits is still a number
    half = "\n".join([*lines[:ends_in], lines[ends_in][:kept]])
    assert parse(half.encode()).unfinished


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("<!DOCTYPE html><html><body>Welcome</body></html>", "HTML"),
        ('{"status":"UP"}', "JSON"),
        ("# HELP a b\n# TYPE a gauge\n", "not one sample"),
        (b"\x1f\x8b\x08\x00abc", "compressed"),
        (b"\x0a\x00\x12\x03abc", "binary"),
        ("Hello, world\n" * 50, "not one line"),
    ],
)
def test_what_is_no_page_of_metrics_is_named(body: bytes | str, words: str) -> None:
    with stranger(answer(body)) as url, pytest.raises(NotMetrics, match=words):
        examine(f"{url}/metrics")


@pytest.mark.parametrize(
    ("status", "words"),
    [("404 Not Found", "exposure.include"), ("401 Unauthorized", "login"), ("503 Unavailable", "answers 503")],
)
def test_a_refusal_says_what_to_do(status: str, words: str) -> None:
    with stranger(answer("no", status)) as url, pytest.raises(NotMetrics, match=words):
        examine(f"{url}/actuator/prometheus")


def test_an_answer_without_end_is_read_up_to_the_limit() -> None:
    piece = b"".join(b'requests_total{path="/%d"} %d\n' % (each, each) for each in range(2000))
    start = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 104857600\r\n\r\n"
    began = time.monotonic()
    with stranger(flood(start, piece)) as url:
        page = examine(f"{url}/metrics", patience=30)
    assert "larger than 20 MiB" in page.cut or "more than 300,000 series" in page.cut
    assert page.size <= MOST
    assert time.monotonic() - began < 30


def test_a_server_that_drips_meets_a_deadline_for_the_whole_answer() -> None:
    start = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000000\r\n\r\n" + PAGE.encode()
    began = time.monotonic()
    with stranger(drip(start, b'more{x="1"} 1\n')) as url:
        page = examine(f"{url}/metrics", patience=0.5)
    assert "not complete after 0.5 s" in page.cut
    assert page.names["up_time"].count == 2, "what came in time was examined"
    assert time.monotonic() - began < 3


def test_headers_that_drip_and_silence_meet_the_same_deadline() -> None:
    for start in (b"HTTP/1.1 200 OK\r\nX-A", b""):
        began = time.monotonic()
        with stranger(drip(start, b"a" if start else b"")) as url:
            with pytest.raises(Unavailable, match=r"does not answer within 0\.4 s"):
                examine(f"{url}/metrics", patience=0.4)
            assert time.monotonic() - began < 3


def test_a_connection_that_breaks_leaves_half_a_payload() -> None:
    with stranger(answer(PAGE, length=5000)) as url:
        page = examine(f"{url}/metrics")
    assert "broke in the middle" in page.cut
    assert page.series == 2
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nup_time 1\n"
    with stranger(chunked) as url:
        assert "broke in the middle" in examine(f"{url}/metrics").cut


def test_redirects_are_followed_a_few_times() -> None:
    moved = pages(old=answer("", "302 Found", Location="/new"), new=answer(PAGE))
    with stranger(moved) as url:
        page = examine(f"{url}/old")
        assert (page.asked, page.url) == (f"{url}/old", f"{url}/new")
    with stranger(pages(a=answer("", "302 Found", Location="/a"))) as url, pytest.raises(Unavailable, match="circles"):
        examine(f"{url}/a")
    away = pages(a=answer("", "302 Found", Location="file:///etc/passwd"))
    with stranger(away) as url, pytest.raises(Unavailable, match="no web address"):
        examine(f"{url}/a")


def test_a_login_page_behind_a_redirect_is_named() -> None:
    login = pages(metrics=answer("", "302 Found", Location="/login"), login=answer("<html>log in</html>"))
    with stranger(login) as url, pytest.raises(NotMetrics, match=r"/login is no page of metrics: it is HTML"):
        examine(f"{url}/metrics")


def test_a_password_goes_to_the_host_it_was_given_for_and_is_never_shown() -> None:
    with stranger(answer("no", "403 Forbidden")) as url:
        secret = url.replace("http://", "http://jimin:hunter2@")
        with pytest.raises(NotMetrics) as refused:
            examine(f"{secret}/metrics")
    assert "hunter2" not in str(refused.value)
    assert shown("http://jimin:hunter2@shop:80/x") == "http://shop:80/x"


def test_nobody_there_no_such_host_and_no_http_are_told_apart() -> None:
    with pytest.raises(Unavailable, match="nobody listens"):
        examine(f"http://127.0.0.1:{free_port()}/metrics")
    with pytest.raises(Unavailable, match="no host by that name"):
        examine("http://no-such-host.invalid/metrics")
    with stranger(b"SSH-2.0-OpenSSH_9.2\r\n") as url, pytest.raises(Unavailable, match="does not speak HTTP"):
        examine(f"{url}/metrics")
    with stranger(answer(PAGE)) as url, pytest.raises(Unavailable, match="TLS"):
        examine(f"{url.replace('http:', 'https:')}/metrics")


@pytest.mark.parametrize("text", ["", "ftp://host/x", "file:///etc/passwd", "http://", "http://a:99999/", "a b:80"])
def test_what_is_no_web_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not an address"):
        address(text)


def test_host_and_port_are_enough_of_an_address() -> None:
    assert address("shop-1:8080") == "http://shop-1:8080"
    assert address("https://shop/metrics") == "https://shop/metrics"
