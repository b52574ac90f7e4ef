-- name: sales-took-stock
-- means: every line of a paid order was taken from the stock, once, and nothing else was
-- key: order_id, product_id
-- repair: INSERT INTO stock_history (product_id, delta, stock_after, reason, order_id, at) SELECT :product_id, :missing, :stock_after, 'sale', :order_id, :at WHERE NOT EXISTS (SELECT FROM stock_history WHERE order_id = :order_id AND product_id = :product_id)
SELECT order_id, product_id, coalesce(sold, 0) AS sold, coalesce(taken, 0) AS taken,
       coalesce(taken, 0) - coalesce(sold, 0) AS missing, coalesce(booked.at, orders.paid_at) AS at,
       greatest(0, (SELECT coalesce(sum(delta), 0) FROM stock_history AS h
                    WHERE h.product_id = coalesce(sales.product_id, history.product_id) AND h.at < orders.paid_at)
                   - coalesce(sold, 0)) AS stock_after
FROM (
  SELECT order_id, product_id, quantity AS sold FROM order_lines JOIN orders ON orders.id = order_id
  WHERE status = 'paid') AS sales
FULL JOIN (
  SELECT order_id, product_id, -sum(delta) AS taken FROM stock_history WHERE reason = 'sale'
  GROUP BY 1, 2) AS history USING (order_id, product_id)
LEFT JOIN (SELECT order_id, min(at) AS at FROM point_ledger WHERE reason = 'payment' GROUP BY 1) AS booked
  USING (order_id)
LEFT JOIN orders ON orders.id = order_id
WHERE sold IS DISTINCT FROM taken
ORDER BY 1, 2
