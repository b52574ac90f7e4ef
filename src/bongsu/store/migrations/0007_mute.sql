CREATE TABLE maintenances (
  id TEXT NOT NULL PRIMARY KEY,
  ends_at BIGINT NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX maintenances_ends ON maintenances (ends_at)
