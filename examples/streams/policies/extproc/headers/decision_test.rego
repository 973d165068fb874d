package extproc.headers_test

import data.extproc.headers

call(method, path, fields) := {
	"attributes": {"request": {"http": {"method": method, "headers": fields}}},
	"parsed_path": [path],
}

test_the_events_may_pass_unseen if {
	decision := headers.decision with input as call("GET", "events", {})
	decision == {"allowed": true, "inspect": {"response_body": false}}
}

test_the_chat_may_pass_unseen if {
	decision := headers.decision with input as call("GET", "chat", {"upgrade": "websocket"})
	decision == {"allowed": true, "inspect": {"request_body": false}}
}

test_another_path_or_method_is_inspected_whole if {
	every given in [
		call("GET", "prices", {}),
		call("POST", "events", {}),
		call("GET", "orders", {"upgrade": "websocket"}),
		call("GET", "chat", {"upgrade": "h2c"}),
	] {
		headers.decision == {"allowed": true} with input as given
	}
}
