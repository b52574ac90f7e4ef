-- name: nothing-is-orphaned
-- means: whatever a row belongs to is there
-- key: relation, id, missing
SELECT 'orders' AS relation, id::text, 'user ' || user_id AS missing FROM orders
WHERE NOT EXISTS (SELECT FROM users WHERE users.id = user_id)
UNION ALL
SELECT 'order_lines', order_id || '/' || product_id, 'order ' || order_id FROM order_lines
WHERE NOT EXISTS (SELECT FROM orders WHERE orders.id = order_id)
UNION ALL
SELECT 'order_lines', order_id || '/' || product_id, 'product ' || product_id FROM order_lines
WHERE NOT EXISTS (SELECT FROM products WHERE products.id = product_id)
UNION ALL
SELECT 'point_ledger', id::text, 'user ' || user_id FROM point_ledger
WHERE NOT EXISTS (SELECT FROM users WHERE users.id = user_id)
UNION ALL
SELECT 'point_ledger', id::text, 'order ' || order_id FROM point_ledger
WHERE order_id IS NOT NULL AND NOT EXISTS (SELECT FROM orders WHERE orders.id = order_id)
UNION ALL
SELECT 'stock_history', id::text, 'product ' || product_id FROM stock_history
WHERE NOT EXISTS (SELECT FROM products WHERE products.id = product_id)
UNION ALL
SELECT 'stock_history', id::text, 'order ' || order_id FROM stock_history
WHERE order_id IS NOT NULL AND NOT EXISTS (SELECT FROM orders WHERE orders.id = order_id)
UNION ALL
SELECT 'price_history', id::text, 'product ' || product_id FROM price_history
WHERE NOT EXISTS (SELECT FROM products WHERE products.id = product_id)
ORDER BY 1, 2, 3
