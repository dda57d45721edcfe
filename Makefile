# One entry for everything: `make` lists the targets. Each works alone and creates what it needs inside the checkout.
#
# The tools that want a collection to lie under ansible_collections/ run in COPY, which `build` refreshes.
# Edit the checkout, never the copy.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help venv build package format docs lint mypy sanity unit unit-matrix integration molecule test demo bench bench-quay bench-sets bench-catalog clean \
	packages-lint packages-test

VENV := $(CURDIR)/.venv
BUILD := $(CURDIR)/.build
COPY := $(BUILD)/ansible_collections/quayside/airgap
TOOLS := $(CURDIR)/tests/tools

# What is added to the command of pytest, the demo or the benchmark: make unit ARGS="-k http"
ARGS ?=
# One worker more than processors, for tests that wait for servers; work is stolen, for the long tests are the last
PYTEST := python -m pytest -q -n $(shell expr $$(nproc) + 1) --dist worksteal

export PATH := $(VENV)/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(BUILD)
export HYPOTHESIS_STORAGE_DIRECTORY := $(BUILD)/hypothesis

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' Makefile

# PYTHON chooses another Python than the newest at hand: make test PYTHON=python3.11
venv: ## Create .venv with the toolchain
	@"$(TOOLS)/make-venv" "$${PYTHON:-best}" .venv -r tests/requirements.txt

build: venv ## Lay the collection out under .build, as Ansible wants it
	@python "$(TOOLS)/lay_out.py" . "$(COPY)"

package: build ## Build the tarball into .build/dist
	cd "$(COPY)" && ansible-galaxy collection build --force --output-path "$(BUILD)/dist"

format: venv ## Format the Python files and apply the safe fixes
	ruff check --quiet --fix --exit-zero .
	ruff format .

docs: build ## Write the parts of the documentation that come from the code
	PYTHONPATH="$(BUILD)" python "$(COPY)/tests/tools/quay_document.py" docs

lint: build packages-lint ## Run the linters
	ruff check --output-format concise .
	ruff format --check .
	yamllint --strict .
	cd "$(COPY)" && ansible-lint
	cd "$(COPY)" && antsibull-changelog lint
	cd "$(COPY)" && antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=self --disallow-unknown-collection-refs .
	if type -P shellcheck >/dev/null; then grep -rlE '^#!.*\bbash$$' .ci tests | xargs shellcheck; fi

mypy: build ## Check the types of module_utils
	cd "$(BUILD)" && mypy --config-file "$(COPY)/pyproject.toml" -p ansible_collections.quayside.airgap.plugins.module_utils

sanity: build packages-lint ## Run ansible-test sanity on all Pythons at hand
	cd "$(COPY)" && "$(TOOLS)/sanity"

unit: build ## Run the unit tests
	cd "$(COPY)" && $(PYTEST) tests/unit $(ARGS)

unit-matrix: build packages-test ## Run the tests of the plugins on the other Pythons and ansible-core versions
	"$(TOOLS)/unit-matrix" "$(COPY)"

integration: build packages-test ## Run the integration tests: playbooks against real registries
	cd "$(COPY)" && $(PYTEST) tests/integration $(ARGS)

molecule: build packages-test ## Run the molecule scenarios of the roles
	cd "$(COPY)" && molecule test --all --no-command-borders

# Two at once: the linters and molecule keep one processor busy, the tests on other Pythons wait for servers and processes often.
# The pytest suites come last, so that the output ends with pytest's summary.
test: build packages-lint packages-test ## Run everything: lint to molecule, then the unit and integration tests
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target unit-matrix lint mypy sanity molecule
	cd "$(COPY)" && $(PYTEST) tests/unit tests/integration

demo: build packages-test ## Fill a registry, mirror it, mirror it again, then an image set by disk and the offline catalog
	cd "$(COPY)" && PYTHONPATH="$(BUILD)" python tests/demo/run.py $(ARGS)

bench: build packages-test ## Measure the copy engine against its peers
	cd "$(COPY)" && PYTHONPATH="$(BUILD)" python tests/benchmark/run.py $(ARGS)

bench-quay: build ## Measure quay_state beside one task for each object
	cd "$(COPY)" && PYTHONPATH="$(BUILD)" python tests/benchmark/quay.py $(ARGS)

bench-sets: build packages-test ## Measure image sets and a large catalog of operators
	cd "$(COPY)" && PYTHONPATH="$(BUILD)" python tests/benchmark/sets.py $(ARGS)

bench-catalog: build ## Measure dumps of certified artifacts
	cd "$(COPY)" && PYTHONPATH="$(BUILD)" python tests/benchmark/certified.py $(ARGS)

clean: ## Delete everything that make created
	rm -rf .build .venv .venv.lock .venv-matrix .ruff_cache .ansible

packages-lint:
	@"$(TOOLS)/debian-packages" "the lint of shell scripts" shellcheck

packages-test:
	@"$(TOOLS)/debian-packages" "what runs against a real registry" docker-registry skopeo podman
