# make nightly   set everything up and run the night on the invented sample
# make serve     the review pages for one person on this machine
# make test      the whole test suite
# make lint      ruff and mypy
# make lock      resolve the locked versions anew (needs uv)
# make clean     remove what make made, but neither the store nor the models
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input -q
EXTRACT ?= training_data/sample_extract
# The first of these that is Python 3.11 or newer; `make nightly PYTHON=/path/to/python` takes another.
PYTHON ?= $(shell for each in python3.11 python3.12 python3.13 python3; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$each" && break; done)
COMPILE := uv pip compile -q --generate-hashes --universal --python-version 3.11 --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" pyproject.toml

.PHONY: nightly serve test lint lock clean
.DELETE_ON_ERROR:

nightly: $(VENV)/.installed
	@$(PY) -m flows.nightly --extract $(EXTRACT)

serve: $(VENV)/.installed
	@$(PY) -m triage serve

test: $(VENV)/.installed-dev
	@$(PY) -m pytest -n 2 --dist loadfile

lint: $(VENV)/.installed-dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

$(PY):
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it: make nightly PYTHON=/path/to/python" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11" >&2; exit 1; }
	@echo "Setting up $(VENV) with $(PYTHON)"
	@# Where the system splits venv from ensurepip, its own pip puts a pip into the new environment.
	@"$(PYTHON)" -m venv $(VENV) >/dev/null 2>&1 || { \
		rm -rf $(VENV); \
		"$(PYTHON)" -m venv --without-pip $(VENV) && \
		"$(PYTHON)" -m pip --python $(PY) --disable-pip-version-check -q install pip; }

$(VENV)/.installed: requirements.lock pyproject.toml | $(PY)
	@echo "Installing the locked versions; this takes a few minutes the first time"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "Installing what the tests need"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

lock:
	$(COMPILE) --extra postgresql -o requirements.lock
	$(COMPILE) --extra dev -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
