# METADATA
# description: Allows whatever it is asked about, and tells the client what it saw.
package extproc.response

decision := {"allowed": true, "headers": {"x-set-seen": base64.encode(json.marshal(seen))}}

# A list of one where there is something, of none where there is nothing.
seen := {
	"state": input.inspection.response.state,
	"parsed": [value | value := input.parsed_response_body],
	"text": [value | value := input.attributes.response.http.body],
	"raw": [value | value := input.attributes.response.http.raw_body],
}
