-- Which row an alert has is known by heart here, where one connection writes everything (store/places.py): in a storm the
-- index was two thirds of the work.
DROP INDEX alerts_fingerprint
