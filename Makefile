# demo and test set everything up themselves; see README.md.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-databases check check-full docs clean

demo: .venv/ready
	$(BIN)/python scripts/demo.py

test: .venv/ready
	@[ "$$(id -u)" = 0 ] || { echo "Postfix runs as root alone; try: sudo make test" >&2; exit 1; }
	scripts/system-packages postfix miltertest
	$(BIN)/python -m pytest -n auto -m "not databases"

# What takes more packages and more time: real database servers.
test-databases: .venv/ready
	scripts/system-packages postgresql mariadb-server-core mariadb-client-core
	$(BIN)/python -m pytest -n auto -m databases plugins/pyq_db_list

check: .venv/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@# one by one: every plugin calls its tests "tests"
	set -e; for tests in plugins/*/tests; do $(BIN)/mypy $$tests; done

# What of docs/ is written from the code.
docs: .venv/ready
	$(BIN)/python scripts/reference.py

check-full: check test test-databases

# Everything is downloaded once, as pinned; all that is installed comes from these files.
.venv/wheelhouse: constraints.txt
	scripts/system-packages libmilter-dev
	@echo "Setting up .venv, once; it takes about half a minute"
	$(PYTHON) -m venv .venv
	$(BIN)/pip wheel --quiet --use-pep517 --wheel-dir $@ --requirement constraints.txt
	touch $@

.venv/ready: .venv/wheelhouse pyproject.toml $(wildcard plugins/*/pyproject.toml)
	$(BIN)/pip install --quiet --no-index --find-links .venv/wheelhouse \
	    --editable .[dev] $(addprefix --editable ./,$(wildcard plugins/*))
	touch $@

clean:
	rm -rf .venv build dist *.egg-info plugins/*/build plugins/*/*.egg-info
