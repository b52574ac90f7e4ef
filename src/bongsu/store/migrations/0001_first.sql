CREATE TABLE breaches (
  service TEXT NOT NULL,
  policy TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (service, policy)
);

CREATE TABLE incidents (
  id TEXT NOT NULL PRIMARY KEY,
  service TEXT NOT NULL,
  policy TEXT NOT NULL,
  status TEXT NOT NULL,
  is_open INTEGER NOT NULL,
  opened_at BIGINT NOT NULL,
  due_at BIGINT,
  version INTEGER NOT NULL,
  body TEXT NOT NULL
);
CREATE UNIQUE INDEX incidents_one_open ON incidents (service, policy) WHERE is_open = 1;
CREATE INDEX incidents_due ON incidents (due_at);
CREATE INDEX incidents_opened ON incidents (opened_at);

CREATE TABLE timeline (
  id $ID,
  incident_id TEXT NOT NULL,
  at BIGINT NOT NULL,
  what TEXT NOT NULL,
  facts TEXT NOT NULL
);
CREATE INDEX timeline_incident ON timeline (incident_id, id);

CREATE TABLE outbox (
  id $ID,
  message_id TEXT NOT NULL,
  incident_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  level INTEGER NOT NULL,
  occurrence INTEGER NOT NULL,
  recipient TEXT NOT NULL,
  name TEXT NOT NULL,
  address TEXT NOT NULL,
  locale TEXT NOT NULL,
  facts TEXT NOT NULL,
  decided_at BIGINT NOT NULL,
  written_at BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  leased_until BIGINT NOT NULL,
  fence INTEGER NOT NULL,
  accepted_at BIGINT,
  answer TEXT
);
CREATE UNIQUE INDEX outbox_message ON outbox (message_id);
CREATE INDEX outbox_due ON outbox (due_at) WHERE state = 'pending';
CREATE INDEX outbox_incident ON outbox (incident_id, id);

CREATE TABLE attempts (
  id $ID,
  outbox_id BIGINT NOT NULL,
  at BIGINT NOT NULL,
  outcome TEXT NOT NULL,
  answer TEXT NOT NULL
);
CREATE INDEX attempts_outbox ON attempts (outbox_id);

CREATE TABLE alerts (
  id $ID,
  fingerprint TEXT NOT NULL,
  body TEXT NOT NULL,
  starts_at BIGINT NOT NULL,
  ends_at BIGINT,
  received_at BIGINT NOT NULL,
  incident_id TEXT
);
CREATE UNIQUE INDEX alerts_fingerprint ON alerts (fingerprint);
CREATE INDEX alerts_incident ON alerts (incident_id);
CREATE INDEX alerts_ends ON alerts (ends_at);

CREATE TABLE actions (
  id $ID,
  incident_id TEXT NOT NULL,
  service TEXT NOT NULL,
  kind TEXT NOT NULL,
  machine TEXT NOT NULL,
  requested_by TEXT NOT NULL,
  requested_at BIGINT NOT NULL,
  state TEXT NOT NULL,
  finished_at BIGINT,
  result TEXT
);
CREATE INDEX actions_incident ON actions (incident_id);
CREATE INDEX actions_state ON actions (state);

CREATE TABLE reports (
  incident_id TEXT NOT NULL PRIMARY KEY,
  made_at BIGINT NOT NULL,
  body TEXT NOT NULL
);
