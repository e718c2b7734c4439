# Two commands on a fresh machine: `make lab` and `make test`. Each sets up what it needs, once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LAB_FLAGS ?=
# Tests run side by side, one thread each; a notebook's cells, and a test file's tests, stay together and in order.
WORKERS ?= --numprocesses auto --maxprocesses 4 --dist loadfile
# JupyterLab refuses to start as root (in a container, say) unless told otherwise.
ROOT_FLAG := $(if $(filter 0,$(shell id -u)),--allow-root)

# For graders only; with it, the unsolved exercises of the notebooks would stop a build or a test.
unexport MEDLEARN_STRICT

# A hundred processes import medlearn: the first one may keep what it compiled, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help lab test notebooks bench study clean

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-12s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

lab: $(VENV)/.course-ready  ## open the course in JupyterLab
	$(BIN)/jupyter lab --ServerApp.ip=127.0.0.1 --ServerApp.root_dir=. $(ROOT_FLAG) $(LAB_FLAGS) notebooks/00_start_here.ipynb

test: $(VENV)/.test-ready  ## run every test: units, doctests, notebooks, browser
	$(BIN)/python course/build.py --check
	$(BIN)/ruff check .
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --nbval-lax --nbval-current-env $(WORKERS) $(TEST_FLAGS)

notebooks: $(VENV)/.test-ready  ## build the notebooks whose lessons changed
	$(BIN)/python course/build.py

bench: $(VENV)/.test-ready  ## measure each notebook's seconds and memory, the metrics, the networks, the training loop
	$(BIN)/python benchmarks/notebooks.py
	$(BIN)/python benchmarks/metrics.py
	$(BIN)/python benchmarks/segmentation_intervals.py
	$(BIN)/python benchmarks/generative_intervals.py
	$(BIN)/python benchmarks/nodule_networks.py
	$(BIN)/python benchmarks/nodule_detection.py
	$(BIN)/python benchmarks/ecg_networks.py
	$(BIN)/python benchmarks/hippocampus.py --leak
	$(BIN)/python benchmarks/training.py

study: $(VENV)/.test-ready  ## make a lesson's stored table, NAME=gan: up to an hour, resumable; ARGS="--quick" to see it run
	$(BIN)/python -m studies.$(or $(NAME),$(error name the study: make study NAME=gan)) $(ARGS)

clean:  ## remove the virtual environment; your work and your data stay
	rm -rf $(VENV)

$(VENV)/.course-ready: pyproject.toml constraints.txt
	$(call install,course)

$(VENV)/.test-ready: pyproject.toml constraints.txt
	$(call install,test)
	@touch $(VENV)/.course-ready

define install
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "medlearn needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version). Name another one: make PYTHON=python3.12 lab"; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' || { echo "Python's venv is missing. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
@echo "Installing what the course needs into $(VENV): a few minutes, once."
$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(1)]'
@$(BIN)/jupyter labextension disable --level=sys_prefix @jupyterlab/apputils-extension:announcements 2>/dev/null
@touch $@
endef
