"""What all dashboards share: the choice of a job and its machines, and the marks on the time axis."""

from __future__ import annotations

from tools.dashboards.model import Choice, Mark
from tools.dashboards.promql import of

OTHERS = "bongsu|prometheus|node|lab|haproxy|cadvisor|grafana|alertmanager"
"""Jobs that are no service."""
JOB = Choice("job", "Service (job)", "application", "label_values(up, job)", pattern=f"/^(?!(?:{OTHERS})$).*/")
# `up` is there also when a target is down, and for every kind of exporter.
INSTANCE = Choice("instance", "Machine", "", 'label_values(up{job="$job"}, instance)', several=True)

STARTS = Mark(
    "Starts and restarts",
    "orange",
    f"1000 * {of('process_start_time_seconds')}",
    "{{instance}} started",
    at_value=True,
)
INCIDENTS = Mark(
    "Incidents",
    "red",
    'bongsu_incident_open{job="bongsu"} == 1',
    "Incident",
    "{{service}}: {{policy}}",
)
DEPLOYMENTS = Mark("Deployments", "blue", tag="deployment")
MARKS = (STARTS, INCIDENTS, DEPLOYMENTS)
