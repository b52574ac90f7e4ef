"""The tables. ``migrations/`` holds the SQL that makes them; a test holds both against each other.

An index over some rows alone is so on PostgreSQL, too; to say so here would load its dialect where nobody speaks it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text, text

from bongsu.store.columns import Instant

metadata = MetaData()
_id = BigInteger().with_variant(Integer, "sqlite")
_open = text("is_open = 1")
_waiting = text("state = 'pending'")
_gathered = text("digest_id IS NOT NULL")
_unended = text("ended_at IS NULL")

breaches = Table(
    "breaches",
    metadata,
    Column("service", Text, primary_key=True),
    Column("policy", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("is_open", Integer, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("due_at", Instant),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("group_key", Text, nullable=False, server_default=""),
    Column("triage", Text, nullable=False, server_default=""),
    Index(
        "incidents_one_open",
        "service",
        "policy",
        "group_key",
        unique=True,
        sqlite_where=_open,
    ),
    Index("incidents_latest", "service", "policy", "group_key", "opened_at"),
    Index("incidents_due", "due_at"),
    Index("incidents_opened", "opened_at"),
)

timeline = Table(
    "timeline",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("incident_id", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("what", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Index("timeline_incident", "incident_id", "id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("message_id", Text, nullable=False),
    Column("incident_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("occurrence", Integer, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("decided_at", Instant, nullable=False),
    Column("written_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("leased_until", BigInteger, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("accepted_at", Instant),
    Column("answer", Text),
    Column("digest_id", BigInteger),
    Index("outbox_message", "message_id", unique=True),
    Index("outbox_due", "due_at", sqlite_where=_waiting),
    Index("outbox_incident", "incident_id", "id"),
    Index("outbox_digest", "digest_id", sqlite_where=_gathered),
    Index("outbox_address", "address", "written_at"),
    Index("outbox_state", "state", "id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("outbox_id", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Index("attempts_outbox", "outbox_id"),
)

suspects = Table(
    "suspects",
    metadata,
    Column("address", Text, primary_key=True),
    Column("since", Instant, nullable=False),
    Column("why", Text, nullable=False),
)

outages = Table(
    "outages",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("way", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("why", Text, nullable=False),
    Column("told_at", Instant),
    Column("ended_at", Instant),
    Index("outages_open", "way", unique=True, sqlite_where=_unended),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("fingerprint", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("service", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("group_key", Text, nullable=False),
    Index("alerts_fingerprint", "fingerprint", unique=True).ddl_if("postgresql"),
    Index("alerts_group", "service", "policy", "group_key"),
)

undecided = Table(
    "undecided",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("service", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("group_key", Text, nullable=False),
    Column("since", Instant, nullable=False),
)

silences = Table(
    "silences",
    metadata,
    Column("id", Text, primary_key=True),
    Column("ends_at", Instant, nullable=False),
    Column("body", Text, nullable=False),
    Index("silences_ends", "ends_at"),
)

maintenances = Table(
    "maintenances",
    metadata,
    Column("id", Text, primary_key=True),
    Column("ends_at", Instant, nullable=False),
    Column("body", Text, nullable=False),
    Index("maintenances_ends", "ends_at"),
)

actions = Table(
    "actions",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("incident_id", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("machine", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requested_at", Instant, nullable=False),
    Column("state", Text, nullable=False),
    Column("finished_at", Instant),
    Column("result", Text),
    Column("leased_until", BigInteger, nullable=False, server_default="0"),
    Column("fence", Integer, nullable=False, server_default="0"),
    Index("actions_incident", "incident_id"),
    Index("actions_state", "state"),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", Text, primary_key=True),
    Column("seen_at", Instant, nullable=False),
)

reports = Table(
    "reports",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("made_at", Instant, nullable=False),
    Column("body", Text, nullable=False),
)

overrides = Table(
    "overrides",
    metadata,
    Column("id", Text, primary_key=True),
    Column("schedule", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("note", Text, nullable=False),
    Index("overrides_ends", "ends_at"),
)

contact_rounds = Table(
    "contact_rounds",
    metadata,
    Column("id", Text, primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("started_by", Text, nullable=False),
    Column("reported_at", Instant),
    Index("contact_rounds_started", "started_at"),
)

contact_asks = Table(
    "contact_asks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("round_id", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("answered_at", Instant),
    Index("contact_asks_once", "round_id", "recipient", "address", unique=True),
)

weeklies = Table(
    "weeklies",
    metadata,
    Column("name", Text, primary_key=True),
    Column("slot", Instant, nullable=False),
)

data_jobs = Table(
    "data_jobs",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("due_at", Instant, nullable=False),
    Column("ran_at", Instant),
    Column("fault", Text),
)

data_checks = Table(
    "data_checks",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("incident_id", Text),
    Column("body", Text, nullable=False),
    Index("data_checks_name", "name", "at"),
    Index("data_checks_incident", "incident_id"),
)

editions = Table(
    "editions",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("incident_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("body", Text, nullable=False),
    Index("editions_number", "incident_id", "number", unique=True),
)

approvals = Table(
    "approvals",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("by_whom", Text, nullable=False),
    Column("at", Instant, nullable=False),
)

items = Table(
    "items",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("incident_id", Text, nullable=False),
    Column("due", Text, nullable=False),
    Column("is_open", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Index("items_incident", "incident_id"),
    Index("items_open", "due", sqlite_where=_open),
)

balances = Table(
    "balances",
    metadata,
    Column("service", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("trail", LargeBinary, nullable=False),
)

scores = Table(
    "scores",
    metadata,
    Column("service", Text, primary_key=True),
    Column("machine", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("password", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_name", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("address", Text, nullable=False),
    Index("sessions_user", "user_name"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("secret", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("used_at", Instant),
    Column("revoked_at", Instant),
    Index("tokens_secret", "secret", unique=True),
)

setup_links = Table(
    "setup_links",
    metadata,
    Column("id", Text, primary_key=True),
    Column("ends_at", Instant, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _id, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("who", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Index("audit_about", "about", "id"),
)
