.PHONY: help drill drill-sabotage up down test check bench bench-ingest bench-mail bench-memory bench-instrument crash dashboards replay-images verify-grafana lock messages bench-forecast bench-backtest bench-burst bench-restore bench-impact bench-report

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

drill: ## the flash sale, three times
	sh bin/drill

drill-sabotage: ## short drills with something broken on purpose; each must fail
	sh bin/drill --sabotage

up: ## the lab, kept running, with a load; prints the console's address
	sh bin/install
	.venv/bin/bongsu lab up --with-load 20

down: ## end it
	.venv/bin/bongsu lab down

test: ## all tests
	sh bin/test

check: ## style, types, imports
	sh bin/check

bench: ## measured figures, as ratios in one run
	sh bin/install
	.venv/bin/python -m bench

bench-ingest: ## taking alerts in, beside Alertmanager (needs wrk and prometheus-alertmanager)
	sh bin/install
	.venv/bin/python -m bench.ingest

bench-mail: ## from a posted alert to an accepted mail, beside Alertmanager
	sh bin/install
	.venv/bin/python -m bench.mail

bench-memory: ## what the server holds in memory, idle and busy, and its CPU while idle (4 minutes; BENCH_SOAK=3600 for longer)
	sh bin/install
	.venv/bin/python -m bench.memory

crash: ## kill -9 of the server 200 times per database: nothing lost, at most one repeat (CRASH_ROUNDS=20 for fewer)
	sh bin/install
	.venv/bin/python -m bench.crash

bench-instrument: ## what watching costs the shop, in CPU and throughput
	sh bin/install
	.venv/bin/python -m bench.instrument

bench-forecast: ## how well exhaustion is foreseen, beside what people use today (3 minutes)
	sh bin/install
	.venv/bin/python -m bench.forecast

bench-backtest: ## how long a back-test of 30 days of 100 machines takes
	sh bin/install
	.venv/bin/python -m bench.backtest

bench-burst: ## how long a look at the credits of 10,000 machines takes, on both databases (1 minute)
	sh bin/install
	.venv/bin/python -m bench.burst

bench-restore: ## the shop's data damaged at random under load, found and put right
	sh bin/install
	.venv/bin/python -m bench.restore

bench-impact: ## counting who was hurt: 10 M lines of Parquet, 1 M of JSON, the server's memory
	sh bin/install
	.venv/bin/python -m bench.impact

bench-report: ## the report of a resolved incident with 24 hours of data
	sh bin/install
	.venv/bin/python -m bench.report

dashboards: ## build Grafana's dashboards anew
	sh bin/install
	.venv/bin/python -m tools.dashboards

replay-images: ## build the images and run compose.yaml without Docker (root)
	sh bin/install
	.venv/bin/python -m tools.replay_images

verify-grafana: ## compose up on a host with Docker: dashboards, rules, one mail
	python3 -m tools.verify_grafana

lock: ## pin the dependencies anew
	sh bin/install
	.venv/bin/uv pip compile pyproject.toml --extra lab --extra aws --extra pdf --group dev --generate-hashes --no-header --no-annotate --python-version 3.11 --universal -o requirements.lock
	cd shop && .venv/bin/uv pip compile pyproject.toml --group dev --generate-hashes --no-header --no-annotate --python-version 3.11 --universal --no-emit-package bongsu-instrument -o requirements.lock
	echo 'uv' | .venv/bin/uv pip compile - --generate-hashes --no-header --no-annotate --universal -o bin/uv.lock

messages: ## collect new texts into the catalogues
	@mkdir -p var
	.venv/bin/pybabel extract -F babel.cfg --no-location -o var/bongsu.pot --project bongsu src
	.venv/bin/pybabel update -i var/bongsu.pot -d src/bongsu/render/locales --ignore-pot-creation-date --no-fuzzy-matching --ignore-obsolete
