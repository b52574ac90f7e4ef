-- name: sales-took-stock
-- means: every line of a paid order was taken from the stock, once, and nothing else was
-- key: order_id, product_id
-- repair: INSERT INTO stock_history (product_id, delta, stock_after, reason, order_id, at) SELECT :product_id, :missing, :stock_after, 'sale', :order_id, :at WHERE NOT EXISTS (SELECT FROM stock_history WHERE order_id = :order_id AND product_id = :product_id)
SELECT order_id, product_id, coalesce(sold, 0) AS sold, coalesce(taken, 0) AS taken,
       coalesce(taken, 0) - coalesce(sold, 0) AS missing, orders.paid_at AS at,
       greatest(0, coalesce((
         SELECT sum(delta) FROM stock_history AS h
         WHERE h.product_id = both_sides.product_id AND h.at < orders.paid_at), 0) - coalesce(sold, 0)) AS stock_after
FROM (
  SELECT order_id, product_id, quantity AS sold FROM order_lines JOIN orders ON orders.id = order_id
  WHERE status = 'paid') AS sales
FULL JOIN (
  SELECT order_id, product_id, -sum(delta) AS taken FROM stock_history WHERE reason = 'sale'
  GROUP BY 1, 2) AS history USING (order_id, product_id)
CROSS JOIN LATERAL (SELECT order_id, product_id) AS both_sides
LEFT JOIN orders ON orders.id = order_id
WHERE sold IS DISTINCT FROM taken
ORDER BY 1, 2
