"""The ``bongsu.toml`` of a lab: a small team, three tiers, and the lab's own addresses."""

from __future__ import annotations

from datetime import timedelta

from bongsu.lab.haproxy import BACKEND
from bongsu.lab.loopback import HOST
from bongsu.lab.programs import SHOP_INVARIANTS
from bongsu.lab.site import Site

_TEXT = """\
# Written by the lab at every start; edit src/bongsu/lab/configuration.py instead.
[service.shop]
job = "application"
profile = "micrometer"
machine = "{machine_type}"
policy = "burst"
max_machines = {max_machines}
access_log = "{edge_log}"
balancer = {{ kind = "haproxy", socket = "{socket}", backend = "{backend}" }}
machines = {{ kind = "lab", url = "{control}" }}

[service.shop.signals]  # what the governor tells beside the usual names
balance = 'burst_credit_balance{{job="$job"}}'
throttled = 'burst_throttled_ratio{{job="$job"}}'

[service.shop.impact]  # what orders and money an incident cost is estimated from these
orders = 'shop_orders_total{{job="$job",result="paid"}}'
revenue = 'shop_order_value_won_total{{job="$job"}}'
currency = "KRW"
shop_log = ["{shop_log}"]

{policy}

[person.jimin]
name = "Kim Jimin"
locale = "ko"
contact = [{{ email = "jimin@example.com" }}]

[person.sora]
name = "Park Sora"
locale = "en"
contact = [{{ email = "sora@example.com" }}]

[team.commerce]
name = "Commerce department"
locale = "ko"
members = ["jimin", "sora"]
contact = [{{ email = "commerce@example.com" }}]

[team.headquarters]
name = "Headquarters"
locale = "en"
contact = [{{ email = "headquarters@example.com" }}]

# Jimin's turn lasts as long as any lab: a drill knows whom it calls.
[schedule.shop]
rotation = {{ people = ["jimin", "sora"], every = "P3650D", from = "{rotation_from}" }}

[prometheus]
url = "{prometheus}"
scrape = "{scrape}"

[watch]
every = "{every}"

[smtp]
host = "{host}"
port = {smtp}
from = "bongsu@example.com"

[web]
host = "{host}"
port = {bongsu}
public_url = "{bongsu_url}"
anonymous = "viewer"
secrets = "{secrets}"

[store]
url = "sqlite:///{database}"

[timescale]
origin = "{origin}"
speed = {speed}
"""
# Backups are taken by hand here: a lab's six hours are minutes, and a dump would cost what the machines need.
_DATA = """
[data.shop]
dsn_file = "{dsn_file}"
invariants = "{invariants}"
backups = "{backups}"
"""


def bongsu_toml(site: Site) -> str:
    """Bongsu's configuration for this lab. All durations are in lab time."""
    root = site.directory.root
    rotation_from = (site.origin - timedelta(days=1)).isoformat()
    text = _TEXT.format(
        machine_type=site.plan.machine_type,
        max_machines=site.plan.max_machines,
        edge_log=site.directory.edge_log,
        shop_log=site.directory.shop_logs,
        socket=site.directory.socket,
        backend=BACKEND,
        control=site.url(site.ports.control),
        policy=site.plan.policy.lines(),
        rotation_from=rotation_from,
        prometheus=site.url(site.ports.prometheus),
        scrape=duration(site.plan.service_scrape),
        every=duration(timedelta(seconds=site.plan.speed)),  # once per real second
        host=HOST,
        smtp=site.ports.smtp,
        bongsu=site.ports.bongsu,
        bongsu_url=site.url(site.ports.bongsu),
        secrets=root / "secrets",
        database=root / "bongsu" / "bongsu.db",
        origin=site.origin.isoformat(),
        speed=site.plan.speed,
    )
    if site.plan.shop_command or not SHOP_INVARIANTS.is_dir():
        return text
    dsn, backups = site.directory.secret("shop_dsn"), root / "backups"
    return text + _DATA.format(dsn_file=dsn, invariants=SHOP_INVARIANTS, backups=backups)


def duration(span: timedelta) -> str:
    """A span as ISO 8601 writes it, in seconds: ``PT60S``."""
    return f"PT{span.total_seconds():g}S"
