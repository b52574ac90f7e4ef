-- name: points-are-their-ledger
-- means: a customer's points are the sum of the ledger
-- key: id
-- repair: UPDATE users SET points = points + :missing WHERE id = :id AND points + :missing = (SELECT coalesce(sum(delta), 0) FROM point_ledger WHERE user_id = :id)
SELECT users.id, points, coalesce(sum(delta), 0) AS ledger, coalesce(sum(delta), 0) - points AS missing
FROM users LEFT JOIN point_ledger ON user_id = users.id
GROUP BY users.id
HAVING coalesce(sum(delta), 0) <> points
ORDER BY 1
