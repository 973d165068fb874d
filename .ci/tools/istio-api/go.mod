// Istio's API at its pinned version: its custom resource definitions are what manifests are held against.
module extproc/ci/istio-api

go 1.26

require istio.io/api v1.31.4
