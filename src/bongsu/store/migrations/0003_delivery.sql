ALTER TABLE outbox ADD COLUMN digest_id BIGINT;
CREATE INDEX outbox_digest ON outbox (digest_id) WHERE digest_id IS NOT NULL;
CREATE INDEX outbox_address ON outbox (address, written_at);
CREATE INDEX outbox_state ON outbox (state, id);

CREATE TABLE suspects (
  address TEXT NOT NULL PRIMARY KEY,
  since BIGINT NOT NULL,
  why TEXT NOT NULL
);

CREATE TABLE outages (
  id $ID,
  way TEXT NOT NULL,
  since BIGINT NOT NULL,
  why TEXT NOT NULL,
  told_at BIGINT,
  ended_at BIGINT
);
CREATE UNIQUE INDEX outages_open ON outages (way) WHERE ended_at IS NULL
