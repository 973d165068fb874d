# METADATA
# description: What a row of the table wants to be decided, read from the request's own headers.
package extproc.script

headers := input.attributes.request.http.headers

# METADATA
# description: The decision that the row wrote down for this point.
wanted(point) := json.unmarshal(headers[concat("-", ["x-decide", point])])

# METADATA
# description: A denial that shows the client a part of the input, so that a row can say what the policy saw.
echo(point) := {"allowed": false, "http_status": 418, "body": json.marshal(object.get(input, path, "absent"))} if {
	path := json.unmarshal(headers[concat("-", ["x-echo", point])])
}

# METADATA
# description: A way to make the evaluation itself fail, or never end.
trouble(point, name) if headers[concat("-", ["x-trouble", point])] == name

# METADATA
# description: The row has said something about this point.
scripted(point) if {
	some name in ["x-decide", "x-echo", "x-trouble"]
	headers[concat("-", [name, point])]
}
