"""Day one: ``bongsu init`` with flags and on a real terminal, against a real Prometheus and a real mail server."""

from __future__ import annotations

import email
import email.policy
import os
import stat
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bongsu.catalogue import load_catalogue
from bongsu.cli.main import app
from bongsu.config import Config, load
from bongsu.core import setup
from bongsu.core.errors import InvalidInput
from tests.cli.conftest import Inbox
from tests.cli.terminal import Terminal
from tests.support import free_port

JIMIN = "Kim Jimin <jimin@example.com>"
FLAGS = {
    "--job": "application",
    "--machine": "lightsail:small-2GB",
    "--on-call": JIMIN,
    "--team": "Commerce department <commerce@example.com>",
    "--upper-team": "hq@example.com",
    "--relay": "smtp.example.com:587",
    "--time-zone": "Asia/Seoul",
    "--locale": "ko",
}


def run(folder: Path, *arguments: str) -> tuple[int, str, Sequence[str]]:
    """Exit code, what was shown, and the problems. Nobody is at this terminal."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        result = CliRunner().invoke(app, ["init", *arguments])
    finally:
        os.chdir(before)
    if isinstance(result.exception, InvalidInput):
        return 2, result.output, result.exception.problems
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output, ()


def flags(**changed: str | None) -> list[str]:
    """The flags of a whole file, some of them changed or left out."""
    named = {f"--{key.replace('_', '-')}": value for key, value in changed.items()}
    return [each for key, value in {**FLAGS, **named}.items() if value is not None for each in (key, value)]


def test_flags_alone_make_a_whole_file(tmp_path: Path, prometheus: str) -> None:
    code, shown, _ = run(tmp_path, "--yes", "--prometheus", prometheus, *flags(on_call=f"{JIMIN}, sora@example.com"))
    assert code == 0, shown
    config = load(tmp_path / "bongsu.toml")
    service = config.service["application"]
    assert (service.job, service.profile, service.machine) == ("application", "micrometer", "lightsail:small-2GB")
    assert service.owner == "commerce"
    assert [tier.after for tier in config.policy["burst"].tier] == [timedelta(minutes=m) for m in (5, 20, 40)]
    assert [tier.notify for tier in config.policy["burst"].tier] == [
        ["on-call:application"], ["team:commerce"], ["team:hq"],
    ]  # fmt: skip
    rotation = config.schedule["application"].rotation
    assert rotation is not None
    assert rotation.people == ["jimin", "sora"]
    assert (config.person["jimin"].name, config.person["jimin"].locale) == ("Kim Jimin", "ko")
    assert (config.smtp.host, config.smtp.port, config.smtp.tls) == ("smtp.example.com", 587, "starttls")
    assert config.smtp.sender == "bongsu@example.com"
    assert config.prometheus.scrape == timedelta(seconds=1), "as Prometheus really does"
    assert config.site.time_zone == "Asia/Seoul"
    assert config.store.url == f"sqlite:///{tmp_path}/var/bongsu/bongsu.db", "wherever it is started"
    for command in ("bongsu check --config bongsu.toml", "bongsu serve --config bongsu.toml", "bongsu drill"):
        assert command in shown


def test_who_gives_every_flag_need_not_say_yes(tmp_path: Path, prometheus: str) -> None:
    assert run(tmp_path, "--prometheus", prometheus, *flags())[0] == 0
    assert (tmp_path / "bongsu.toml").exists()


def test_every_section_is_explained(tmp_path: Path) -> None:
    run(tmp_path, "--yes", "--offline", *flags())
    lines = (tmp_path / "bongsu.toml").read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("["):
            explained = lines[number - 1].startswith("#") or any("#" in each for each in lines[number + 1 : number + 4])
            assert explained, f"nothing says what {line} is"
    assert max(len(line) for line in lines if str(tmp_path) not in line) <= 120


def test_what_is_found_is_proposed(tmp_path: Path, prometheus: str) -> None:
    code, shown, problems = run(
        tmp_path, "--yes", "--prometheus", prometheus, *flags(job=None, machine=None, team=None, upper_team=None)
    )
    assert code == 0, problems
    config = load(tmp_path / "bongsu.toml")
    assert config.service["application"].job == "application", "the only job that looks like a service"
    assert config.service["application"].machine == "ec2:t3.small", "its node exporter says so"
    assert config.policy["burst"].tier[2].notify == ["team:developers"], "nobody above was named"
    assert config.team["developers"].contact == []
    assert "has no balance" in shown


def test_without_a_terminal_everything_missing_is_said_at_once(tmp_path: Path, prometheus: str) -> None:
    code, _, problems = run(tmp_path, "--prometheus", prometheus)
    assert code == 2
    for flag in ("--job", "--machine", "--on-call", "--relay"):
        assert any(each.startswith(f"{flag} is missing") for each in problems), flag
    assert any("found: application (--yes takes it)" in each for each in problems)
    assert "no terminal" in problems[-1]
    assert not (tmp_path / "bongsu.toml").exists()


def test_every_bad_flag_is_said_at_once(tmp_path: Path) -> None:
    bad = flags(machine="t9.small", on_call="지민@example.com", relay="mail:x", time_zone="KST", locale="fr")
    code, _, problems = run(tmp_path, "--yes", "--prometheus", f"127.0.0.1:{free_port()}", *bad)
    assert code == 2
    for expected in (
        "--prometheus: http://127.0.0.1:",
        "--machine: ",
        "--on-call: '지민@example.com' has letters before the @",
        "--relay: 'mail:x' is not host:port",
        "--time-zone: there is no 'KST'",
        "--locale: 'fr' is not spoken here",
    ):
        assert any(each.startswith(expected) for each in problems), (expected, problems)
    assert any("--offline" in each for each in problems)


def test_a_job_that_prometheus_does_not_have_is_refused(tmp_path: Path, prometheus: str) -> None:
    _, _, problems = run(tmp_path, "--yes", "--prometheus", prometheus, *flags(job="shop"))
    assert problems == ["--job: Prometheus has no target of job 'shop'; it has application, machines, strange"]


def test_metrics_of_no_known_kind_are_said(tmp_path: Path, prometheus: str) -> None:
    code, shown, _ = run(tmp_path, "--yes", "--prometheus", prometheus, *flags(job="strange"))
    assert code == 0
    assert "fit no profile" in shown


def test_a_file_is_never_lost(tmp_path: Path) -> None:
    file = tmp_path / "bongsu.toml"
    for number in range(3):
        file.write_text(f"# mine, number {number}\n")
        code, _, problems = run(tmp_path, "--yes", "--offline", *flags())
        assert code == 2
        assert "--force" in problems[0]
        assert file.read_text() == f"# mine, number {number}\n"
        assert run(tmp_path, "--yes", "--offline", "--force", *flags())[0] == 0
    kept = sorted(each.name for each in tmp_path.glob("bongsu.toml.*"))
    assert kept == ["bongsu.toml.old", "bongsu.toml.old2", "bongsu.toml.old3"]
    assert (tmp_path / "bongsu.toml.old3").read_text() == "# mine, number 2\n"


def test_strange_names_do_not_break_the_file(tmp_path: Path) -> None:
    code, _, problems = run(
        tmp_path, "--yes", "--offline",
        *flags(job='a "b" \\ c', on_call='"O\'Brien \\" <o\'brien@b.example>, 김지민 <info@b.example>, info@c.example'),
    )  # fmt: skip
    assert code == 0, problems
    config = load(tmp_path / "bongsu.toml")
    assert config.service["a-b-c"].job == 'a "b" \\ c'
    assert [each.name for each in config.person.values()] == ["O'Brien \\\"".strip('"'), "김지민", "info"]
    assert list(config.person) == ["o-brien", "info", "info-2"]


def test_the_test_mail_really_arrives(tmp_path: Path, inbox: Inbox) -> None:
    code, shown, _ = run(
        tmp_path, "--yes", "--offline", "--test-mail", *flags(relay=inbox.relay, on_call=f"{JIMIN}, gone@example.com")
    )
    assert code == 0, "a refused mail is no reason to lose the file"
    assert "test mail to jimin@example.com: 250" in shown
    assert "no test mail to gone@example.com: 550" in shown
    (line,) = inbox.mails
    mail = email.message_from_bytes((inbox.folder / line["file"]).read_bytes(), policy=email.policy.default)
    assert "시험 메일" in mail["Subject"]
    assert mail["X-Bongsu-Kind"] == "test"


def test_on_a_terminal_bad_answers_are_asked_again_with_a_reason(tmp_path: Path, prometheus: str, inbox: Inbox) -> None:
    with Terminal(
        "init", "--config", "mine.toml", cwd=tmp_path, environment={"TZ": "Asia/Seoul", "LC_ALL": "C"}
    ) as screen:
        screen.answer("Address of Prometheus", f"127.0.0.1:{free_port()}")
        screen.expect("nobody listens there")
        screen.answer("Address of Prometheus", prometheus.removeprefix("http://"))
        screen.expect("looks like micrometer")
        screen.answer("Job [application]:", "shop")
        screen.expect("no target of job 'shop'")
        screen.answer("Job [application]:")
        screen.answer("to search [ec2:t3.small]:", "lightsail")
        screen.expect("7 types fit 'lightsail'")
        screen.answer("to search [ec2:t3.small]:", "lightsail small")
        screen.answer("Who is on call", "Jimin")
        screen.expect("has no address")
        screen.answer("Who is on call", f"{JIMIN}, sora@example.com")
        screen.answer("Owning department", "Commerce <commerce@example.com>")
        screen.answer("Department above it", "")
        screen.answer("Mail relay", inbox.relay)
        screen.answer("Sender of the mails [bongsu@example.com]:")
        screen.expect("wrote mine.toml")
        screen.answer("Send a test mail to jimin@example.com, sora@example.com now?", "y")
        screen.expect("test mail to sora@example.com: 250")
        screen.expect("bongsu check --config mine.toml")
        assert screen.ended() == 0
    config = load(tmp_path / "mine.toml")
    assert config.service["application"].machine == "lightsail:small-2GB"
    assert config.site.time_zone == "Asia/Seoul"
    assert [each["to"] for each in inbox.mails] == ["jimin@example.com", "sora@example.com"]


def test_a_password_goes_into_a_file_that_nobody_else_reads(tmp_path: Path) -> None:
    asked = flags(relay=None)
    with Terminal("init", "--offline", "--no-test-mail", *asked, cwd=tmp_path) as screen:
        screen.answer("Mail relay", "smtp.example.com:587")
        screen.answer("Sender of the mails")
        screen.answer("User of the relay", "bongsu")
        screen.answer("smtp_password): ", "open sesame")  # the space comes when the echo is off
        screen.expect("wrote bongsu.toml")
        assert screen.ended() == 0
        assert "sesame" not in screen.screen
    config = load(tmp_path / "bongsu.toml")
    assert config.smtp.password_file is not None
    assert config.smtp.password_file.read_text() == "open sesame\n"
    assert stat.S_IMODE(config.smtp.password_file.stat().st_mode) == 0o600
    assert "sesame" not in (tmp_path / "bongsu.toml").read_text()


def test_ctrl_d_leaves_nothing_behind(tmp_path: Path) -> None:
    with Terminal("init", "--offline", cwd=tmp_path) as screen:
        screen.answer("Job", "application")
        screen.expect("to search")
        screen.press("\x04")
        assert screen.ended() != 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lightsail:small-2GB", "lightsail:small-2GB"),
        ("T3.SMALL", "ec2:t3.small"),
        ("small 2gb", "lightsail:small-2GB"),
    ],
)
def test_a_machine_is_found_by_a_part_of_its_name(text: str, expected: str) -> None:
    catalogue = load_catalogue()
    assert setup.machine(text, catalogue, list(catalogue.values())).key == expected


def test_the_likely_machine_is_the_one_that_is_named_else_those_of_its_size() -> None:
    catalogue = load_catalogue()
    assert [each.key for each in setup.likely(catalogue, {"shop", "t3.small"}, 8)] == ["ec2:t3.small"]
    assert {each.vcpus for each in setup.likely(catalogue, {"shop"}, 4)} == {4}
    assert len(setup.likely(catalogue, set(), None)) == len(catalogue)


def test_the_written_file_is_a_config(tmp_path: Path) -> None:
    run(tmp_path, "--yes", "--offline", "--public-url", "https://bongsu.example.com", *flags())
    config: Config = load(tmp_path / "bongsu.toml")
    assert config.web.public_url == "https://bongsu.example.com"
    assert config.web.host == "127.0.0.1", "it has no log-in"
