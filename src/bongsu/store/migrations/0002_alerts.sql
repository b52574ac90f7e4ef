DROP INDEX incidents_one_open;
ALTER TABLE incidents ADD COLUMN group_key TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX incidents_one_open ON incidents (service, policy, group_key) WHERE is_open = 1;
CREATE INDEX incidents_latest ON incidents (service, policy, group_key, opened_at);

-- What fires is sent again by its sender within minutes, so nothing is carried over.
DROP TABLE alerts;
CREATE TABLE alerts (
  id $ID,
  fingerprint TEXT NOT NULL,
  body TEXT NOT NULL,
  starts_at BIGINT NOT NULL,
  ends_at BIGINT NOT NULL,
  received_at BIGINT NOT NULL,
  service TEXT NOT NULL,
  policy TEXT NOT NULL,
  group_key TEXT NOT NULL,
  incident_id TEXT
);
CREATE UNIQUE INDEX alerts_fingerprint ON alerts (fingerprint);
CREATE INDEX alerts_group ON alerts (service, policy, group_key);
CREATE INDEX alerts_homeless ON alerts (service, policy, group_key) WHERE incident_id IS NULL;
CREATE INDEX alerts_incident ON alerts (incident_id) WHERE incident_id IS NOT NULL;

CREATE TABLE silences (
  id TEXT NOT NULL PRIMARY KEY,
  ends_at BIGINT NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX silences_ends ON silences (ends_at)
