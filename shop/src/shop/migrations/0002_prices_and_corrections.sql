-- A price too has its history, so that a price can be told from a slip; and what was booked wrongly in the ledger is
-- put right by a row of its own, with the order that it is about.

CREATE TABLE price_history (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  product_id integer NOT NULL REFERENCES products,
  price integer NOT NULL CHECK (price >= 0),
  at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX price_history_of_product ON price_history (product_id, id DESC);
INSERT INTO price_history (product_id, price) SELECT id, price FROM products ORDER BY id;
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON price_history FOR EACH ROW EXECUTE FUNCTION only_grows();

ALTER TABLE point_ledger
  DROP CONSTRAINT point_ledger_reason_check,
  DROP CONSTRAINT point_ledger_check,
  ADD CONSTRAINT point_ledger_reason_check CHECK (reason IN ('seed', 'charge', 'payment', 'correction')),
  ADD CONSTRAINT point_ledger_order_check CHECK
    (CASE reason WHEN 'payment' THEN order_id IS NOT NULL WHEN 'correction' THEN true ELSE order_id IS NULL END);
