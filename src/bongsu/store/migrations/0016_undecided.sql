-- Which incident speaks for an alert was written on each alert, twice as much to write as the alert itself. Nobody read it but
-- to find alerts that no incident speaks for. Where those are is a short list now.
CREATE TABLE undecided (
    id ${ID},
    service TEXT NOT NULL,
    policy TEXT NOT NULL,
    group_key TEXT NOT NULL,
    since BIGINT NOT NULL
);
INSERT INTO undecided (service, policy, group_key, since)
    SELECT service, policy, group_key, MIN(received_at) FROM alerts
    WHERE incident_id IS NULL AND service <> '' GROUP BY service, policy, group_key;
DROP INDEX alerts_homeless;
ALTER TABLE alerts DROP COLUMN incident_id
