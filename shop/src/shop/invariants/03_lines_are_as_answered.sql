-- name: lines-are-as-answered
-- means: an order has the lines that its customer was told, at those prices
-- key: order_id, product_id
-- repair: INSERT INTO order_lines AS l (order_id, product_id, quantity, price) VALUES (:order_id, :product_id, :told_quantity, :told_price) ON CONFLICT (order_id, product_id) DO UPDATE SET quantity = excluded.quantity, price = excluded.price WHERE l.quantity = :quantity AND l.price = :price
SELECT (answer ->> 'id')::bigint AS order_id, told.product_id, there.quantity, there.price,
       told.quantity AS told_quantity, told.price AS told_price
FROM (SELECT body::jsonb AS answer FROM idempotency_keys) AS answered
CROSS JOIN LATERAL jsonb_to_recordset(answer -> 'lines') AS told (product_id integer, quantity integer, price integer)
LEFT JOIN order_lines AS there
  ON there.order_id = (answer ->> 'id')::bigint AND there.product_id = told.product_id
WHERE answer ? 'lines' AND (there.quantity, there.price) IS DISTINCT FROM (told.quantity, told.price)
ORDER BY 1, 2
