package bench.simple

# A few fields: what a decision costs besides its rules.
decision := {"allowed": allowed}

default allowed := false

allowed if {
	input.parsed_body.tenant in {"acme", "globex"}
	count(input.parsed_body.items) < 10000
	not input.parsed_body.role == "admin"
}
