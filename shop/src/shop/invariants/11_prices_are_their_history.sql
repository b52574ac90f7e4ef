-- name: prices-are-their-history
-- means: a product's price is the newest of its history
-- key: id
-- repair: UPDATE products SET price = :newest WHERE id = :id AND price = :price
SELECT products.id, price, newest
FROM products LEFT JOIN (
  SELECT DISTINCT ON (product_id) product_id, price AS newest FROM price_history ORDER BY product_id, id DESC
) AS history ON product_id = products.id
WHERE newest IS DISTINCT FROM price
ORDER BY 1
