-- name: nothing-is-oversold
-- means: never was more sold than there was
-- key: id
SELECT products.id, stock, coalesce(sum(delta), 0) AS history, min(stock_after) AS lowest
FROM products LEFT JOIN stock_history ON product_id = products.id
GROUP BY products.id
HAVING stock < 0 OR coalesce(sum(delta), 0) < 0 OR min(stock_after) < 0
ORDER BY 1
