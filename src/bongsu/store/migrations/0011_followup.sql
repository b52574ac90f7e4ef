CREATE TABLE editions (
  id $ID,
  incident_id TEXT NOT NULL,
  number INTEGER NOT NULL,
  at BIGINT NOT NULL,
  body TEXT NOT NULL
);
CREATE UNIQUE INDEX editions_number ON editions (incident_id, number);

CREATE TABLE approvals (
  incident_id TEXT NOT NULL PRIMARY KEY,
  number INTEGER NOT NULL,
  by_whom TEXT NOT NULL,
  at BIGINT NOT NULL
);

CREATE TABLE items (
  id $ID,
  incident_id TEXT NOT NULL,
  due TEXT NOT NULL,
  is_open INTEGER NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX items_incident ON items (incident_id);
CREATE INDEX items_open ON items (due) WHERE is_open = 1;
