-- name: charges-are-booked
-- means: points that a customer was told were charged stand in the ledger
-- key: user_id, key
-- repair: INSERT INTO point_ledger (user_id, delta, points_after, reason, at) SELECT :user_id, :charged, :points, 'charge', :at WHERE NOT EXISTS (SELECT FROM point_ledger WHERE user_id = :user_id AND reason = 'charge' AND at = :at AND delta = :charged)
SELECT user_id, key, at, (answer ->> 'charged')::bigint AS charged, (answer ->> 'points')::bigint AS points
FROM (SELECT user_id, key, at, body::jsonb AS answer FROM idempotency_keys) AS answered
WHERE answer ? 'charged'
  AND NOT EXISTS (
    -- both rows are written by one transaction, which has one now()
    SELECT FROM point_ledger AS l
    WHERE l.user_id = answered.user_id AND l.reason = 'charge' AND l.at = answered.at
      AND l.delta = (answer ->> 'charged')::bigint)
ORDER BY 3, 1, 2
