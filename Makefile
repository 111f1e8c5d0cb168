# Kite's workshop. `make` alone prints what can be asked for.
PY := .venv/bin/python
SETUP := deploy/setup.sh
PROTOS := $(sort $(wildcard protos/kite/v1/*.proto))

.DEFAULT_GOAL := help
.PHONY: help setup proto fmt lint type check test demo stop restart clean bench sim ablation chaos overload docs pins

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what is missing: Debian packages (when root), virtual environment, wheels
	@$(SETUP) base demo test lint

proto: ## regenerate kite/v1 from protos/
	@$(SETUP) base
	@deploy/generate.sh .

fmt: ## format Python and protos, and fix what the linters can fix
	@$(SETUP) base
	$(PY) -m ruff check --fix --exit-zero .
	$(PY) -m ruff format .
	.venv/bin/buf format --write

lint: ## ruff, import contracts, buf, yamllint, ansible-lint
	@$(SETUP) base lint
	@deploy/check.sh lint

type: ## mypy, strict
	@$(SETUP) base
	@deploy/check.sh type

check: ## lint and types: everything that reads the code without running it (under two minutes)
	@$(SETUP) base lint
	@deploy/check.sh lint type

test: ## every test this machine can run; ARGS goes to pytest (ARGS="tests/unit -k name")
	@$(SETUP) base demo test
	$(PY) -m pytest $(ARGS)

sim: ## N=10000 simulated bad days from seed FIRST=0 on; SEED=123 tells one, also WITHOUT=no_sweep
	@$(SETUP) base
	$(PY) -m tests.sim $(if $(SEED),--seed $(SEED) $(if $(WITHOUT),--without $(WITHOUT)) $(if $(LIKE),--like $(LIKE)),--days $(or $(N),10000) --first $(or $(FIRST),0))

ablation: ## every safeguard switched off in the simulator, N=200 days each, as a table
	@$(SETUP) base
	$(PY) -m tests.sim --ablation --days $(or $(N),200)

chaos: ## kill, freeze and restart services, end, stop and reboot hosts while users work, then audit; SECONDS=300 SEED=7 HOSTS=2|0
	@$(if $(filter-out 0,$(or $(HOSTS),2)),deploy/preflight.sh)
	@$(SETUP) base demo test $(if $(filter-out 1,$(or $(REGISTRIES),1)),wire)
	@$(PY) -m tests.chaos --seconds $(or $(SECONDS),60) --seed '$(SEED)' --hosts $(or $(HOSTS),2) --registries $(or $(REGISTRIES),1)

overload: ## many create at once against a throttled EC2; CLUSTERS=200 CROWD=20; or STREAMS=10000 event streams
	@$(SETUP) base demo $(if $(STREAMS),test)
	@$(PY) -m $(if $(STREAMS),tests.overload.show_streams --streams $(STREAMS),tests.overload --clusters $(or $(CLUSTERS),200) --users $(or $(CROWD),20))

pins: ## write deploy/constraints.txt from .venv, after its tests passed
	@deploy/pins.sh

demo: ## the whole product on this machine, told as a story; KEEP=1 leaves it running
	@deploy/alone.sh /run/kite/demo.lock 'A demo' deploy/demo.sh $(if $(filter-out 0,$(KEEP)),--keep)

stop: ## end a demo that was kept running
	@if [ -x $(PY) ]; then $(PY) -m localcloud.demo stop; else deploy/tenant.sh && echo "No demo runs."; fi

restart: ## start one service of a kept demo again: SERVICE=bff|registry|provisioner|whitelist
	@$(if $(SERVICE),,$(error say which: make restart SERVICE=bff|registry|provisioner|whitelist))
	@$(PY) -m localcloud.demo restart $(SERVICE)

clean: ## remove what a killed run left on this machine, and what builds left in this folder
	@if [ -x $(PY) ]; then $(PY) -m localcloud.demo clean; else deploy/tenant.sh; fi
	@deploy/clean.sh

bench: ## measure against the peers, print the table, write .run/bench.json; KITE_BENCH_PROTOTYPE=FOLDER adds the local cloud's prototype
	@$(SETUP) base demo test bench
	$(PY) -m tests.bench $(ARGS)

docs: ## write .env.example and the file list of ARCHITECTURE.md from the code
	@$(SETUP) base
	@.venv/bin/kite config example > .env.example.new && mv .env.example.new .env.example
	@$(PY) -m tests.house.listing
