package bench.walk

# Every string of the body, by two expressions: what a look into the whole body costs.
decision := {"allowed": count(_hits) == 0}

_strings := {string | walk(input.parsed_body, [_, string]); is_string(string)}

_hits contains string if {
	some string in _strings
	some pattern in [`(?i)union\s+select`, `(?i)<script\b`]
	regex.match(pattern, string)
}
