# METADATA
# description: The row's word, else a small policy that denies the word "leak" anywhere in a body.
package extproc.response

import data.extproc.script

decision := script.wanted("response")

decision := script.echo("response")

decision := {"allowed": true} if {
	not script.scripted("response")
	not leak
}

decision := {"allowed": false, "reasons": [{"code": "leak"}]} if {
	not script.scripted("response")
	leak
}

decision := {"allowed": number} if {
	script.trouble("response", "conflict")
	some number in [1, 2]
}

leak if {
	walk(input.parsed_response_body, [_, value])
	is_string(value)
	contains(value, "leak")
}

leak if contains(input.attributes.response.http.body, "leak")

leak if {
	some value in input.attributes.response.http.trailers
	contains(value, "leak")
}
