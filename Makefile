# demo and test set everything up themselves; see README.md.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-browser test-databases test-sendmail test-old test-wheels faults hostile fuzz check check-full docs clean \
    bench bench-large instructions

demo: .venv/ready
	$(BIN)/python scripts/demo.py

# systemd runs the installed unit, in namespaces of its own.
test: .venv/ready
	@[ "$$(id -u)" = 0 ] || { echo "Postfix runs as root alone; try: sudo make test" >&2; exit 1; }
	scripts/system-packages postfix miltertest systemd
	$(BIN)/python -m pytest -n auto -m "not browser and not databases and not sendmail and not old and not wheels"

# What takes more packages and more time: real database servers.
test-databases: .venv/ready
	scripts/system-packages postgresql mariadb-server-core mariadb-client-core
	$(BIN)/python -m pytest -n auto -m databases plugins/pyq_db_list

# A real sendmail beside Postfix: Debian does not let both be installed, so it is unpacked in .venv.
test-sendmail: .venv/ready .venv/sendmail
	@[ "$$(id -u)" = 0 ] || { echo "sendmail runs as root alone; try: sudo make $@" >&2; exit 1; }
	scripts/system-packages m4
	$(BIN)/python -m pytest -n auto -m sendmail tests/end_to_end

# What pyquarantine 2.1.0 writes, read by this version: with 2.1.0 installed beside it.
test-old: .venv/pyquarantine-2.1.0/ready
	@[ "$$(id -u)" = 0 ] || { echo "Postfix runs as root alone; try: sudo make test-old" >&2; exit 1; }
	scripts/system-packages postfix
	$(BIN)/python -m pytest -n auto -m old tests/end_to_end

# Each plugin's wheel beside the core's alone.
test-wheels: .venv/ready
	$(BIN)/python -m pytest -n auto -m wheels tests

# What goes wrong, on purpose and under load (docs/reliability.md); ONLY=name runs one, SEED=text repeats.
faults: .venv/ready
	@[ "$$(id -u)" = 0 ] || { echo "Postfix runs as root alone; try: sudo make faults" >&2; exit 1; }
	scripts/system-packages postfix postgresql
	$(BIN)/python -m tests.faults $(if $(ONLY),--only $(ONLY)) $(if $(SEED),--seed $(SEED))

# Hostile mail through the daemon; writes its table into docs/reliability.md. `make test` sends it, too.
hostile: .venv/ready
	$(BIN)/python -m tests.hostile --write docs/reliability.md $(if $(ONLY),--only "$(ONLY)")

# Random input (docs/reliability.md); SECONDS=30 for each target, ONLY=name fuzzes one, SEED=number repeats.
fuzz: .venv/ready $(if $(filter protocol,$(ONLY)),,.venv/atheris)
	PYTHONPATH=.venv/atheris $(BIN)/python -m fuzz $(if $(ONLY),--only $(ONLY)) \
	    $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

# What is shown to people, in a real browser.
test-browser: .venv/ready
	scripts/system-packages chromium
	$(BIN)/python -m pytest -n auto -m browser plugins

check: .venv/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@# one by one: every plugin calls its tests "tests"
	set -e; for tests in plugins/*/tests examples/*/tests; do $(BIN)/mypy $$tests; done

# What of docs/ is written from the code.
docs: .venv/ready
	$(BIN)/python scripts/reference.py

# What messages cost, beside a filter that does nothing and beside 2.1.0 (docs/performance.md).
bench: .venv/bench
	$(BIN)/python -m benchmarks

# What they cost where a million are held: takes minutes, and 2.3 million inodes below TMPDIR.
bench-large: .venv/bench
	$(BIN)/python -m benchmarks.large

# User-mode instructions of the ham path, as a multiple of a filter's that does nothing.
instructions: .venv/ready
	scripts/system-packages valgrind
	$(BIN)/python -m benchmarks.instructions

check-full: check instructions test test-wheels test-browser test-databases test-sendmail test-old faults fuzz

# Everything is downloaded once, as pinned; all that is installed comes from these files.
.venv/wheelhouse: constraints.txt
	scripts/system-packages libmilter-dev
	@echo "Setting up .venv, once; it takes about half a minute"
	$(PYTHON) -m venv .venv
	$(BIN)/pip wheel --quiet --quiet --use-pep517 --wheel-dir $@ --requirement constraints.txt
	touch $@

# 35 MB that nothing else needs, and not for every Python.
.venv/atheris: fuzz/requirements.txt | .venv/ready
	$(BIN)/pip install --quiet --no-deps --only-binary :all: --target $@ --requirement $< || \
	    { echo "There is no Atheris for this Python and machine: see $<" >&2; exit 1; }
	touch $@

.venv/sendmail:
	scripts/unpack-packages $@ sendmail-bin sendmail-cf

.venv/ready: .venv/wheelhouse pyproject.toml $(wildcard plugins/*/pyproject.toml)
	$(BIN)/pip install --quiet --no-index --find-links .venv/wheelhouse \
	    --editable .[dev] $(addprefix --editable ./,$(wildcard plugins/*))
	touch $@

# Its wheel asks for a pymilter that was never published, so no dependencies are looked up.
.venv/pyquarantine-2.1.0/ready: tests/end_to_end/version_2_1.txt | .venv/ready
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --no-deps --find-links .venv/wheelhouse --requirement $<
	touch $@

.venv/bench: benchmarks/requirements.txt .venv/pyquarantine-2.1.0/ready
	$(BIN)/pip install --quiet --requirement $<
	touch $@

clean:
	rm -rf .venv build dist *.egg-info plugins/*/build plugins/*/*.egg-info
