# demo and test set everything up themselves; see README.md.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check check-full clean

demo: .venv/ready
	$(BIN)/python scripts/demo.py

test: .venv/ready
	scripts/system-packages postfix miltertest
	$(BIN)/python -m pytest -n auto

check: .venv/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

check-full: check test

.venv/ready: constraints.txt pyproject.toml $(wildcard plugins/*/pyproject.toml)
	scripts/system-packages libmilter-dev
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt $(foreach part,.[dev] $(wildcard plugins/*),--editable ./$(part))
	touch $@

clean:
	rm -rf .venv build dist *.egg-info plugins/*/build plugins/*/*.egg-info
