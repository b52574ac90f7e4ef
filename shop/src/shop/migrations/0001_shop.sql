-- The constraints are the last guard: whatever the code does, stock and points never go below zero, an order is paid
-- at most once, and histories only grow.

CREATE TABLE products (
  id integer PRIMARY KEY,
  name text NOT NULL,
  category text NOT NULL,
  price integer NOT NULL CHECK (price >= 0),
  stock integer NOT NULL CHECK (stock >= 0)
);
CREATE INDEX products_category ON products (category, id);
CREATE INDEX products_price ON products (price, id);

CREATE TABLE users (
  id integer PRIMARY KEY,
  name text NOT NULL,
  points bigint NOT NULL CHECK (points >= 0)
);

CREATE TABLE orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id integer NOT NULL REFERENCES users,
  status text NOT NULL CHECK (status IN ('pending', 'paid')),
  total bigint NOT NULL CHECK (total >= 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  paid_at timestamptz,
  CHECK ((status = 'paid') = (paid_at IS NOT NULL))
);
CREATE INDEX orders_of_user ON orders (user_id, id DESC);
CREATE INDEX orders_paid ON orders (paid_at) WHERE status = 'paid';

CREATE TABLE order_lines (
  order_id bigint NOT NULL REFERENCES orders,
  product_id integer NOT NULL REFERENCES products,
  quantity integer NOT NULL CHECK (quantity > 0),
  price integer NOT NULL CHECK (price >= 0),
  PRIMARY KEY (order_id, product_id)
);

CREATE TABLE stock_history (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  product_id integer NOT NULL REFERENCES products,
  delta integer NOT NULL,
  stock_after integer NOT NULL CHECK (stock_after >= 0),
  reason text NOT NULL CHECK (reason IN ('seed', 'sale')),
  order_id bigint REFERENCES orders,
  at timestamptz NOT NULL DEFAULT now(),
  CHECK ((reason = 'sale') = (order_id IS NOT NULL))
);
CREATE INDEX stock_history_of_product ON stock_history (product_id, id);
CREATE UNIQUE INDEX stock_history_once ON stock_history (order_id, product_id) WHERE reason = 'sale';

CREATE TABLE point_ledger (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id integer NOT NULL REFERENCES users,
  delta bigint NOT NULL,
  points_after bigint NOT NULL CHECK (points_after >= 0),
  reason text NOT NULL CHECK (reason IN ('seed', 'charge', 'payment')),
  order_id bigint REFERENCES orders,
  at timestamptz NOT NULL DEFAULT now(),
  CHECK ((reason = 'payment') = (order_id IS NOT NULL))
);
CREATE INDEX point_ledger_of_user ON point_ledger (user_id, id DESC);
CREATE UNIQUE INDEX point_ledger_once ON point_ledger (order_id) WHERE reason = 'payment';

CREATE TABLE idempotency_keys (
  user_id integer NOT NULL,
  key text NOT NULL,
  digest text NOT NULL,
  status integer NOT NULL,
  body text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, key)
);

CREATE FUNCTION only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% only grows: a correction is a row of its own', TG_TABLE_NAME;
END $$;
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON stock_history FOR EACH ROW EXECUTE FUNCTION only_grows();
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON point_ledger FOR EACH ROW EXECUTE FUNCTION only_grows();
