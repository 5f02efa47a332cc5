# make lab        opens the course, in copies of the lessons that are yours: my-lessons/
# make again      L=03: begins a lesson again; the old answers stay, under another name
# make test       checks everything: format, lint, tests, docstring examples, every notebook cell
# make browser    opens every lesson in JupyterLab and every page of the site in Chromium, and works with them
# make site       makes the site from the stored notebooks: docs/_build/html/index.html
# make publish    REPO=owner/name: writes the repository's name into each link that needs it
# make notebooks  runs every notebook again and stores its outputs
# make bench      compares the counting tools and records the tables, in an environment of its own
# make zoo        counts 667 models of four public libraries, in an environment of its own
# make release    makes the assignments' notebooks for students from their sources
# make layers     A=a1 ROSTER=roster.csv: what belongs to each student
# make grade      A=a1: collects, grades, writes feedback and points
#
# PYTHON is the interpreter that makes .venv. PIP_FLAGS is added to each pip call; README shows a use.

PYTHON ?= python3
PIP_FLAGS ?=
BIN = .venv/bin
LESSONS = .venv/lessons
SITE = .venv/site
GRADING = .venv/grading
TESTING = .venv/testing

# The layers are small: more threads only compete with the second test process. On a busy machine a progress bar
# would be one more output.
QUIET = OMP_NUM_THREADS=1 TQDM_DISABLE=1

.PHONY: lab again test browser site publish notebooks bench zoo release layers grade

lab: $(LESSONS)
	$(BIN)/python -m convlab lab

again: $(LESSONS)
	$(BIN)/python -m convlab again "$(L)"

# loadfile: a notebook's cells share a kernel, so one process runs them all.
test: $(TESTING)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(QUIET) $(BIN)/pytest -n 2 --dist loadfile

# Chromium is the machine's: Debian's package, or any other Chromium or Chrome.
browser: $(TESTING) site
	$(QUIET) $(BIN)/pytest tests/browser

site: $(SITE)
	$(BIN)/sphinx-build -W --keep-going -q -d docs/_build/doctrees docs docs/_build/html

publish:
	$(PYTHON) docs/publish.py "$(REPO)"

# An unchanged notebook must give an unchanged file: no times, of the metadata only what a reader set, and what a
# cell prints as one text (the second pass), however it was cut on the way. What a cell measures differs in each run.
notebooks: $(TESTING)
	$(BIN)/ruff format notebooks
	$(QUIET) $(BIN)/jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False \
		--ExecutePreprocessor.timeout=120 \
		--ClearMetadataPreprocessor.enabled=True \
		--ClearMetadataPreprocessor.preserve_cell_metadata_mask="{'tags', 'jupyter'}" \
		--ClearMetadataPreprocessor.preserve_nb_metadata_mask="{'kernelspec', ('language_info', 'name')}" \
		notebooks/*.ipynb
	$(BIN)/jupyter nbconvert --to notebook --inplace --coalesce-streams notebooks/*.ipynb

# The peers have their own environment: the course needs one of them only. Leave the machine alone meanwhile.
bench:
	$(PYTHON) -m venv benchmarks/.venv
	benchmarks/.venv/bin/python -m pip install $(PIP_FLAGS) -r benchmarks/requirements.txt
	benchmarks/.venv/bin/python -m benchmarks.run

# A row that is there already is kept: remove a row, or name models in ZOO ("timm/resnet*"), to count them again.
zoo:
	$(PYTHON) -m venv benchmarks/.zoo-venv
	benchmarks/.zoo-venv/bin/python -m pip install $(PIP_FLAGS) -r benchmarks/zoo-requirements.txt
	benchmarks/.zoo-venv/bin/python -m benchmarks.zoo $(ZOO)

# nbgrader finds its own tools on the PATH. Learners need none of this.
GRADE = cd assignments && PATH="$(CURDIR)/$(BIN):$$PATH" python grade.py

release: $(GRADING)
	$(GRADE) --release

layers: $(GRADING)
	$(GRADE) $(A) --layers "$(abspath $(ROSTER))"

grade: $(GRADING)
	$(GRADE) $(A)

# Each stamp says that pip has installed its part. It is older than these two files when either has changed, and then
# pip runs again.
$(SITE): EXTRAS = site
$(GRADING): EXTRAS = lessons,grade
$(TESTING): EXTRAS = lessons,test,site,grade
$(SITE) $(GRADING) $(TESTING): $(LESSONS)
	$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

$(LESSONS): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("convlab needs Python 3.11 or later, and $(PYTHON) is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[lessons]'
	@touch $@
