CREATE TABLE data_jobs (
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  due_at BIGINT NOT NULL,
  ran_at BIGINT,
  fault TEXT,
  PRIMARY KEY (name, kind)
);

CREATE TABLE data_checks (
  id $ID,
  name TEXT NOT NULL,
  at BIGINT NOT NULL,
  incident_id TEXT,
  body TEXT NOT NULL
);
CREATE INDEX data_checks_name ON data_checks (name, at);
CREATE INDEX data_checks_incident ON data_checks (incident_id)
