# `make melody` and `make test` do all the set-up themselves; `make help` lists the rest.

# The first Python from 3.11 to 3.14, one that can make environments if there is one.
ifndef PYTHON
PYTHON := $(shell for need in 'import ensurepip, venv' ''; do for name in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	"$$name" -c "$$need; import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))" >/dev/null 2>&1 && echo "$$name" && exit; done; done)
endif
# Every process of the tests would compile the package again where the environment forbids to keep bytecode.
unexport PYTHONDONTWRITEBYTECODE
OUT ?= runs/melody
TESTS ?=
RUN := .venv/bin/python

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help melody test test-e2e test-slow lint style docs bench bundles pins clean set-up set-up-dev

help:  ## list what can be made
	@sed -n 's/^\([a-z0-9-]*\):.*##  *\(.*\)/  make \1\t\2/p' Makefile | expand -t 18

melody: set-up  ## the main job: learn, tune, compose, measure; then open runs/melody/report.html
	@if [ -f '$(OUT)/run.json' ] && $(RUN) -c 'import pathlib, sys; from cantilena.runtime import finished; sys.exit(not finished(pathlib.Path(sys.argv[1])))' '$(OUT)'; \
	then echo 'The run is finished: open $(OUT)/report.html (make melody OUT=runs/other makes another)'; \
	elif [ -f '$(OUT)/run.json' ]; then $(RUN) -m cantilena reproduce --preset quick --out '$(OUT)' --resume; \
	else $(RUN) -m cantilena reproduce --preset quick --out '$(OUT)'; fi

# The types are checked beside the tests: one of two cores would wait for them. What is wrong with them stands below.
test: set-up-dev style  ## all checks and quick tests
	@.venv/bin/mypy >.venv/mypy.log 2>&1 & types=$$!; trap 'kill $$types 2>/dev/null' INT TERM; \
	OMP_NUM_THREADS=1 .venv/bin/pytest -q -n auto --dist worksteal -m 'not e2e and not slow' $(TESTS); tests=$$?; \
	wait $$types || { cat .venv/mypy.log; exit 1; }; exit $$tests

test-e2e: set-up-dev  ## browsers, kills, several processes, long trainings: the tests that take minutes
	@OMP_NUM_THREADS=1 .venv/bin/pytest -q -n auto --dist worksteal -m 'e2e and not slow' $(or $(TESTS),tests)

test-slow: set-up-dev  ## statistics over a thousand studies and the like: the tests that take longest
	@OMP_NUM_THREADS=1 .venv/bin/pytest -q -n auto --dist worksteal -m slow $(or $(TESTS),tests)

lint: set-up-dev style  ## ruff, layers (import-linter), mypy strict
	@.venv/bin/mypy

style:
	@.venv/bin/ruff check src tests scripts benchmarks examples
	@.venv/bin/ruff format --check src tests scripts benchmarks examples
	@.venv/bin/lint-imports

docs: set-up-dev  ## the documentation as a site: open site/index.html
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet

bench: set-up-dev  ## measure speed, the numbers of the README; PIANO_MIDI=DIR also that of reading its files
	@for file in $(filter-out %/reading.py,$(wildcard benchmarks/*.py)); do echo "$$file"; $(RUN) "$$file" || exit 1; done
	@echo benchmarks/reading.py; $(RUN) benchmarks/reading.py $(if $(PIANO_MIDI),'$(PIANO_MIDI)')

bundles: set-up-dev  ## train again the bundles that ship; PIANO_MIDI=DIR for those that learn piano pieces
	@$(RUN) scripts/build_bundles.py $(if $(PIANO_MIDI),--piano-midi '$(PIANO_MIDI)')

pins: set-up-dev  ## write constraints.txt anew with the newest versions
	@$(RUN) scripts/pin_versions.py

clean:  ## remove what was built; runs stay
	@rm -rf .venv .venv-old .venv.lock build dist site src/cantilena.egg-info .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find src tests scripts benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

set-up:
	@$(if $(PYTHON),'$(PYTHON)' scripts/set_up.py,echo 'error: no Python from 3.11 to 3.14 was found' >&2; echo 'hint: install one, or name it: make PYTHON=/path/to/python3' >&2; exit 1)

set-up-dev:
	@$(if $(PYTHON),'$(PYTHON)' scripts/set_up.py dev docs hub,echo 'error: no Python from 3.11 to 3.14 was found' >&2; echo 'hint: install one, or name it: make PYTHON=/path/to/python3' >&2; exit 1)
