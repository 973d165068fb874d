package extproc.request_test

# A harmless request whose path and query have these flags.
flagged(path_flags, query_flags) := object.union(
	with_body({}),
	{"inspection": {"request": {"path_flags": path_flags, "query_flags": query_flags}}},
)

test_every_ambiguity_of_a_path_is_denied if {
	every flag in [
		"backslash", "bad_escape", "control_character", "dot_segment", "double_encoding", "empty_segment",
		"encoded_slash", "fragment", "not_ascii", "not_origin_form", "not_utf8", "path_parameter", "flag_of_a_later_version",
	] {
		{"ambiguous_path"} == codes(flagged(["encoded_delimiter", flag], []))
	}
}

test_every_ambiguity_of_a_query_is_denied if {
	every flag in [
		"bad_escape", "control_character", "fragment", "not_ascii", "not_utf8", "semicolon", "flag_of_a_later_version",
	] {
		{"ambiguous_query"} == codes(flagged([], ["repeated_name", flag]))
	}
}

test_what_configuration_lists_passes if {
	set() == codes(flagged(["encoded_delimiter"], ["double_encoding", "repeated_name"]))
	set() == codes(flagged(["path_parameter"], [])) with data.extproc.config.passing_path_flags as ["path_parameter"]
	set() == codes(flagged([], ["semicolon"])) with data.extproc.config.passing_query_flags as ["semicolon"]
}

test_no_flag_passes_without_configuration if {
	both := flagged(["encoded_delimiter"], ["repeated_name"])
	{"ambiguous_path", "ambiguous_query", "uninspected_body"} == codes(both) with data.extproc.config as null
}

test_missing_flags_are_denied if {
	{"ambiguous_path", "ambiguous_query"} == codes(object.union(
		json.remove(with_body({}), ["inspection"]),
		{"inspection": {"request": {"state": "complete", "media_type": "application/json"}}},
	))
}

test_flags_that_are_no_list_are_denied if {
	{"ambiguous_path", "ambiguous_query"} == codes(flagged("", null))
}
