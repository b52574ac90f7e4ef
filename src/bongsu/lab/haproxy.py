"""The load balancer in front of the lab's machines: HAProxy with a runtime API, a JSON log and metrics."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from bongsu.lab.loopback import HOST, answers
from bongsu.lab.parts import Part
from bongsu.lab.site import Site

BACKEND = "shop"
SERVER = "check inter 1s fastinter 250ms fall 5 rise 1 weight 100 maxconn 64"
"""What a server line says after its address; whoever adds a server at run time says the same.

A dead machine refuses its checks and is out after about two seconds; a throttled one answers late, and is only
taken out when five checks in a row take over four seconds each. Weights are 100 because percentages truncate.
"""

_CONFIG = """\
# Written by the lab at every start; edit src/bongsu/lab/haproxy.py instead.
global
  maxconn 4000
  nbthread 1
  # relative to the working directory: a Unix address holds 107 bytes, and the lab's folder may lie deep
  stats socket unix@{socket} mode 600 level admin
  stats timeout 60s

defaults
  mode http
  timeout connect 1s
  timeout server 5s
  timeout queue 5s
  timeout client 10s
  timeout http-request 5s
  timeout http-keep-alive 10s
  timeout check 4s
  retries 2
  option redispatch 1
  retry-on conn-failure empty-response

frontend edge
  bind {host}:{edge}
  log stdout len 4096 format raw local0
  option dontlognull
  default_backend {backend}
  unique-id-format %[uuid()]
  http-request set-header X-Request-Id %[unique-id]
  # An empty answer may come after the shop did its work: an order must not be sent twice.
  http-request disable-l7-retry if METH_POST
  http-request set-var(txn.second) date,utime(%Y-%m-%dT%H:%M:%S)
  http-request set-var(txn.milli) date(0,ms),concat(),bytes(10,3)
  http-request set-var(txn.path) path
  http-request set-var(txn.agent) req.hdr(User-Agent),json(utf8s)
  http-request set-var(txn.synthetic) str(1) if {{ req.hdr(X-Synthetic) 1 }}
  http-request set-var(txn.user) req.hdr(X-User-Id),hmac(sha256,{key}),hex,lower if {{ req.hdr(X-User-Id) -m found }}
  http-request set-var(txn.visitor) req.cook(visitor),hmac(sha256,{key}),hex,lower if {{ req.cook(visitor) -m found }}
  # An empty variable is logged as "-": these carry their own quotation marks, so that empty is "".
{quoted}
  log-format '{log_format}'
  error-log-format '{error_format}'

backend {backend}
  balance roundrobin
  option httpchk GET /healthz/live
  http-check expect status 200
  default-server {server}
{servers}

frontend metrics
  bind {host}:{metrics}
  no log
  http-request use-service prometheus-exporter if {{ path /metrics }}
  http-request return status 404
"""

_LOG = {
    "ts": '"%[var(txn.second)].%[var(txn.milli)]Z"',
    "request_id": '"%ID"',
    "method": '"%HM"',
    "path": '"%[var(txn.path),json(utf8s)]"',
    "status": "%ST",
    "duration_ms": "%Ta",
    "queue_ms": "%Tw",
    "connect_ms": "%Tc",
    "server_ms": "%Tr",
    "backend": '"%b"',
    "server": '"%s"',
    "termination": '"%ts"',
    "user": "%[var(txn.user_text)]",
    "visitor": "%[var(txn.visitor_text)]",
    "synthetic": "%[var(txn.synthetic_text)]",
    "agent": "%[var(txn.agent_text)]",
}
# A malformed request has no variables; its time is that of its end.
_MALFORMED = {
    "ts": '"%[date,utime(%Y-%m-%dT%H:%M:%S)].%[date(0,ms),concat(),bytes(10,3)]Z"',
    "request_id": '""',
    "path": '""',
    "user": '""',
    "visitor": '""',
    "synthetic": '""',
    "agent": '""',
}
_QUOTED = ("user", "visitor", "synthetic", "agent")


def configuration(site: Site, machines: Mapping[str, str]) -> str:
    """The text of haproxy.cfg; ``machines``: address by name."""
    key = bytes.fromhex(site.directory.secret("user_hash_key").read_text(encoding="ascii").strip())
    return _CONFIG.format(
        socket=site.directory.socket.name,
        host=HOST,
        edge=site.ports.edge,
        metrics=site.ports.haproxy,
        backend=BACKEND,
        key=base64.b64encode(key).decode(),
        log_format=_json(_LOG),
        error_format=_json({**_LOG, **_MALFORMED}),
        quoted="\n".join(
            f"  http-request set-var(txn.{name}_text) 'str(\\\"),concat(,txn.{name},\\\")'" for name in _QUOTED
        ),
        server=SERVER,
        servers="\n".join(f"  server {name} {address}" for name, address in machines.items()),
    )


def _json(fields: Mapping[str, str]) -> str:
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}"


def haproxy(site: Site) -> Part:
    """The balancer; its standard output is the edge log."""
    file = site.directory.root / "haproxy" / "haproxy.cfg"
    port = site.ports.haproxy
    command = (site.programs.haproxy, "-db", "-f", str(file))
    ready = lambda: answers(f"{site.url(port)}/metrics")  # noqa: E731
    # SIGTERM ends it at once; SIGUSR1 would wait for every kept-alive connection.
    return Part("haproxy", command, ready, site.ports.edge, output=site.directory.edge_log, cwd=file.parent)
