package extproc.request_test

import data.extproc.request

# A request with a JSON body.
with_body(body) := {
	"phase": "request",
	"attributes": {"request": {"http": {"method": "POST", "path": "/orders", "headers": {}}}},
	"parsed_path": ["orders"],
	"parsed_query": {},
	"parsed_body": body,
	"inspection": {"request": {
		"state": "complete",
		"media_type": "application/json",
		"path_flags": [],
		"query_flags": [],
	}},
}

codes(exchange) := {finding.code | some finding in findings} if {
	findings := request.findings with input as exchange
}

test_a_harmless_request_is_allowed if {
	{"allowed": true} == request.decision with input as with_body({"note": "It's a gift; don't show the price"})
}

test_a_denial_carries_its_reason if {
	request.decision == {
		"allowed": false,
		"reasons": [{
			"code": "sql_injection",
			"message": "SQL injection in the request",
			"rule": "extproc.request.injection",
			"severity": "critical",
		}],
	} with input as with_body({"name": "' OR '1'='1"})
}

test_every_finding_is_a_reason if {
	decision := request.decision with input as with_body(["<script>", "' or 1=1 --"])
	{"sql_injection", "script_injection"} == {reason.code | some reason in decision.reasons}
}

test_an_empty_input_is_denied if {
	request.decision.allowed == false with input as {}
}
