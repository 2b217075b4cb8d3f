# Start with make demo or make test; both need only Python 3.11 or later.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
MODELS := nac perceiver-io vit
SEEDS := 0 1 2

.PHONY: help bench demo docs fuzz results test test-gpu test-report test-slurm lint clean

help:
	@echo "make demo         install, train NAC, Perceiver IO and ViT on real digits, write a report (2 minutes after the install)"
	@echo "make test         install the development tools; run ruff, mypy and pytest"
	@echo "make lint         run ruff and mypy only"
	@echo "make test-slurm   run the tests that need Slurm, on a cluster started on this machine (Debian)"
	@echo "make test-report  run the tests that need Chromium, LaTeX and trackio; installs what is missing (Debian)"
	@echo "make fuzz         try every reader of files with 50,000 damaged inputs, and kill a run at every call (10 minutes)"
	@echo "make test-gpu     run the tests that need an NVIDIA GPU"
	@echo "make bench        measure speed and write results/bench/ (15 minutes on two idle cores);"
	@echo "                  make bench AGAINST=REV compares with a committed revision (half an hour)"
	@echo "make results      make reports, claims and tables again from the records in results/"
	@echo "make docs         build the documentation site: docs/_build/html/index.html"
	@echo "make clean        remove the virtual environment, build outputs and caches"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "nacbench needs Python 3.11 or later; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)

# one stamp file for each kind of installation, so that pip runs again only if pyproject.toml has changed
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[dev,docs]'
	@touch $@ $(VENV)/.installed $(VENV)/.installed-dev

# one thread: more threads split sums differently, and the last digits would differ from the README's
demo: export OMP_NUM_THREADS = 1
demo: $(VENV)/.installed
	@for seed in $(SEEDS); do for model in $(MODELS); do \
		$(BIN)/nacbench run --task digits --model $$model --scale smoke --precision fp32 --seed $$seed \
			--out runs/demo || exit $$?; \
	done; done
	$(BIN)/nacbench report runs/demo --out report/demo

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/bench.py $(if $(AGAINST),--against $(AGAINST))

results: $(VENV)/.installed
	$(BIN)/python results/rebuild.py

# a full build each time, as pages are generated from the code; warnings are errors (-W), so are unknown names (-n)
docs: $(VENV)/.installed-docs
	rm -rf docs/_build
	OMP_NUM_THREADS=1 $(BIN)/sphinx-build -q -E -W --keep-going -n -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy nacbench tests benchmarks docs/conf.py docs/_ext

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

# trackio takes an older Pillow than the rest, so that it lies in a folder of its own, for its tests alone
$(VENV)/.installed-trackio: pyproject.toml | $(BIN)/python
	rm -rf $(VENV)/trackio
	$(BIN)/python -m pip install --quiet --target $(VENV)/trackio --no-deps 'trackio>=0.43,<0.44' 'pillow<13' \
		'gradio-client>=2,<3' brotli orjson python-multipart websockets
	@touch $@

test-report: $(VENV)/.installed-dev $(VENV)/.installed-trackio
	which chromium chromedriver pdflatex >/dev/null || (apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends chromium chromium-driver texlive-latex-recommended >/dev/null)
	NACBENCH_TEST_TOOLS=1 NACBENCH_TEST_TRACKIO=$(CURDIR)/$(VENV)/trackio \
		$(BIN)/python -m pytest -m "browser or latex or trackio"

fuzz: $(VENV)/.installed-dev
	NACBENCH_FUZZ=1600 OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/fuzz tests/running/test_killed.py \
		--numprocesses 2 --dist worksteal

test-gpu: $(VENV)/.installed-dev
	$(BIN)/python -c 'import sys, torch; sys.exit(0 if torch.cuda.is_available() else "torch finds no NVIDIA GPU")'
	$(BIN)/python -m pytest -m gpu

# three workers on two cores, each with a cluster of its own, as these tests mostly wait
test-slurm: $(VENV)/.installed-dev
	slurm/devcluster.sh install
	NACBENCH_TEST_SLURM=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slurm --numprocesses 3 --dist worksteal

clean:
	rm -rf $(VENV) build docs/_build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
