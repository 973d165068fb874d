# METADATA
# title: Content
# description: |
#   What there is to read in an exchange, collected once and shared by every rule: each string and each member name of
#   the parsed parts, and what stands outside them, separated by U+001F. A pattern that matches across two of them
#   denies too much, never too little.
# scope: package
package extproc.content

# METADATA
# title: Text of the request
# description: |
#   The parsed body and query, the path decoded and raw, a text body, the strings of a GraphQL document and the
#   trailers; all in lower case. Where there are escapes such as \u0027 in it, all of it is there a second time without
#   them: another parser may follow, of JSON in a string or of GraphQL that was not lifted.
request_text := concat("\u001f", {_request_text, _unescaped})

# METADATA
# title: Text of the response
# description: The parsed body with its numbers of 13 to 19 digits (signs left out), a text body and the trailers.
response_text := concat("\u001f", _response_parts)

_request_text := lower(concat("\u001f", _request_parts))

_unescaped := _request_text if not contains(_request_text, `\u`)

_unescaped := strings.replace_n(
	{sprintf("\\u%04x", [code]): lower(sprintf("%c", [code])) | some code in numbers.range(9, 126)},
	regex.replace(_request_text, `\\u\{0*([0-9a-f]{2})\}`, `\u00$1`),
) if {
	contains(_request_text, `\u`)
}

_request_parts contains string if {
	walk(_request, [_, string])
	is_string(string)
}

_request_parts contains name if {
	walk(_request, [_, node])
	is_object(node)
	some name, _ in node
}

# `object.get` with a default, for an absent part must not make the whole undefined.
_request := [
	object.get(input, "parsed_body", null),
	object.get(input, "parsed_query", null),
	object.get(input, "parsed_path", null),
	object.get(input, ["attributes", "request", "http", "path"], null),
	object.get(input, ["attributes", "request", "http", "body"], null),
	object.get(input, ["graphql", "literals"], null),
	object.get(input, ["attributes", "request", "http", "trailers"], null),
]

_response_parts contains string if {
	walk(_response, [_, string])
	is_string(string)
}

_response_parts contains name if {
	walk(_response, [_, node])
	is_object(node)
	some name, _ in node
}

_response_parts contains digits if {
	walk(_response, [_, number])
	is_number(number)
	abs(number) >= 1000000000000
	abs(number) < 10000000000000000000
	digits := format_int(abs(number), 10)
}

_response := [
	object.get(input, "parsed_response_body", null),
	object.get(input, ["attributes", "response", "http", "body"], null),
	object.get(input, ["attributes", "response", "http", "trailers"], null),
]
