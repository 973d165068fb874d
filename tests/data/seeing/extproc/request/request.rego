# METADATA
# description: Allows whatever it is asked about, and tells the upstream what it saw.
package extproc.request

decision := {"allowed": true, "headers": {"x-set-seen": shown}} if not trailers

# Headers cannot be changed any more once trailers have come.
decision := {"allowed": true} if trailers

trailers if input.attributes.request.http.trailers

shown := whole if count(whole) <= 16000

# Too long for a header: the digest of the text.
shown := concat(":", ["sha256", crypto.sha256(text)]) if count(whole) > 16000

whole := base64.encode(text)

text := json.marshal(seen)

# A list of one where there is something, of none where there is nothing.
seen := {
	"state": input.inspection.request.state,
	"parsed": [value | value := input.parsed_body],
	"text": [value | value := input.attributes.request.http.body],
	"raw": [value | value := input.attributes.request.http.raw_body],
	"target": input.attributes.request.http.path,
	"path": input.parsed_path,
	"query": input.parsed_query,
	"flags": array.concat(input.inspection.request.path_flags, input.inspection.request.query_flags),
	"headers": object.remove(input.attributes.request.http.header_values, changing),
}

# Another one each time that the same request is sent.
changing := {"x-case", "traceparent", "x-request-id"}
