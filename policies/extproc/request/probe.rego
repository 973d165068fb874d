package extproc.request

# METADATA
# title: Probe of the gateway
# description: |
#   Denies a request with the header `extproc-probe: deny`, on any route. `extproc doctor --probe` sends it to a running
#   gateway to see that denials arrive. Whoever else sends it is denied, and nobody beside him.
findings contains {
	"code": "gateway_probe",
	"message": "a probe of the gateway",
	"rule": "extproc.request.probe",
	"severity": "low",
} if {
	input.attributes.request.http.headers["extproc-probe"] == "deny"
}
