"""The SQL that counts who was hurt: one script with its values written in, so that anybody can run it again.

It is what ``core/impact.py`` defines. Steps: lines under one set of names; the limits; a tally by person, route and
span of time; from that every figure. Only the tally is grouped by person, so that the log is gone through once for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bongsu.core.impact import (
    REFUSALS,
    REFUSED_AT_LEAST,
    REFUSED_FACTOR,
    REFUSED_PERCENT,
    SLOW_AT_LEAST,
    SLOW_FACTOR,
    Rules,
)

NAMES = {
    "ts": "VARCHAR", "request_id": "VARCHAR", "method": "VARCHAR", "path": "VARCHAR", "status": "VARCHAR",
    "duration_ms": "DOUBLE", "duration_s": "DOUBLE", "server": "VARCHAR", "user": "VARCHAR", "visitor": "VARCHAR",
    "synthetic": "VARCHAR", "agent": "VARCHAR", "termination": "VARCHAR", "route": "VARCHAR",
}  # fmt: skip
"""The fields of a log line. Those that a log does not have are empty."""
DAYS = 7
"""How many earlier days are compared with, where the log reaches back so far."""
PARTS = 6
"""Into how many parts a time is cut to see its scatter, and whether its log is whole."""
SKEW_AT_MOST = timedelta(minutes=5)
_IDS = r"/(?:[0-9]+|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{22}|[0-9a-fA-F]{24,})\b"
FINE = 10 * PARTS
"""Into how many pieces the calm time and the window are cut to find gaps."""


@dataclass(frozen=True, slots=True)
class Span:
    """A time by name: ``calm``, ``onset``, ``window``, ``after``, ``day1``... Wall time, the end not included."""

    name: str
    since: datetime
    until: datetime


def spans_of(
    calm: tuple[datetime, datetime], window: tuple[datetime, datetime], grace: timedelta, day: timedelta
) -> tuple[Span, ...]:
    """Every time that is looked at: they do not overlap, for days that would reach into the calm time are left out."""
    spans = [Span("calm", *calm), Span("window", *window), Span("after", window[1], window[1] + grace)]
    if calm[1] < window[0]:
        spans.append(Span("onset", calm[1], window[0]))
    for number in range(1, DAYS + 1):
        since, until = window[0] - number * day, window[1] - number * day
        if until <= calm[0] and window[1] - window[0] <= day:
            spans.append(Span(f"day{number}", since, until))
    return tuple(spans)


def parts_of(span: str) -> int:
    """Into how many pieces a span is cut."""
    return {"calm": FINE, "window": FINE, "after": 1}.get(span, PARTS)


def literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def moment(at: datetime) -> str:
    """A time as SQL."""
    return f"TIMESTAMP '{at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ')}'"


def script(
    spans: Sequence[Span], rules: Rules, edge: Sequence[str], shop: Sequence[str], columns: Mapping[str, str]
) -> str:
    """Everything up to the tables that ``FIGURES`` read. ``columns``: name and type of what Parquet files hold."""
    parts = [_source("edge", edge, columns), _lines("edge_line", "edge", rules, spans)]
    parts += _joined(shop, columns, spans, rules) if shop else [_ALONE]
    if any(not file.endswith(".parquet") for file in (*edge, *shop)) or columns.get("ts") == "VARCHAR":
        parts = [_READ_TIMES_ONCE, *parts, "RESET disabled_optimizers;"]
    return "\n".join([*parts, _pieces(spans), _tally(rules), _people(rules), _REFUSED])


_READ_TIMES_ONCE = "SET disabled_optimizers = 'filter_pushdown';"
"""Where times are texts: pushed down, the filter would read each line's time anew for every comparison (measured: 16.7
against 7.9 s). Where they are times, pushing down lets DuckDB skip whole parts of Parquet files."""


def _source(name: str, files: Sequence[str], columns: Mapping[str, str]) -> str:
    """A view over the files, JSON and Parquet, with every name and texts in it; NULL where a line is no JSON."""
    selects = []
    json_files = [file for file in files if not file.endswith(".parquet")]
    if json_files:
        named = ", ".join(f'"{column}": {literal(kind)}' for column, kind in NAMES.items())
        read = (
            f"read_json([{', '.join(map(literal, json_files))}], format = 'newline_delimited', ignore_errors = true, "
            f"columns = {{{named}}})"
        )
        selects.append(f"SELECT {_at('VARCHAR')} AS seen, * EXCLUDE (ts) FROM {read}")
    parquet = [literal(file) for file in files if file.endswith(".parquet")]
    if parquet:
        rest = [
            f'TRY_CAST("{column}" AS {kind}) AS "{column}"' if column in columns else f'NULL::{kind} AS "{column}"'
            for column, kind in NAMES.items()
            if column != "ts"
        ]
        at = _at(columns["ts"]) if "ts" in columns else "NULL::TIMESTAMP"
        selects.append(
            f"SELECT {at} AS seen, {', '.join(rest)}\n  FROM read_parquet([{', '.join(parquet)}], union_by_name = true)"
        )
    return f"CREATE TEMP VIEW {name} AS\n" + "\nUNION ALL BY NAME\n".join(selects) + ";"


def _at(kind: str) -> str:
    if kind == "TIMESTAMP WITH TIME ZONE":
        return "ts AT TIME ZONE 'UTC'"
    if kind.startswith("TIMESTAMP"):
        return "CAST(ts AS TIMESTAMP)"
    return "coalesce(TRY_CAST(ts AS TIMESTAMP), make_timestamp(CAST(TRY_CAST(ts AS DOUBLE) * 1e6 AS BIGINT)))"


def _lines(name: str, source: str, rules: Rules, spans: Sequence[Span]) -> str:
    """The lines of the spans with all judgements that need no other line, and those that are unusable."""
    named = [
        f"WHEN regexp_full_match(path, {literal(_pattern(route))}) THEN {literal(route)}" for route in rules.routes
    ]
    generic = f"regexp_replace(path, {literal(_IDS)}, '/{{id}}', 'g')"
    route = f"CASE {' '.join(named)} ELSE {generic} END" if named else generic
    cases = "\n    ".join(f"WHEN seen >= {moment(s.since)} AND seen < {moment(s.until)} THEN '{s.name}'" for s in spans)
    within = " OR ".join(f"(seen >= {moment(since)} AND seen < {moment(until)})" for since, until in _stretches(spans))
    return f"""CREATE TEMP VIEW {name} AS
SELECT seen, CASE {cases} END AS span, {route} AS route, upper(coalesce(method, '')) AS method, request_id,
  TRY_CAST(status AS INTEGER) AS status, coalesce(duration_ms, 1000 * duration_s) AS ms,
  coalesce(nullif(server, '<NOSRV>'), '') AS server,
  coalesce(nullif("user", '-'), '') AS who, coalesce(nullif(visitor, '-'), '') AS visitor,
  coalesce(termination, '') AS termination, {_left_out(rules)} AS left_out,
  seen IS NULL OR path IS NULL OR TRY_CAST(status AS INTEGER) IS NULL AS unusable
FROM {source} WHERE seen IS NULL OR {within};"""


def _stretches(spans: Sequence[Span]) -> list[tuple[datetime, datetime]]:
    """The spans, those that follow on each other as one."""
    found: list[tuple[datetime, datetime]] = []
    for since, until in sorted((each.since, each.until) for each in spans):
        if found and found[-1][1] == since:
            found[-1] = (found[-1][0], until)
        else:
            found.append((since, until))
    return found


def _pattern(route: str) -> str:
    """``/products/{slug}`` as a regular expression."""
    return "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]*\})", route))


def _monitoring(rules: Rules) -> str:
    return " OR ".join(f"starts_with(path, {literal(prefix)})" for prefix in rules.monitoring) or "false"


def _left_out(rules: Rules) -> str:
    staff = f"""coalesce("user", '') IN ({", ".join(map(literal, rules.staff))})""" if rules.staff else "false"
    return f"""CASE
    WHEN coalesce(synthetic, '') NOT IN ('', '0', 'false', '-') OR {_agents(rules.synthetic)} THEN 'synthetic'
    WHEN {_monitoring(rules)} THEN 'monitoring'
    WHEN {_agents(rules.bots)} THEN 'bots'
    WHEN {staff} THEN 'staff'
    ELSE '' END"""


def _agents(patterns: Sequence[str]) -> str:
    if not patterns:
        return "false"
    return f"regexp_matches(coalesce(agent, ''), {literal('(?i)' + '|'.join(patterns))})"


_ALONE = "CREATE TEMP TABLE line AS SELECT * EXCLUDE (request_id) FROM edge_line;"


def _joined(shop: Sequence[str], columns: Mapping[str, str], spans: Sequence[Span], rules: Rules) -> list[str]:
    """The edge's lines with the route and the user that the application's log knows of the same request.

    A path's pattern that the application named once gets that name in every line, also where the application was
    silent. The window goes by the edge's clock alone; the other is measured against it.
    """
    since, until = min(s.since for s in spans) - SKEW_AT_MOST, max(s.until for s in spans) + SKEW_AT_MOST
    window = next(each for each in spans if each.name == "window")
    return [
        _source("shop", shop, columns),
        f"""CREATE TEMP TABLE shop_line AS
SELECT request_id, min(seen) AS seen, min(nullif(route, 'UNKNOWN')) AS route, min(nullif("user", '')) AS who,
  min(path) AS path, bool_or(coalesce(synthetic, '') NOT IN ('', '0', 'false')) AS synthetic
FROM shop WHERE request_id <> '' AND status IS NOT NULL AND seen >= {moment(since)} AND seen < {moment(until)}
GROUP BY request_id;
CREATE TEMP TABLE shop_unusable AS SELECT count(*) AS lines FROM shop WHERE seen IS NULL;
CREATE TEMP TABLE edge_kept AS SELECT * FROM edge_line;
CREATE TEMP TABLE only_in_shop AS SELECT count(*) AS n FROM shop_line ANTI JOIN edge_kept USING (request_id)
WHERE seen >= {moment(window.since)} AND seen < {moment(window.until)} AND NOT synthetic AND NOT ({_monitoring(rules)});
CREATE TEMP TABLE named AS
SELECT e.route AS pattern, s.route, count(*) AS n FROM edge_kept e JOIN shop_line s USING (request_id)
WHERE s.route IS NOT NULL GROUP BY e.route, s.route
QUALIFY row_number() OVER (PARTITION BY e.route ORDER BY count(*) DESC, s.route) = 1;
CREATE TEMP TABLE line AS
SELECT e.* REPLACE (coalesce(n.route, e.route) AS route, coalesce(nullif(e.who, ''), s.who, '') AS who),
  s.request_id IS NOT NULL AS matched, s.seen AS shop_at
FROM edge_kept e LEFT JOIN named n ON n.pattern = e.route LEFT JOIN shop_line s ON s.request_id = e.request_id;""",
    ]


def _pieces(spans: Sequence[Span]) -> str:
    """How the lines lie in each span: where the log has gaps, how the calm time scatters, and on which machines."""
    cases = " ".join(
        f"WHEN '{each.name}' THEN epoch(seen - {moment(each.since)}) "
        f"/ {(each.until - each.since).total_seconds() / parts_of(each.name)!r}"
        for each in spans
        if each.until > each.since
    )
    return f"""CREATE TEMP TABLE pieces AS
SELECT span, CAST(floor(CASE span {cases} END) AS INTEGER) AS part, server, left_out, unusable, count(*) AS n,
  min(seen) AS first_at, max(seen) AS last_at
FROM line GROUP BY ALL;"""


def _tally(rules: Rules) -> str:
    fixed = [f"WHEN route = {literal(r)} THEN {_ms(each)}" for r, each in rules.slow_over.items() if r]
    otherwise = (
        _ms(rules.slow_over[""])
        if "" in rules.slow_over
        else f"greatest({_ms(SLOW_AT_LEAST)}, {SLOW_FACTOR} * coalesce(p95, 0))"
    )
    limit = f"CASE {' '.join(fixed)} ELSE {otherwise} END" if fixed else otherwise
    return f"""CREATE TEMP TABLE limits AS
SELECT route, p95, CAST({limit} AS DOUBLE) AS limit_ms FROM (
  SELECT route, quantile_cont(ms, 0.95) FILTER (span = 'calm' AND left_out = '' AND NOT unusable) AS p95
  FROM line GROUP BY route);
CREATE TEMP TABLE tally AS
SELECT span, route, method, who, visitor, left_out, unusable, count(*) AS n, count(*) FILTER (failed) AS failed,
  count(*) FILTER (slow) AS slow, count(*) FILTER (gone AND NOT failed) AS early,
  max(seen) FILTER (failed) AS failed_at, max(seen) FILTER (NOT failed AND status BETWEEN 100 AND 399) AS ok_at
FROM (
  SELECT *, status >= 500 OR left(termination, 1) IN ('S', 's') OR (gone AND ms > limit_ms) AS failed,
    NOT gone AND status < 500 AND left(termination, 1) NOT IN ('S', 's') AND ms > limit_ms AS slow
  FROM (SELECT line.*, limit_ms, status <= 0 OR status = 499 AS gone FROM line LEFT JOIN limits USING (route))
) GROUP BY span, route, method, who, visitor, left_out, unusable;"""


def _ms(span: timedelta) -> str:
    return repr(span.total_seconds() * 1000)


_PERSON = """CASE WHEN t.who <> '' THEN 'u:' || t.who WHEN o.who <> '' THEN 'u:' || o.who
  WHEN t.visitor <> '' THEN 'v:' || t.visitor ELSE '' END"""


def _people(rules: Rules) -> str:
    goals = ", ".join(literal(f"{method} {route}") for method, route in rules.goals)
    goal = f"method || ' ' || route IN ({goals})" if goals else "method NOT IN ('', 'GET', 'HEAD', 'OPTIONS')"
    return f"""CREATE TEMP TABLE owner AS
SELECT visitor, min(who) AS who FROM tally WHERE left_out = '' AND NOT unusable AND who <> '' AND visitor <> ''
GROUP BY visitor HAVING count(DISTINCT who) = 1;
CREATE TEMP TABLE people AS
SELECT t.*, {_PERSON} AS person FROM tally t LEFT JOIN owner o ON o.visitor = t.visitor
WHERE left_out = '' AND NOT unusable;
CREATE TEMP TABLE hurt AS
SELECT route, person, sum(n) AS n, sum(failed) AS failed, sum(slow) AS slow, sum(early) AS early,
  coalesce(sum(n) FILTER (who <> ''), 0) AS signed_n, coalesce(sum(failed) FILTER (who <> ''), 0) AS signed_failed,
  coalesce(sum(slow) FILTER (who <> ''), 0) AS signed_slow
FROM people WHERE span = 'window' GROUP BY route, person;
CREATE TEMP TABLE blocked AS
SELECT route, person, bool_or(failed_at > coalesce(ok_at, TIMESTAMP '-infinity')) AS at_most,
  bool_or(coalesce(signed_failed_at > coalesce(ok_at, TIMESTAMP '-infinity'), false)) AS at_least
FROM (
  SELECT route, method, person, max(failed_at) FILTER (span = 'window') AS failed_at,
    max(failed_at) FILTER (span = 'window' AND who <> '') AS signed_failed_at,
    max(ok_at) FILTER (span IN ('window', 'after')) AS ok_at
  FROM people WHERE person <> '' AND {goal} GROUP BY route, method, person
) WHERE failed_at IS NOT NULL GROUP BY route, person;"""


_REFUSED = f"""CREATE TEMP TABLE refusal AS
SELECT span, route, status, who, visitor, count(*) AS n FROM line
WHERE status IN ({", ".join(map(str, REFUSALS))}) AND span IN ('calm', 'window') AND left_out = '' AND NOT unusable
  AND left(termination, 1) NOT IN ('S', 's') GROUP BY ALL;
CREATE TEMP TABLE burst AS
SELECT * FROM (
  SELECT route, status, coalesce(sum(n) FILTER (span = 'calm'), 0) AS calm,
    coalesce(sum(n) FILTER (span = 'window'), 0) AS now FROM refusal GROUP BY route, status
) JOIN (
  SELECT route, coalesce(sum(n) FILTER (span = 'calm'), 0) AS all_calm,
    coalesce(sum(n) FILTER (span = 'window'), 0) AS all_now FROM people GROUP BY route
) USING (route)
WHERE now >= {REFUSED_AT_LEAST} AND 100 * now >= {REFUSED_PERCENT} * all_now
  AND now * greatest(all_calm, 1) > {REFUSED_FACTOR} * calm * all_now;
CREATE TEMP TABLE refused AS
SELECT route, status, person, sum(n) AS n, max(signed) AS signed, coalesce(max(hurt), 0) AS hurt,
  coalesce(max(signed_hurt), 0) AS signed_hurt
FROM (
  SELECT t.route, t.status, n, CASE WHEN t.who <> '' THEN 1 ELSE 0 END AS signed, {_PERSON} AS person
  FROM refusal t JOIN burst USING (route, status) LEFT JOIN owner o ON o.visitor = t.visitor WHERE span = 'window'
) LEFT JOIN (
  SELECT person, sum(failed + slow) AS hurt, sum(signed_failed + signed_slow) AS signed_hurt FROM hurt GROUP BY person
) USING (person) GROUP BY route, status, person;"""
_REFUSED_USERS = """count(DISTINCT person) FILTER (signed > 0 AND signed_hurt = 0),
  count(DISTINCT person) FILTER (person <> '' AND hurt = 0)"""
_USERS = """
  count(*) FILTER (signed_failed + signed_slow > 0), count(*) FILTER (failed + slow > 0 AND person <> ''),
  count(*) FILTER (signed_failed > 0), count(*) FILTER (failed > 0 AND person <> ''),
  count(*) FILTER (signed_n > 0), count(*) FILTER (person <> ''),
  sum(n), sum(failed), sum(slow), sum(early), sum(n) FILTER (person = '')
"""
FIGURES = {
    "all": f"SELECT {_USERS} FROM (SELECT person, {{sums}} FROM hurt GROUP BY person)".format(
        sums=", ".join(
            f"sum({each}) AS {each}"
            for each in ("n", "failed", "slow", "early", "signed_n", "signed_failed", "signed_slow")
        )
    ),
    "blocked": "SELECT count(*) FILTER (at_least), count(*) FILTER (at_most) FROM "
    "(SELECT person, bool_or(at_least) AS at_least, bool_or(at_most) AS at_most FROM blocked GROUP BY person)",
    "by_route": f"SELECT route, limit_ms, p95, {_USERS} FROM hurt LEFT JOIN limits USING (route) "
    "GROUP BY route, limit_ms, p95 ORDER BY sum(failed) + sum(slow) DESC, sum(n) DESC, route",
    "blocked_by_route": "SELECT route, count(*) FILTER (at_least), count(*) FILTER (at_most) FROM blocked "
    "GROUP BY route",
    "refused": f"SELECT {_REFUSED_USERS} FROM refused",
    "refusals": f"SELECT route, status, sum(refused.n), min(calm), {_REFUSED_USERS} FROM refused "
    "JOIN burst USING (route, status) GROUP BY route, status ORDER BY sum(refused.n) DESC, route, status",
    "left_out": "SELECT left_out, sum(n) FROM tally WHERE span = 'window' AND left_out <> '' AND NOT unusable "
    "GROUP BY left_out",
    "unusable": "SELECT coalesce(sum(n), 0) FROM tally WHERE unusable",
    "methods": "SELECT count(*) FROM people WHERE span = 'window' AND method <> ''",
    "days": "SELECT span, sum(n), count(DISTINCT person) FILTER (person <> '') FROM people "
    "WHERE starts_with(span, 'day') GROUP BY span",
    "route": "SELECT route, coalesce(sum(n) FILTER (span = 'calm'), 0), coalesce(sum(n) FILTER (span = 'window'), 0) "
    "FROM people GROUP BY route",
    "client": "SELECT person, coalesce(sum(n) FILTER (span = 'calm'), 0) AS calm, "
    "coalesce(sum(n) FILTER (span = 'window'), 0) AS now FROM people WHERE person <> '' "
    "GROUP BY person HAVING now > 0 ORDER BY now DESC, person LIMIT 1000",
    "server": "SELECT server, coalesce(sum(n) FILTER (span = 'calm'), 0), "
    "coalesce(sum(n) FILTER (span = 'window'), 0) FROM pieces WHERE left_out = '' AND NOT unusable GROUP BY server",
}
"""What is read from the script's tables, by name."""
PIECES = """
SELECT span, part, sum(n)::BIGINT, coalesce(sum(n) FILTER (left_out = ''), 0)::BIGINT, min(first_at), max(last_at)
FROM pieces WHERE NOT unusable GROUP BY span, part ORDER BY span, part"""


def arrivals(spans: Sequence[Span], every: float) -> str:
    """Users' requests in each ``every`` seconds of the window, by method and route."""
    since = next(each.since for each in spans if each.name == "window")
    return (
        f"SELECT CAST(floor(epoch(seen - {moment(since)}) / {every!r}) AS INTEGER) AS part, method || ' ' || route, "
        "count(*) FROM line WHERE span = 'window' AND left_out = '' AND NOT unusable GROUP BY ALL ORDER BY ALL"
    )


JOINED = {
    "matched": "SELECT count(*) FILTER (matched), count(*) FILTER (NOT matched) FROM line "
    "WHERE span = 'window' AND left_out = '' AND NOT unusable",
    "skew": "SELECT median(CASE WHEN ahead > ms / 1000 THEN ahead - ms / 1000 WHEN ahead < -ms / 1000 "
    "THEN ahead + ms / 1000 ELSE 0 END) FROM (SELECT ms, epoch(shop_at) - epoch(seen) AS ahead FROM line "
    "WHERE matched AND ms < 1000)",
    "not_in_edge": "SELECT n FROM only_in_shop",
    "shop_unusable": "SELECT lines FROM shop_unusable",
}
"""The same where the application's own log is joined. An answer lies within its request's time if clocks agree."""
