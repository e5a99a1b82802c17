# The commands of this repository. They need python3 (3.11 or newer) and make, and nothing else.

PYTHON ?= python3
SEED ?= 1
MINUTES ?= 10
VENV := .venv
INSTALLED := $(VENV)/.installed
RUN := $(VENV)/bin/python
SYNC := $(RUN) -m uv pip sync --require-hashes --compile-bytecode --python $(RUN)
COMPILE := $(RUN) -m uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate

.DEFAULT_GOAL := help
.PHONY: help $(VENV) run test browser screenshots contract faults deployed chaos bench bench-full guard check audit lock clean

help:
	@echo 'make run      the whole system on this machine: PORT=8000 WORKERS=2 [EXAMPLE= DATABASE_URL= REDIS_URL=]'
	@echo 'make test     the test suite'
	@echo 'make browser  the pages and the resumable fetch in a real browser (Debian'"'"'s chromium)'
	@echo 'make contract the conformance table: this backend beside the plain in-process SDK server'
	@echo 'make faults   the fault suite, and its report in docs/faults.md'
	@echo 'make deployed the files in deploy/, behind a real nginx, PgBouncer, Sentinel and TLS where they are installed'
	@echo 'make chaos    random faults by a seed: SEED=1 MINUTES=10'
	@echo 'make bench    what an answer costs here and in the in-process server, within three minutes'
	@echo 'make bench-full  every row of docs/benchmarks.md, within half an hour, and the page itself'
	@echo 'make guard    fails when a delta has become dearer beside the in-process server'
	@echo 'make check    style, types and the laws of the tree'
	@echo 'make audit    known weaknesses of what is installed, as far as the index tells'
	@echo 'make .venv    sets up and does nothing else'
	@echo 'make lock     resolves the dependencies anew'
	@echo 'make clean    removes the environment and the caches, and keeps the data in .local/'

run: $(VENV)
	@exec $(RUN) -m local --end-with-parent

test: $(VENV)
	$(RUN) -m pytest $(AGAIN)

browser: $(VENV)
	$(RUN) -m pytest tests/browser $(AGAIN)

screenshots: $(VENV)
	mkdir -p docs/screenshots
	SCREENSHOTS=$(CURDIR)/docs/screenshots $(RUN) -m pytest tests/browser/test_pictures.py tests/system/test_tracing.py

contract: $(VENV)
	@$(RUN) -m tests.contract.compare

faults: $(VENV)
	$(RUN) -m pytest tests/faults tests/system/test_recovery.py tests/system/test_crowd.py -m "slow or not slow" --report docs $(AGAIN)

deployed: $(VENV)
	$(RUN) -m pytest tests/deploy $(AGAIN)

chaos: $(VENV)
	$(RUN) -m pytest tests/faults/test_chaos.py --seed $(SEED) --minutes $(MINUTES)

bench: $(VENV)
	$(RUN) -m benchmarks --quick

bench-full: $(VENV)
	$(RUN) -m benchmarks --full --json docs/benchmarks.json --report docs

guard: $(VENV)
	$(RUN) -m benchmarks.guard

check: $(VENV)
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy
	$(RUN) -c 'from importlinter.cli import lint_imports_command as check; check()'

$(VENV): $(INSTALLED)

# uv is installed from a hashed list of its own, then everything else from the lock: with uv's own certificates,
# and behind a proxy that has others with those of this machine.
$(INSTALLED): $(RUN) local/uv.lock requirements-dev.lock
	@$(RUN) -m pip --version >/dev/null 2>&1 || $(RUN) -m ensurepip
	$(RUN) -m pip install --require-hashes --disable-pip-version-check -r local/uv.lock
	$(SYNC) requirements-dev.lock || $(SYNC) --system-certs requirements-dev.lock
	@touch $@

$(RUN):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, and '$(PYTHON)' is not: name another, as in 'make PYTHON=python3.12 run'." >&2; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' comes without venv: install it (on Debian and Ubuntu it is the package python3-venv)." >&2; \
		exit 1; }
	$(PYTHON) -m venv --clear $(VENV)

audit: $(VENV)
	@$(RUN) deploy/audit.py

lock: $(VENV)
	$(COMPILE) -o requirements.lock
	$(COMPILE) --group local --group dev -o requirements-dev.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
