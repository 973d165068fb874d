package extproc.response_test

import data.extproc.response

# A JSON response to a request of tenant acme.
with_body(body) := {
	"phase": "response",
	"attributes": {
		"request": {"http": {"method": "GET", "path": "/orders", "headers": {"x-tenant": "acme"}}},
		"response": {"http": {"status": 200, "headers": {}}},
	},
	"parsed_response_body": body,
	"inspection": {
		"request": {"state": "empty", "media_type": ""},
		"response": {"state": "complete", "media_type": "application/json"},
	},
}

codes(exchange) := {finding.code | some finding in findings} if {
	findings := response.findings with input as exchange
}

test_a_harmless_response_is_allowed if {
	{"allowed": true} == response.decision with input as with_body({"id": 42, "tenant": "acme"})
}

test_a_denial_carries_its_reasons if {
	decision := response.decision with input as with_body({"tenant": "globex", "card": "4111111111111111"})
	decision == {
		"allowed": false,
		"reasons": [
			{
				"code": "card_number_leak",
				"message": "card number in the response",
				"rule": "extproc.response.card_number",
				"severity": "critical",
			},
			{
				"code": "tenant_mismatch",
				"message": "the response belongs to another tenant",
				"rule": "extproc.response.tenant",
				"severity": "critical",
			},
		],
	}
}

test_an_empty_input_is_denied if {
	response.decision.allowed == false with input as {}
}
