# METADATA
# title: Headers policy
# description: Names what may pass unseen, by path and method. All else is inspected whole.
# scope: package
package extproc.headers

default decision := {"allowed": true}

# METADATA
# title: Headers decision
# description: The chat is a WebSocket, the events are server-sent.
# entrypoint: true
decision := {"allowed": true, "inspect": {"response_body": false}} if {
	input.attributes.request.http.method == "GET"
	input.parsed_path == ["events"]
}

decision := {"allowed": true, "inspect": {"request_body": false}} if {
	input.attributes.request.http.headers.upgrade == "websocket"
	input.parsed_path == ["chat"]
}
