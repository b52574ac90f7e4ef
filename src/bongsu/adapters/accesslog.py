"""The edge's access log as JSON lines, counted exactly by DuckDB in a child process, so that the server stays small."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from bongsu.core.diagnosis import Rise, what_rose
from bongsu.core.impact import SLOW_AT_LEAST_MS, SLOW_FACTOR, Impact, Users
from bongsu.core.timescale import Timescale
from bongsu.ports import Traffic, Unavailable

_REQUESTS = """
CREATE TEMP TABLE r AS
SELECT CAST(ts AS TIMESTAMPTZ) AS seen_at, regexp_replace(path, '/[0-9]+', '/{id}', 'g') AS route, server,
       status, duration_ms, coalesce("user", '') AS who, coalesce(visitor, '') AS visitor,
       (coalesce(synthetic, '') NOT IN ('', '0', 'false')
        OR path LIKE '/actuator%' OR path LIKE '/healthz%') AS left_out
FROM read_json($file, format = 'newline_delimited', ignore_errors = true, columns = {
  ts: 'VARCHAR', path: 'VARCHAR', server: 'VARCHAR', status: 'INTEGER', duration_ms: 'DOUBLE',
  "user": 'VARCHAR', visitor: 'VARCHAR', synthetic: 'VARCHAR'})
WHERE CAST(ts AS TIMESTAMPTZ) >= CAST($calm_since AS TIMESTAMPTZ)
  AND CAST(ts AS TIMESTAMPTZ) < CAST($until AS TIMESTAMPTZ)
"""

QUERY = """
WITH calm AS (
  SELECT route, quantile_cont(duration_ms, 0.95) AS p95
  FROM r WHERE NOT left_out AND seen_at < CAST($since AS TIMESTAMPTZ) GROUP BY route
), w AS (
  SELECT r.*, status >= 500 OR status <= 0 AS failed,
         duration_ms > greatest($slow_at_least, $slow_factor * coalesce(p95, 0)) AS slow
  FROM r LEFT JOIN calm USING (route) WHERE seen_at >= CAST($since AS TIMESTAMPTZ)
), u AS (SELECT * FROM w WHERE NOT left_out
), signed AS (SELECT DISTINCT visitor FROM u WHERE who <> ''
), v AS (
  SELECT u.*, failed OR slow AS hurt,
         who = '' AND visitor <> '' AND visitor NOT IN (SELECT visitor FROM signed) AS stranger FROM u
)
SELECT count(DISTINCT who) FILTER (hurt AND who <> ''), count(DISTINCT visitor) FILTER (hurt AND stranger),
       count(DISTINCT who) FILTER (failed AND who <> ''), count(DISTINCT visitor) FILTER (failed AND stranger),
       count(DISTINCT who) FILTER (who <> ''), count(DISTINCT visitor) FILTER (stranger),
       count(*), count(*) FILTER (failed), count(*) FILTER (slow AND NOT failed),
       (SELECT count(*) FROM w WHERE left_out)
FROM v
"""

_RATES = """
SELECT {name}, count(*) FILTER (seen_at < CAST($since AS TIMESTAMPTZ)),
       count(*) FILTER (seen_at >= CAST($since AS TIMESTAMPTZ))
FROM r WHERE NOT left_out GROUP BY 1
"""


class EdgeLog:
    """The log file of one service's balancer."""

    def __init__(self, file: Path, timescale: Timescale, timeout: float = 120.0) -> None:
        self._file, self._timescale, self._timeout = file, timescale, timeout

    def traffic(self, calm: tuple[datetime, datetime], window: tuple[datetime, datetime]) -> Traffic:
        """Count both windows in a child process."""
        if not self._file.is_file():
            raise Unavailable(f"there is no access log at {self._file}")
        asked = {
            "file": str(self._file),
            "calm_since": self._timescale.to_wall(calm[0]).isoformat(),
            "since": self._timescale.to_wall(window[0]).isoformat(),
            "until": self._timescale.to_wall(window[1]).isoformat(),
        }
        try:
            child = subprocess.run(
                [sys.executable, "-m", "bongsu.adapters.accesslog"],
                input=msgspec.json.encode(asked),
                capture_output=True,
                timeout=self._timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Unavailable(f"counting {self._file} took longer than {self._timeout:g} s") from None
        if child.returncode != 0:
            raise Unavailable(f"counting {self._file} failed: {child.stderr.decode()[-500:]}")
        return _traffic(msgspec.json.decode(child.stdout), str(self._file))


def _traffic(counted: dict[str, Any], source: str) -> Traffic:
    c = counted["counts"]
    affected, failed = Users(c[0], c[0] + c[1]), Users(c[2], c[2] + c[3])
    impact = Impact(
        affected=affected,
        failed=failed,
        slowed=Users(affected.identified - failed.identified, affected.upper - failed.upper),
        active=Users(c[4], c[4] + c[5]),
        requests=c[6],
        failed_requests=c[7],
        slow_requests=c[8],
        left_out=c[9],
    )
    return Traffic(impact, _rises(counted, "route"), _rises(counted, "server"), " ".join(QUERY.split()), source)


def _rises(counted: dict[str, Any], name: str) -> tuple[Rise, ...]:
    """Rates per second; the calm window counts from its first request, for the log may begin inside it."""
    before_s, during_s = counted["calm_s"], counted["window_s"]
    before = {each: calm / before_s for each, calm, _ in counted[name] if each and before_s > 0}
    during = {each: now / during_s for each, _, now in counted[name] if each and during_s > 0}
    return what_rose(before, during)


def count(asked: dict[str, Any]) -> dict[str, Any]:
    """The child's work."""
    import duckdb

    db = duckdb.connect()
    db.execute("SET threads = 1; SET TimeZone = 'UTC'")
    db.execute(_REQUESTS, {key: asked[key] for key in ("file", "calm_since", "until")})
    since = {"since": asked["since"]}
    slow = {"slow_at_least": SLOW_AT_LEAST_MS, "slow_factor": SLOW_FACTOR}
    counts = db.execute(QUERY, since | slow).fetchone()
    first = db.execute("SELECT epoch(min(seen_at)) FROM r").fetchone()
    began, until = (
        datetime.fromisoformat(asked["since"]).timestamp(),
        datetime.fromisoformat(asked["until"]).timestamp(),
    )
    return {
        "counts": counts,
        "route": db.execute(_RATES.format(name="route"), since).fetchall(),
        "server": db.execute(_RATES.format(name="server"), since).fetchall(),
        "calm_s": max(0.0, began - first[0]) if first and first[0] else 0.0,
        "window_s": until - began,
    }


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(count(msgspec.json.decode(sys.stdin.buffer.read()))))
