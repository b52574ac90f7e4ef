-- name: answered-orders-exist
-- means: every order that a customer was told of is there
-- key: id
-- repair: INSERT INTO orders (id, user_id, status, total, created_at) OVERRIDING SYSTEM VALUE VALUES (:id, :user_id, 'pending', :total, :created_at) ON CONFLICT DO NOTHING
SELECT (answer ->> 'id')::bigint AS id,
       user_id,
       (answer ->> 'total')::bigint AS total,
       (answer ->> 'created_at')::timestamptz AS created_at
FROM (SELECT user_id, body::jsonb AS answer FROM idempotency_keys) AS answered
WHERE answer ? 'lines'
  AND NOT EXISTS (SELECT FROM orders WHERE id = (answer ->> 'id')::bigint)
ORDER BY 1
