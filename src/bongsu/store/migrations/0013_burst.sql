CREATE TABLE balances (
  service TEXT NOT NULL,
  machine TEXT NOT NULL,
  body TEXT NOT NULL,
  score TEXT NOT NULL,
  PRIMARY KEY (service, machine)
)
