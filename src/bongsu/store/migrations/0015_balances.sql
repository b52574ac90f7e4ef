CREATE TABLE scores (
  service TEXT NOT NULL,
  machine TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (service, machine)
);
INSERT INTO scores SELECT service, machine, score FROM balances;
-- what is known of credits is reckoned anew from the metrics store, at the start
DROP TABLE balances;
CREATE TABLE balances (
  service TEXT NOT NULL PRIMARY KEY,
  body $BYTES NOT NULL,
  trail $BYTES NOT NULL
)
