# The two commands of the README: make demo, make test.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest
# uv installs what is locked in a sixth of the time that pip takes. Where it cannot, as with a mirror
# that only pip's own files name, pip does.
WITH_UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes
WITH_PIP := $(PIP) install --no-deps --require-hashes
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
# Groups of tests in the order of tests/conftest.py, the dearest first. One worker more than CI has
# cores: there is always one that waits for a server or for Spark.
WORKERS := -n 3 --dist loadgroup --no-loadscope-reorder --durations 15 --durations-min 5

# Whose branches `make coverage` counts: the modules that every row passes.
WALK := features labels timeline metrics gate sinks transactions validation snapshots partitions \
	training scoring customer_rows scored delivering every_row pipeline

# And which tests of whole walks are counted: those that real databases, stores and workers take part
# in, and the faults that come to the process that is counted. Those on Spark are a run of their own,
# since in `make test` the dearest of them wait for `make test-long`.
WALKED := $(patsubst %,tests/integration/test_%.py,bad_inputs distributed_training monitor nights \
	portfolio promotion registry special_walks) \
	$(patsubst %,tests/faults/test_%.py,clock http_delivery_kill salesforce_kill training_kill) \
	$(wildcard tests/faults/test_delivery_*.py tests/integration/test_delivery_*.py)
WALKED_ON_SPARK := tests/parity/test_figures.py tests/parity/test_scoring.py
COUNTED = $(WALK:%=--cov=portfolio_ml.%) --cov-branch

# What a test's processes import is compiled once, and threads that wait do not spin.
export PYTHONDONTWRITEBYTECODE :=
export OMP_WAIT_POLICY := PASSIVE

.PHONY: demo test test-long test-monitor test-portfolio test-faults test-airflow coverage fuzz lint style install \
	install-dev unit walk \
	docs docs-pages docs-pictures schema docs-features docs-reasons docs-tables docs-portfolio \
	docs-config docs-commands docs-exit-codes docs-inputs docs-exports docs-metrics \
	mutants flaky test-costs \
	bench-features bench-models bench-ablations bench-score bench-figures bench-scale bench-sampling \
	lock sbom audit clean help

demo: install ## the whole walk on real data, into demo/
	$(BIN)/portfolio-ml demo cdnow --dir demo

test: install-dev style ## everything that CI checks; mypy beside the first tests, told at the end
	@mkdir -p .mypy_cache; $(BIN)/mypy >.mypy_cache/told 2>&1 & types=$$!; \
	$(PYTEST) $(WORKERS) -m "not campaign and not airflow"; tests=$$?; \
	wait $$types; typed=$$?; cat .mypy_cache/told; test $$tests -eq 0 && test $$typed -eq 0

lint: style ## format, style, types and architecture
	$(BIN)/mypy

style: install-dev ## the same without types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

unit: install-dev ## all tests but the whole walks
	$(PYTEST) $(WORKERS) -m "not integration and not campaign and not airflow"

walk: install-dev ## the whole walks, on real data
	$(PYTEST) $(WORKERS) -m integration

test-long: install-dev ## the properties on twenty times as many examples, the walks as shipped, what is dear
	$(PYTEST) $(WORKERS) -m "(property or integration or parity or faults or long) and not campaign" \
		--hypothesis-profile=long --timeout 7200

test-monitor: install-dev ## the monitor and the gate on twenty portfolios of each kind
	$(PYTEST) -n 2 tests/campaign/test_monitor.py --timeout 7200

test-portfolio: install-dev ## what the figures find of what is planted, and claim where nothing is, in thirty portfolios
	$(PYTEST) -n 0 tests/campaign/test_b2b_truth.py --timeout 7200

test-faults: install-dev ## commands killed, on full disks, at once, on jumping clocks; deliveries disturbed to every kind of target; and docs/reference/hardening.md anew
	$(PYTEST) -n 2 -m campaign --deselect tests/campaign/test_monitor.py \
		--deselect tests/campaign/test_b2b_truth.py --timeout 14400
	PORTFOLIO_ML_KILLS=30 $(PYTEST) -n 2 -m "faults and not campaign" -k kill --timeout 14400
	$(BIN)/python -m tests.faults_seen

coverage: install-dev ## which branches of the walk the tests take, and docs/reference/hardening.md anew
	$(PYTEST) $(WORKERS) --no-header -q tests/unit tests/property tests/oracle $(WALKED) -m "not campaign" \
		$(COUNTED) --cov-report=
	$(PYTEST) -n 0 --no-header -q $(WALKED_ON_SPARK) --hypothesis-profile=long \
		$(COUNTED) --cov-append --cov-report=json:build/coverage.json
	$(BIN)/python -m tests.covered_branches build/coverage.json --write

FUZZ_SECONDS ?= 600
FUZZ ?= --seconds $(FUZZ_SECONDS)
fuzz: install-dev ## configs, CSV, Parquet and model files mutated for FUZZ_SECONDS (600), and docs/reference/hardening.md anew
	$(BIN)/python -m tests.fuzz $(FUZZ) --write

mutants: install-dev ## small faults put into the package, a sample of each part: the tests must notice
	$(BIN)/python -m tests.mutants $(MUTANTS)

flaky: install-dev ## ten runs in ten orders, and the tests that did not agree with themselves
	$(BIN)/python -m tests.flaky $(FLAKY)

COSTS ?= -m "not campaign and not airflow"
test-costs: install-dev ## all tests once more, and what they cost: CPU seconds by level and by file
	$(PYTEST) $(WORKERS) -m "not campaign and not airflow" -p tests.costs -q --no-header $(COSTS)

test-airflow: install-dev $(VENV)-airflow/.made ## the DAG of docs/how-to/operations under the real Airflow
	$(PYTEST) -m airflow

install: $(VENV)/.run ## the environment that runs the package

install-dev: $(VENV)/.dev ## the environment that checks it

$(VENV)/.run: requirements/installer.txt requirements/run.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(WITH_PIP) -r requirements/installer.txt
	$(WITH_UV) -r requirements/run.txt || $(WITH_PIP) -r requirements/run.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	$(WITH_UV) -r requirements/dev.txt || $(WITH_PIP) -r requirements/dev.txt
	touch $@

$(VENV)-airflow/.made:
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)-airflow
	$(BIN)/uv pip install --quiet --python $(VENV)-airflow/bin/python "apache-airflow>=3.3,<4"
	touch $@

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

lock: install-dev ## resolve the dependencies anew
	$(LOCK) --upgrade pyproject.toml --extra crm --extra demo --extra postgres --group build \
		-o requirements/run.txt
	$(LOCK) pyproject.toml --extra dev --group build -c requirements/run.txt -o requirements/dev.txt
	echo uv | $(LOCK) - -c requirements/dev.txt -o requirements/installer.txt

sbom: install ## the bill of materials of what runs, dist/portfolio-ml.cdx.json (CycloneDX 1.6)
	mkdir -p dist
	$(BIN)/python requirements/bill_of_materials.py > dist/portfolio-ml.cdx.json

audit: install-dev ## known vulnerabilities of what is locked; says so where the advisories cannot be reached
	$(BIN)/python requirements/audit.py $(VENV)-audit

docs: install-dev ## the site of the documents, into docs/_build/html
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky --builder html docs docs/_build/html

schema: install ## what editors know of a config, docs/reference/config.schema.json
	$(BIN)/python -c "from portfolio_ml import config; print(config.json_schema(), end='')" \
		> docs/reference/config.schema.json

bench-features: install-dev ## the feature table beside SQL, Polars and pandas, on 20 million lines
	$(BIN)/python -m benchmarks.features

bench-models: install-dev ## the models beside others on real data, and docs/reference/benchmarks.md anew
	$(BIN)/python -m benchmarks.models --costs

bench-ablations: install-dev ## what the models' choices are worth, and docs/reference/ablations.md anew
	$(BIN)/python -m benchmarks.ablations

bench-score: install-dev ## a night's work on a million customers beside the plain way, and docs/reference/scoring.md anew
	$(BIN)/python -m benchmarks.score

bench-scale: install-dev ## 5 to 100 million lines on one machine, resumable, and docs/reference/scale.md anew
	$(BIN)/python -m benchmarks.scale

bench-sampling: install-dev ## what drawing customers costs in quality, and docs/reference/sampling.md anew
	$(BIN)/python -m benchmarks.sampling

bench-figures: install-dev ## the portfolio's figures beside the feature table, and docs/reference/figures_cost.md anew
	$(BIN)/python -m benchmarks.figures

docs-pages: schema docs-features docs-reasons docs-tables docs-portfolio ## all pages that are made from the code
docs-pages: docs-config docs-commands docs-exit-codes docs-inputs docs-exports docs-metrics

docs-pictures: install-dev ## the README's pictures anew, of a simulated portfolio; needs Chromium
	$(BIN)/portfolio-ml demo b2b --dir demo-b2b
	$(BIN)/python docs/pictures/draw.py demo-b2b

docs-config: install ## the keys of the config anew, docs/reference/config.md
	$(BIN)/python -c "from portfolio_ml.config import page; print(page.markdown(), end='')" \
		> docs/reference/config.md

docs-commands: install ## the commands anew, docs/reference/commands.md
	$(BIN)/python -c "from portfolio_ml.cli import page; print(page.commands(), end='')" \
		> docs/reference/commands.md

docs-exit-codes: install ## the exit codes anew, docs/reference/exit_codes.md
	$(BIN)/python -c "from portfolio_ml.cli import page; print(page.exit_codes(), end='')" \
		> docs/reference/exit_codes.md

docs-inputs: install ## the input tables anew, docs/reference/input_tables.md
	$(BIN)/python -c "from portfolio_ml.schema import page; print(page.markdown(), end='')" \
		> docs/reference/input_tables.md

docs-exports: install ## the tables that commands write into files anew, docs/reference/exported_tables.md
	$(BIN)/python -c "from portfolio_ml.schema import page; print(page.exports(), end='')" \
		> docs/reference/exported_tables.md

docs-metrics: install ## the metrics anew, docs/reference/metrics.md
	$(BIN)/python -c "from portfolio_ml.metrics import page; print(page.markdown(), end='')" \
		> docs/reference/metrics.md

docs-features: install ## the catalogue of features anew, docs/reference/features.md
	$(BIN)/python -c "from portfolio_ml.features import page; print(page.markdown(), end='')" \
		> docs/reference/features.md

docs-tables: install ## the delivered tables anew, docs/reference/tables.md
	$(BIN)/python -c "from portfolio_ml.sinks import page; print(page.markdown(), end='')" \
		> docs/reference/tables.md

docs-portfolio: install ## the portfolio's figures anew, docs/reference/portfolio.md
	$(BIN)/python -c "from portfolio_ml.portfolio import page; print(page.markdown(), end='')" \
		> docs/reference/portfolio.md

docs-reasons: install ## the churn reasons anew, docs/reference/reasons.md
	$(BIN)/python -c "from portfolio_ml.models.reasons import page; print(page.markdown(), end='')" \
		> docs/reference/reasons.md

clean: ## remove what can be made again
	rm -rf $(VENV) $(VENV)-airflow $(VENV)-audit demo dist build docs/_build docs/notebooks .pytest_cache .mypy_cache .ruff_cache .hypothesis

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort
