package extproc.request_test

# A harmless request with this value of the probe's header.
probing(value) := object.union(
	with_body({}),
	{"attributes": {"request": {"http": {"headers": {"extproc-probe": value}}}}},
)

test_a_probe_is_denied if {
	{"gateway_probe"} == codes(probing("deny"))
}

test_any_other_value_is_no_probe if {
	every value in ["", "allow", "Deny", "deny,deny"] {
		set() == codes(probing(value))
	}
}
