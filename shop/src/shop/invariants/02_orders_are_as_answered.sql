-- name: orders-are-as-answered
-- means: an order has the total that its customer was told
-- key: id
-- repair: UPDATE orders SET total = :told WHERE id = :id AND total = :total
SELECT orders.id, orders.total, (answer ->> 'total')::bigint AS told
FROM (SELECT body::jsonb AS answer FROM idempotency_keys) AS answered
JOIN orders ON orders.id = (answer ->> 'id')::bigint
WHERE answer ? 'lines' AND orders.total <> (answer ->> 'total')::bigint
ORDER BY 1
