# make demo: set up, show predictions of a trained model, train and evaluate one like it on embedded
# data, say where the reports are.
# make test: set up and run linters, type checker and tests.
# make docs: set up and build the documentation into site/.
# All need only Python 3.10-3.13; PYTHON=... chooses one.
PYTHON ?= $(shell for v in 3.12 3.11 3.13 3.10; do \
	python$$v -c "import venv" >/dev/null 2>&1 && { echo python$$v; exit; }; done; echo python3)
VENV ?= .venv
LOGDIR ?= logs
# Processes that share the tests; most of what a test does runs on one core.
JOBS ?= 2
# A clone tests the package in place; an old PYTHONPATH must not shadow it.
unexport PYTHONPATH

.PHONY: demo test lint docs clean

demo: $(VENV)/.installed
	@echo "first, a model that comes with hvp:"
	$(VENV)/bin/hvp evaluate --preset hierarchical/moving-digits --num-examples 16
	@echo "now the same from scratch:"
	$(VENV)/bin/python train.py --config configs/demo.yml --logdir $(LOGDIR)
	$(VENV)/bin/python eval_with_lpips.py --logdir $(LOGDIR)/demo/model

test: lint
	$(VENV)/bin/python -m pytest -n $(JOBS) --dist worksteal

lint: $(VENV)/.installed-test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict
	@echo "open site/index.html"

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; v = sys.version_info; (3, 10) <= v < (3, 14) or sys.exit("hvp needs Python 3.10-3.13, this is %d.%d: make PYTHON=python3.12 ..." % v[:2])'
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.created requirement.txt pyproject.toml
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.created requirement.txt pyproject.toml
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e ".[test]"
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: $(VENV)/.created requirement.txt pyproject.toml
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e ".[docs]"
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV)
