-- name: payments-are-known
-- means: an order is paid when its customer was told so or paid for it in the ledger
-- key: id
-- repair: UPDATE orders SET status = 'paid', paid_at = :told WHERE id = :id AND status = :status AND paid_at IS NOT DISTINCT FROM :paid_at
SELECT orders.id, orders.status, orders.paid_at,
       coalesce((answer ->> 'paid_at')::timestamptz, booked.at) AS told
FROM orders
LEFT JOIN (SELECT body::jsonb AS answer FROM idempotency_keys) AS answered
  ON answer ? 'order_id' AND (answer ->> 'order_id')::bigint = orders.id
LEFT JOIN (SELECT order_id, min(at) AS at FROM point_ledger WHERE reason = 'payment' GROUP BY 1) AS booked
  ON booked.order_id = orders.id
WHERE (orders.status <> 'paid' AND (answer IS NOT NULL OR booked.at IS NOT NULL))
   OR orders.paid_at <> (answer ->> 'paid_at')::timestamptz
ORDER BY 1
