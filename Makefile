# What a person types: `make demo`, `make test`, `make install`. Each installs what it needs and skips what is there.
.DEFAULT_GOAL := help
.PHONY: help demo install test compiled-tests coverage fuzz attack test-packages lint style format benchmark constraints lock sbom audit release packages clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
TOOLS := .venv-tools
ARGS ?=
BUNDLE ?= default
# Most tests wait half of their time, for real servers and for sound: three workers share a core. Each takes up to 1 GB.
WORKERS := $(shell test "$$(nproc)" -ge 3 && echo 8 || echo $$((3 * $$(nproc))))
# With a new worker in the place of one that died, files of tests would wait for ever.
PYTEST = -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0 $(ARGS)
export PYTHON

help:
	@echo "make demo     run the demo: a recording tagged live, with the web page   (ARGS=\"--seconds 20 --no-dashboard\")"
	@echo "make install  set up .venv with everything: dashboard, training, tests"
	@echo "make benchmark YAMNET=yamnet.tflite [BUNDLE=fast]   speed, side by side with others"
	@echo "make test     lint, types, import layers and every test                  (ARGS=\"tests/audio -x\" for some)"
	@echo "make coverage which lines the tests run, here and in the processes that they start"
	@echo "make packages a release in dist/ and its images, built and tried"
	@echo "make lock     hashes of all pinned versions; make sbom, make audit: what they are, and what is known against them"
	@echo "make fuzz     damaged recordings against what decodes, for ten minutes          (ARGS=\"--seconds 60\")"
	@echo "make attack   the worst that strangers may try, beside honest streams and viewers      (ARGS=\"--seconds 60\")"

demo: $(STAMPS)/demo
	@echo "==> streamtag demo $(ARGS)"
	@exec $(BIN)/streamtag demo $(ARGS)

install: $(STAMPS)/install
	@echo "==> ready: $(BIN)/streamtag --help"

# What Python compiles is kept: tests start hundreds of processes, and each would compile the package anew. The tests
# themselves are compiled by one that collects them, and not by each worker.
test coverage: export PYTHONDONTWRITEBYTECODE :=

test: test-packages $(STAMPS)/install
	@command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || $(BIN)/python -m playwright install --with-deps chromium
	@$(MAKE) --no-print-directory --jobs=2 style compiled-tests
	@echo "==> tests, and types beside them"
	@$(BIN)/mypy > $(STAMPS)/types 2>&1 & types=$$!; \
	    $(BIN)/python $(PYTEST); tests=$$?; \
	    wait $$types; typed=$$?; echo "==> types"; cat $(STAMPS)/types; exit $$((tests | typed))

compiled-tests: $(STAMPS)/install
	@test -d tests/__pycache__ || $(BIN)/python -m pytest --collect-only >/dev/null

coverage: test-packages $(STAMPS)/install
	@rm -rf .coverage
	@$(BIN)/coverage run $(PYTEST)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

attack: $(STAMPS)/install
	@$(BIN)/python -m scripts.attack $(ARGS)

fuzz: test-packages $(STAMPS)/install
	@$(BIN)/python scripts/fuzz.py $(ARGS)

test-packages:
	@scripts/install-packages.sh test

lint: style
	@echo "==> types"
	@$(BIN)/mypy

style: $(STAMPS)/install
	@echo "==> lint, format, import layers, the JavaScript of page and examples"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/oxlint --deny-warnings --quiet

format: $(STAMPS)/install
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# In an environment of its own: what is compared with is nothing that the project needs.
benchmark:
	@test -f "$(YAMNET)" || { echo "say where the published yamnet.tflite is: make benchmark YAMNET=FILE" >&2; exit 2; }
	@scripts/make-venv.sh .venv-benchmark
	@.venv-benchmark/bin/python -m pip install --quiet --constraint constraints.txt torch==2.13.0
	@.venv-benchmark/bin/python -m pip install --quiet --constraint constraints.txt --editable ".[train,openvino]"
	@.venv-benchmark/bin/python -m pip install --quiet --requirement benchmarks/requirements.txt
	@.venv-benchmark/bin/python -m benchmarks.side_by_side --yamnet "$(YAMNET)" --bundle $(BUNDLE)

# The versions in the environment become those that everybody gets.
constraints: $(STAMPS)/install
	@$(BIN)/python -m pip install --quiet --no-input --editable ".[dashboard,openvino,tensorrt,train,dev]"
	@$(BIN)/python -m pip freeze | grep -E '^[A-Za-z0-9._-]+==' | sed 's/+cpu$$//' > constraints.txt
	@$(MAKE) --no-print-directory lock

# The hashes of every file of every pinned version, and of what those bring on other machines.
lock: $(TOOLS)/stamp
	@scripts/lock.sh $(TOOLS)
	@echo "==> requirements/ is written"

# What a release is made of, as CycloneDX.
sbom: $(TOOLS)/stamp
	@mkdir -p dist
	@scripts/sbom.sh $(TOOLS) dist/sbom.cdx.json

# Known vulnerabilities in any pinned version. Asks PyPI's JSON interface, which mirrors of it often lack.
audit: $(TOOLS)/stamp
	@for list in install tools; do echo "==> $$list"; \
	    $(TOOLS)/bin/pip-audit --strict --require-hashes --disable-pip --requirement requirements/$$list.txt || exit 1; done

# Wheel, source, bill of materials and their hashes in dist/, after the wheel was tried in an environment of its own.
release: $(TOOLS)/stamp
	@scripts/release.sh $(TOOLS)

# All of a release and its images, as far as this machine can build them; what it cannot is named.
packages: release $(STAMPS)/demo
	@scripts/packages.sh $(ARGS)

clean:
	rm -rf $(VENV) $(TOOLS) build dist .coverage .mypy_cache .pytest_cache .ruff_cache

$(STAMPS)/venv:
	@scripts/install-packages.sh run
	@scripts/make-venv.sh $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(TOOLS)/stamp: requirements/tools.txt
	@scripts/install-packages.sh run
	@scripts/make-venv.sh $(TOOLS)
	@$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes \
	    --requirement requirements/tools.txt
	@touch $@

# The demo alone needs no training and no tests: it is up much sooner.
$(STAMPS)/demo: $(STAMPS)/venv pyproject.toml requirements/demo.txt
	@echo "==> installing Streamtag and its dashboard (a minute or two the first time)"
	@scripts/install-locked.sh $(VENV) demo
	@touch $@

$(STAMPS)/install: $(STAMPS)/venv pyproject.toml requirements/install.txt requirements/torch.txt
	@echo "==> installing Streamtag with its dashboard, training and tests (several minutes the first time)"
	@scripts/install-locked.sh $(VENV) install
	@touch $@ $(STAMPS)/demo
