# Seven words for everyone who works on Seqwise. They need python3 (3.11 or newer) and make, nothing else:
# the first use of a word makes .venv and installs what that word asks for, pinned by constraints.txt.
#
#   make test ARGS='tests/models -k attention'     words for pytest, seqwise demo or a benchmark
#   make PYTHON=python3.12 install                 another Python than python3

PYTHON ?= python3
ARGS ?=

IN_VENV := .venv/bin/python
PIP := $(IN_VENV) -m pip install --disable-pip-version-check --quiet --constraint constraints.txt
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 # each, where several processes share the cores

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install check fix test docs demo bench

help: ## these words
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | while IFS="$$(printf '\t')" read -r word meaning; do \
		printf '  make %-9s %s\n' "$$word" "$$meaning"; done

install: .venv/dev.stamp ## .venv with all that a contributor needs
	@echo "Installed: try .venv/bin/seqwise --help"

check: .venv/dev.stamp ## lint, types, floors and house rules
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m ruff format --check --quiet .
	$(IN_VENV) -m mypy
	$(IN_VENV) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-logo
	@$(ONE_THREAD) $(IN_VENV) -m pytest tests/rules $(ARGS)

fix: .venv/dev.stamp ## format, mend what the linter can, rewrite the generated docs
	$(IN_VENV) -m ruff format .
	$(IN_VENV) -m ruff check --fix .
	$(IN_VENV) docs/generate.py

test: .venv/test.stamp ## the tests, two at a time
	@$(ONE_THREAD) $(IN_VENV) -m pytest --numprocesses 2 --ignore=tests/rules $(ARGS)

docs: .venv/dev.stamp ## the documentation, as a site in site/
	@NO_MKDOCS_2_WARNING=1 $(IN_VENV) -m mkdocs build --strict
	@echo "Built: open site/index.html"

demo: .venv/core.stamp ## train a small translator and watch it work
	@$(IN_VENV) -m seqwise demo $(ARGS)

bench: .venv/test.stamp ## the benchmarks, a JSON line each
	@failed=0; for script in bench/[!_]*.py; do [ -e "$$script" ] || continue; \
		$(IN_VENV) "$$script" $(ARGS) || { echo "failed: $$script" >&2; failed=1; }; done; exit $$failed

# .venv -------------------------------------------------------------------------------------------------------
# A stamp stands for what is installed; each stands on the one before, so that parallel words never install at once.
# Torch goes first and alone, so that a slow download says what it is.

.venv/core.stamp: .venv/home.stamp pyproject.toml constraints.txt
	$(call install,$(shell grep '^torch==' constraints.txt) (some hundred megabytes),"$$(grep '^torch==' constraints.txt)")
	$(call install,seqwise and what it builds on,hatchling editables)
	$(call pip,--no-build-isolation --editable .)
	@touch $@

.venv/test.stamp: .venv/core.stamp
	$(call install,what the tests need,--no-build-isolation --editable '.[test]')
	@touch $@

.venv/dev.stamp: .venv/test.stamp
	$(call install,what the checks and the docs need,--no-build-isolation --editable '.[dev]')
	@touch $@

# The stamp holds the folder's place: a folder that was moved or copied installs itself again.
.venv/home.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		found="$$($(PYTHON) --version 2>/dev/null)" || found="not there"; \
		echo "seqwise: $(PYTHON) is $$found: needs Python 3.11 or newer." \
			"Try make PYTHON=python3.12 $(or $(MAKECMDGOALS),install)." >&2; exit 2; }
	@$(IN_VENV) -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "making .venv with $$($(PYTHON) --version)" >&2; $(PYTHON) -m venv --clear .venv; }
	@rm -f .venv/*.stamp .venv/install.log
	@printf '%s\n' "$(CURDIR)" > $@

ifneq ($(shell cat .venv/home.stamp 2>/dev/null),$(CURDIR))
.PHONY: .venv/home.stamp
endif

# $(call install,WHAT,WORDS FOR PIP). What pip says lies in .venv/install.log and is shown where it fails.
define install
@echo "installing $(1)" >&2
$(call pip,$(2))
endef
define pip
@$(PIP) $(1) >> .venv/install.log 2>&1 || { grep -v '^WARNING' .venv/install.log | tail -n 20 >&2; \
	echo "seqwise: pip could not install this; all it said lies in .venv/install.log." >&2; exit 2; }
endef
