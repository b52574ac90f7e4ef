-- name: totals-are-their-lines
-- means: an order costs what its lines cost, and has at least one
-- key: id
SELECT orders.id, orders.total, sum(quantity::bigint * price) AS lines
FROM orders LEFT JOIN order_lines ON order_id = orders.id
GROUP BY orders.id
HAVING sum(quantity::bigint * price) IS DISTINCT FROM orders.total
ORDER BY 1
