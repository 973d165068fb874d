package extproc.response_test

# A response with `body` to a request that says `request_body` and nothing in its headers.
answer_to(request_body, body) := object.union(
	json.remove(with_body(body), ["attributes/request/http/headers/x-tenant"]),
	{"parsed_body": request_body},
)

test_the_own_tenant_may_be_named_anywhere if {
	set() == codes(with_body({"tenant": "acme", "items": [{"tenant": "acme"}]}))
}

test_another_tenant_is_a_mismatch_wherever_it_is_named if {
	every body in [
		{"tenant": "globex"},
		[{"tenant": "acme"}, {"tenant": "globex"}],
		{"a": {"b": {"tenant": "ACME"}}},
		{"tenant": 7},
		{"tenant": null},
	] {
		{"tenant_mismatch"} == codes(with_body(body))
	}
}

test_a_repeated_tenant_header_matches_no_tenant if {
	exchange := object.union(
		with_body({"tenant": "acme"}),
		{"attributes": {"request": {"http": {"headers": {"x-tenant": "acme,globex"}}}}},
	)
	{"tenant_mismatch"} == codes(exchange)
}

test_the_body_names_the_tenant_where_no_header_does if {
	every request_body in [{"tenant": "acme"}, {"tenant": ["acme"]}] {
		set() == codes(answer_to(request_body, {"tenant": "acme"}))
		{"tenant_mismatch"} == codes(answer_to(request_body, {"tenant": "globex"}))
	}
	set() == codes(answer_to({"tenant": 7}, {"tenant": 7}))
}

test_one_tenant_is_found_wherever_the_body_names_it if {
	every request_body in [
		{"filter": {"tenant": "acme"}},
		[{"tenant": "acme"}, {"tenant": "acme", "n": 1}],
		{"Tenant": "acme"},
		{"tenant": "acme", "items": [{"tenant": "globex"}]},
		{"name": "a", "attributes": {"tenant": "acme"}, "children": []},
		{"name": "{u}a", "attributes": {}, "children": [{"name": "{u}tenant", "attributes": {}, "children": ["acme"]}]},
	] {
		set() == codes(answer_to(request_body, {"tenant": "acme"}))
		{"tenant_mismatch"} == codes(answer_to(request_body, {"items": [{"tenant": "globex"}]}))
	}
}

test_a_tenant_that_cannot_be_told_is_not_taken_for_none if {
	every request_body in [
		{"tenant": ["acme", "globex"]},
		{"tenant": ["acme", {"filename": "x", "content_type": "", "size": 1, "sha256": ""}]},
		{"tenant": [{"id": "acme"}]},
		{"tenant": {"id": "acme"}},
		{"tenant": []},
		{"tenant": "acme", "TENANT": "globex"},
		[{"tenant": "acme"}, {"tenant": "globex"}],
		{"name": "tenant", "attributes": {}, "children": ["ac", {"name": "b", "attributes": {}, "children": []}, "me"]},
	] {
		{"unreadable_tenant"} == codes(answer_to(request_body, {"tenant": "acme"}))
		set() == codes(answer_to(request_body, {"name": "no tenant"}))
		exchange := object.union(with_body({"tenant": "acme"}), {"parsed_body": request_body})
		set() == codes(exchange)
	}
}

test_a_header_is_stronger_than_the_body if {
	exchange := object.union(with_body({"tenant": "globex"}), {"parsed_body": {"tenant": "globex"}})
	{"tenant_mismatch"} == codes(exchange)
}

test_names_of_other_letters_and_elements_are_found_deeper if {
	every request_body in [
		{"filter": [{"TENANT": "acme"}]},
		{"name": "a", "children": [{"name": "{u}Tenant", "attributes": {}, "children": ["acme"]}]},
	] {
		{"tenant_mismatch"} == codes(answer_to(request_body, {"tenant": "globex"}))
	}
}

test_a_request_without_a_tenant_is_held_to_none if {
	set() == codes(answer_to({"name": "x"}, {"tenant": "globex"}))
	set() == codes(answer_to([1], {"tenant": "globex"}))
}
