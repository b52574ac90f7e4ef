-- name: paid-orders-are-payments
-- means: a paid order was paid once, at its total, and an unpaid one not at all
-- key: id
-- repair: INSERT INTO point_ledger (user_id, delta, points_after, reason, order_id, at) SELECT :user_id, :missing, :points_after, :reason, :id, :at WHERE :booked = (SELECT coalesce(sum(delta), 0) FROM point_ledger WHERE order_id = :id)
-- A payment that is missing is booked as it was; what was booked too much is given back by a correction.
SELECT o.id, o.user_id, o.status, o.total, o.booked, o.due - o.booked AS missing,
       CASE WHEN o.payments = 0 THEN 'payment' ELSE 'correction' END AS reason,
       CASE WHEN o.payments = 0 THEN coalesce(answered.at, o.paid_at) ELSE now() END AS at,
       CASE WHEN o.payments = 0 AND answer IS NOT NULL THEN (answer ->> 'points')::bigint
         ELSE greatest(0, o.due - o.booked + (SELECT coalesce(sum(delta), 0) FROM point_ledger AS l
                                              WHERE l.user_id = o.user_id AND (o.payments > 0 OR l.at < o.paid_at)))::bigint
       END AS points_after
FROM (
  SELECT orders.*, CASE status WHEN 'paid' THEN -total ELSE 0 END AS due,
         coalesce(sum(delta), 0)::bigint AS booked, count(l.id) AS payments
  FROM orders LEFT JOIN point_ledger AS l ON l.order_id = orders.id
  GROUP BY orders.id) AS o
LEFT JOIN (SELECT at, body::jsonb AS answer FROM idempotency_keys) AS answered
  ON answer ? 'paid_at' AND answer ? 'order_id' AND (answer ->> 'order_id')::bigint = o.id
WHERE o.due <> o.booked
ORDER BY 1
