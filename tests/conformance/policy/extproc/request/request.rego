# METADATA
# description: The row's word, else a small policy that denies the word "attack" anywhere in a body.
package extproc.request

import data.extproc.script

decision := script.wanted("request")

decision := script.echo("request")

decision := {"allowed": true} if {
	not script.scripted("request")
	not attack
}

decision := {"allowed": false, "reasons": [{"code": "attack"}]} if {
	not script.scripted("request")
	attack
}

# Two answers at once are an error of the evaluation.
decision := {"allowed": number} if {
	script.trouble("request", "conflict")
	some number in [1, 2]
}

# This ends at the deadline and not before.
decision := {"allowed": true} if {
	script.trouble("request", "loop")
	count([1 | some _ in numbers.range(1, 20000); some _ in numbers.range(1, 20000)]) > 0
}

attack if {
	walk(input.parsed_body, [_, value])
	is_string(value)
	contains(value, "attack")
}

attack if contains(input.attributes.request.http.body, "attack")
