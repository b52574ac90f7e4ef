CREATE TABLE overrides (
  id TEXT NOT NULL PRIMARY KEY,
  schedule TEXT NOT NULL,
  person TEXT NOT NULL,
  starts_at BIGINT NOT NULL,
  ends_at BIGINT NOT NULL,
  made_by TEXT NOT NULL,
  made_at BIGINT NOT NULL,
  note TEXT NOT NULL
);
CREATE INDEX overrides_ends ON overrides (ends_at);

CREATE TABLE contact_rounds (
  id TEXT NOT NULL PRIMARY KEY,
  started_at BIGINT NOT NULL,
  ends_at BIGINT NOT NULL,
  started_by TEXT NOT NULL,
  reported_at BIGINT
);
CREATE INDEX contact_rounds_started ON contact_rounds (started_at);

CREATE TABLE contact_asks (
  id TEXT NOT NULL PRIMARY KEY,
  round_id TEXT NOT NULL,
  recipient TEXT NOT NULL,
  name TEXT NOT NULL,
  address TEXT NOT NULL,
  locale TEXT NOT NULL,
  asked_at BIGINT NOT NULL,
  answered_at BIGINT
);
CREATE UNIQUE INDEX contact_asks_once ON contact_asks (round_id, recipient, address);

CREATE TABLE weeklies (
  name TEXT NOT NULL PRIMARY KEY,
  slot BIGINT NOT NULL
)
