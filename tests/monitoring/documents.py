"""Pages of docs/ that tests print: what the dashboards ask, and what shows for which service."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.monitoring.boards import FILES, Query, board, panels, queries
from tests.monitoring.environment import PYTHON, SPRING
from tests.monitoring.rightly_empty import RIGHTLY_EMPTY, empty_for

DOCS = Path(__file__).parents[2] / "docs"
DASHBOARDS_PAGE = DOCS / "dashboards.md"
_HEAD = """\
# The dashboards

Printed by `tests/monitoring/test_dashboards.py --write-docs`; change `tools/dashboards` or that test instead.

Three dashboards come with Bongsu, in English and Korean (`[grafana] locale`); `bongsu generate` puts them where Grafana
finds them. They are Classic JSON for Grafana 10 to 13, built by `python -m tools.dashboards`. **The tests have not seen
them in a running Grafana**: they ask every query, variable and mark of a real Prometheus 2.42 that scrapes the shop
under load, a node exporter and made-up Spring payloads of five generations. `make verify-grafana` does the rest, where
there is Docker.

- **Service** and **machine** are chosen from `up`, which is there also when a target is down. Nothing depends on an
  `application` label.
- Rates run over `$__rate_interval`: the data source's scrape interval must be right (`bongsu generate` writes it).
- Missing stays missing: an empty panel means that nobody tells the figure, and never 0.
- CPU, balance and runway are what Bongsu's rules recorded (`rules/bongsu.yml`), so that graph and alarm agree; without
  the rules they come from the service's own metrics, as far as it has them.
- In a container with a CPU limit, `bongsu-instrument` and a JVM since 17 tell the share of that limit; others tell the
  whole computer's. Say how theirs is to be read below `[service.NAME.signals]`; the rules record that, and the
  dashboards show it.

## Marks on the time axis

| mark | where it comes from |
|---|---|
| starts and restarts | `process_start_time_seconds` of each machine, at that very time |
| incidents | `bongsu_incident_open` of Bongsu itself, from its beginning to its end |
| deployments | Grafana's own annotations with the tag `deployment` |

A deployment marks itself by one line at its end, with a token of a Grafana service account that may write annotations:

```
curl -sS -H "Authorization: Bearer $GRAFANA_TOKEN" -H "Content-Type: application/json" \\
  -d '{"tags": ["deployment"], "text": "shop 1.4.2"}' http://grafana:3000/api/annotations
```

## On VictoriaMetrics

`tests/monitoring/test_victoria.py` asks the same queries of VictoriaMetrics 1.79 (Debian 12's), which scrapes the same
targets; every panel shows there what it shows with Prometheus, and Bongsu's client reads samples and expressions (which
become subqueries) alike. What differs:

- What is younger than 30 s is not yet used by instant queries and expressions, which answer with the value of 30 s ago
  under the present time (measured; raw samples of a selector are not held back). Start it with
  `-search.latencyOffset=0s`, else Bongsu judges expressions by what was half a minute ago.
- How long a gauge lives after its last sample is guessed from the samples' distance: set
  `-search.maxStalenessInterval` to three scrapes, else what is missing looks alive for longer or shorter than Bongsu
  thinks.
- `rate` and `increase` do not extrapolate: counts are whole numbers, and in short windows a rate may differ by a
  sample's share.
- A sample can be read a second or two after its scrape. The steps of a subquery end at the time that was asked for;
  those of Prometheus lie on whole steps.
- Its rules (vmalert) write over the network and read back: within a group a rule does not see what the rule before it
  recorded a moment ago. Bongsu's rules build on each other, so let a Prometheus evaluate them and write the results to
  VictoriaMetrics with `remote_write`, as the test does. With vmalert at 1 s the runway had no value after 25 s.
"""


def _named(job: str) -> str:
    generation = job.removeprefix("spring-").replace("-", ".").replace(".histogram", " with histogram")
    return "shop (Python)" if job == PYTHON else f"Spring {generation}"


def _shows(names: Iterable[str], file: str, job: str) -> str:
    """Whether a panel shows something for a job: all of it, a part, or nothing."""
    empty = [name in empty_for(file, job) for name in names]
    return "–" if all(empty) else "part" if any(empty) else "yes"


def dashboards_page() -> str:
    """Panel by panel: the question, what shows for whom, and the queries."""
    lines = [_HEAD]
    for file in FILES:
        loaded = board(file)
        jobs = () if file == "bongsu-itself" else (PYTHON, *SPRING)
        heads = [_named(job) for job in jobs]
        lines += [f"## {loaded['title']}", "", f"`{loaded['uid']}`. {loaded['description']}", ""]
        lines.append("| row | panel | question |" + "".join(f" {each} |" for each in heads))
        lines.append("|---|---|---|" + "---|" * len(heads))
        for row, panel in panels(loaded):
            question = panel["description"].partition("\n")[0].strip("*")
            names = [f"{panel['title']}/{target['refId']}" for target in panel["targets"]]
            shown = "".join(f" {_shows(names, file, job)} |" for job in jobs)
            lines.append(f"| {row} | {panel['title']} | {question} |{shown}")
        lines += ["", *_reasons(file)]
    lines += ["## The queries", ""]
    for file in FILES:
        lines += [f"### {board(file)['title']}", ""]
        for panel_name in dict.fromkeys(query.panel for query in queries(file)):
            lines += [f"{panel_name}:", "", "```promql", *_texts(file, panel_name), "```", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _texts(file: str, panel: str) -> list[str]:
    found: list[Query] = [query for query in queries(file) if query.panel == panel]
    return [query.text for query in found]


def _reasons(file: str) -> list[str]:
    if not RIGHTLY_EMPTY[file]:
        return []
    lines = ["Empty where they must be (the test fails also when one of these shows something):", ""]
    for reason, jobs, names in RIGHTLY_EMPTY[file]:
        whom = ", ".join(_named(job) for job in jobs)
        lines.append(f"- {'; '.join(dict.fromkeys(name.rpartition('/')[0] for name in names))}: {reason} ({whom}).")
    return [*lines, ""]
