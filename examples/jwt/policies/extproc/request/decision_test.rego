package extproc.request_test

import data.extproc.request

call(method, payload) := {"attributes": {
	"request": {"http": {"method": method}},
	"metadataContext": {"filterMetadata": {"envoy.filters.http.jwt_authn": payload}},
}}

test_no_token_is_asked_for_one if {
	decision := request.decision with input as call("GET", {})
	decision.http_status == 401
	decision.headers == {"www-authenticate": "Bearer realm=\"shop\""}
}

test_a_role_of_the_token_permits if {
	request.decision == {"allowed": true} with input as call("GET", {"payload": {"sub": "ada", "roles": ["teller"]}})
}

test_a_role_permits_no_more_than_it_says if {
	decision := request.decision with input as call("POST", {"payload": {"sub": "ada", "roles": ["teller"]}})
	decision == {"allowed": false, "reasons": [{"code": "forbidden", "message": "Not permitted"}]}
}

test_the_shop_gives_a_role_itself if {
	request.decision == {"allowed": true} with input as call("POST", {"payload": {"sub": "grace"}})
}

test_a_subject_without_a_role_may_do_nothing if {
	decision := request.decision with input as call("GET", {"payload": {"sub": "mallory", "roles": "manager"}})
	decision.reasons[0].code == "forbidden"
}
