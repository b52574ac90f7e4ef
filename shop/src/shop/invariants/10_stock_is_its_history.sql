-- name: stock-is-its-history
-- means: a product's stock is the sum of its history
-- key: id
-- repair: UPDATE products SET stock = stock + :missing WHERE id = :id AND stock + :missing = (SELECT coalesce(sum(delta), 0) FROM stock_history WHERE product_id = :id)
SELECT products.id, stock, coalesce(sum(delta), 0) AS history, coalesce(sum(delta), 0) - stock AS missing
FROM products LEFT JOIN stock_history ON product_id = products.id
GROUP BY products.id
HAVING coalesce(sum(delta), 0) <> stock
ORDER BY 1
