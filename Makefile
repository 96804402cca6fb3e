# Two commands are all that is needed: `make reproduce` and `make test`. Both set up what they use.
# Written for GNU make 3.81 (macOS) and later; all paths are relative, so a folder may hold spaces.

PROFILE ?= quick
CORES ?= all
PYTHON ?=
ENV := .venv
IN := $(ENV)/bin/python
INSTALLED := $(ENV)/installed
# what an environment is made from; pyproject.toml counts for its entry points
WANTED = cat requirements.lock pyproject.toml | cksum
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))

.PHONY: help setup environment reproduce test lab report lint bench lock clean
.DEFAULT_GOAL := help

help:
	@echo "make reproduce [PROFILE=quick|laptop|gpu|paper]   run the notebooks, write tables and report"
	@echo "make test                                         the whole test suite"
	@echo "make lab                                          JupyterLab on the notebooks"
	@echo "make report [PROFILE=...]                         gather the results in one page"
	@echo "make lint                                         format, style and import checks alone"
	@echo "make bench                                        the speed comparisons"
	@echo "make setup [PYTHON=python3.12]                    the environment alone, in .venv"
	@echo "make lock                                         pin today's versions (needs uv)"
	@echo "make clean                                        remove what can be made again in minutes"
	@echo "Your own corpora: set PASDEDEUX_DATA to their folder. CORES=2 limits parallel work."

setup:
	@if [ ! -x $(IN) ] || ! $(IN) -c "" 2>/dev/null || \
	    [ "`cat $(INSTALLED) 2>/dev/null`" != "`$(WANTED)`" ]; then \
	    $(MAKE) --no-print-directory environment GOAL="$(firstword $(MAKECMDGOALS) setup)"; \
	fi

environment:
	@if [ -x $(IN) ] && $(IN) -c "$(SUPPORTED)" 2>/dev/null; then exit 0; fi; \
	chosen=""; \
	for candidate in "$(PYTHON)" $(if $(PYTHON),,python3.11 python3.12 python3.13 python3); do \
	    if [ -n "$$candidate" ] && "$$candidate" -c "$(SUPPORTED)" 2>/dev/null; then \
	        chosen="$$candidate"; break; \
	    fi; \
	done; \
	if [ -z "$$chosen" ]; then \
	    echo "No suitable Python: 3.11, 3.12 or 3.13 is needed." >&2; \
	    found=$$($(if $(PYTHON),"$(PYTHON)",python3) --version 2>/dev/null); \
	    echo "Found: $${found:-none}." >&2; \
	    echo "Install one, or name it: make $(GOAL) PYTHON=/path/to/python3.11" >&2; \
	    exit 1; \
	fi; \
	if ! "$$chosen" -c "import venv, ensurepip" 2>/dev/null; then \
	    echo "$$chosen cannot make virtual environments: its venv module is missing." >&2; \
	    echo "Debian and Ubuntu have it in the package python3-venv (or python3.11-venv)." >&2; \
	    exit 1; \
	fi; \
	echo "Making $(ENV) with $$("$$chosen" --version)"; \
	rm -rf $(ENV) && "$$chosen" -m venv $(ENV)
	@echo "Installing the pinned packages; the first time takes some minutes"
	@$(IN) -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(IN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(IN) -c "from pasdedeux.music.features import compile_once; compile_once()"
	@$(WANTED) > $(INSTALLED)

# no lock: one that a killed run has left would stop every later one
reproduce: setup
	@$(IN) -m snakemake --cores $(CORES) --nolock --rerun-incomplete --quiet host \
	    --config profile=$(PROFILE)
	@$(IN) -m pasdedeux.cli report --profile $(PROFILE)
	@$(IN) -m pasdedeux.cli table --profile $(PROFILE)
	@$(IN) -m pasdedeux.cli cost

# files of tests in as many processes as there are processors, at most 4: each takes 2 GB
test: setup
	@$(IN) -m pytest --numprocesses=$(CORES:all=auto) --maxprocesses=4 --dist=loadfile \
		--no-loadscope-reorder

lab: setup
	@$(IN) -m jupyterlab notebooks

report: setup
	@$(IN) -m pasdedeux.cli report --profile $(PROFILE)

lint: setup
	@$(IN) -m ruff check .
	@$(IN) -m ruff format --check .
	@$(ENV)/bin/lint-imports

bench: setup
	@for benchmark in benchmarks/*.py; do echo "$$benchmark"; $(IN) "$$benchmark" || exit 1; done

# torch pins its own CUDA packages on Linux; they are left out so that a CPU build installs as well
lock:
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	@uv pip compile --universal --python-version 3.11 --all-extras --no-annotate --no-header \
	    --no-emit-index-url --quiet pyproject.toml -o requirements.resolved
	@{ sed -n '/^#/p' requirements.lock | sed "s/^# Resolved on [0-9-]*/# Resolved on $$(date +%Y-%m-%d)/"; \
	   grep -v -E "^(nvidia-|cuda-|triton)|== 'win32'$$|os_name == 'nt'$$" requirements.resolved; \
	} > requirements.new
	@rm requirements.resolved && mv requirements.new requirements.lock

clean:
	rm -rf .cache .snakemake results/quick build .pytest_cache .ruff_cache .hypothesis \
	    .import_linter_cache src/*.egg-info
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
