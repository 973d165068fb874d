package extproc.request_test

# A request whose body we know as `inspection`, and none of it is shown.
unshown(inspection) := object.union(
	json.remove(with_body(null), ["parsed_body", "inspection"]),
	{"inspection": {"request": object.union({"path_flags": [], "query_flags": []}, inspection)}},
)

test_an_opaque_body_of_a_listed_media_type_is_allowed if {
	every media_type in ["image/png", "application/pdf"] {
		set() == codes(unshown({"state": "opaque", "media_type": media_type}))
	}
}

test_an_opaque_body_of_any_other_media_type_is_denied if {
	every media_type in ["", "application/octet-stream", "image/svg+xml", "multipart/form-data", "IMAGE/PNG"] {
		{"opaque_body"} == codes(unshown({"state": "opaque", "media_type": media_type}))
	}
}

test_an_opaque_body_is_denied_without_configuration if {
	{"opaque_body"} == codes(unshown({"state": "opaque", "media_type": "image/png"})) with data.extproc.config as null
}

test_an_opaque_body_without_a_media_type_is_denied if {
	{"opaque_body"} == codes(unshown({"state": "opaque"}))
}

test_no_body_is_allowed if {
	set() == codes(unshown({"state": "empty", "media_type": ""}))
}

test_a_complete_json_null_is_allowed if {
	set() == codes(with_body(null))
}

test_a_complete_text_body_is_allowed if {
	text := {"attributes": {"request": {"http": {"body": "hello"}}}}
	set() == codes(object.union(unshown({"state": "complete", "media_type": "text/plain"}), text))
}

test_a_complete_body_that_is_not_shown_is_denied if {
	{"uninspected_body"} == codes(unshown({"state": "complete", "media_type": "text/plain"}))
}

test_every_other_state_is_denied if {
	every state in [
		"over_limit", "undecodable", "malformed", "type_mismatch", "not_sent", "partial", "upgrade", "stream",
		"state_of_a_later_version", "", null,
	] {
		{"uninspected_body"} == codes(unshown({"state": state, "media_type": "application/json"}))
	}
}

test_a_state_passes_once_configuration_lists_it if {
	set() == codes(unshown({"state": "upgrade", "media_type": ""})) with data.extproc.config.passing_states as ["upgrade"]
}

test_a_missing_inspection_is_denied if {
	{"uninspected_body", "ambiguous_path", "ambiguous_query"} == codes(json.remove(with_body({}), ["inspection"]))
}
