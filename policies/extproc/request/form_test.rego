package extproc.request_test

with_file(content_type, size) := object.union(
	with_body({"a": [
		"1",
		{"filename": "b.txt", "content_type": content_type, "size": size, "sha256": ""},
	]}),
	{"inspection": {"request": {"media_type": "multipart/form-data"}}},
)

test_a_file_with_a_type_is_allowed if {
	set() == codes(with_file("text/plain", 1))
}

test_a_file_without_a_type_is_denied_unless_it_is_empty if {
	{"ambiguous_form"} == codes(with_file("", 1))
	set() == codes(with_file("", 0))
}

test_a_file_without_a_type_passes_where_configuration_says_so if {
	set() == codes(with_file("", 1)) with data.extproc.config.passing_form_problems as ["untyped_file"]
	{"ambiguous_form"} == codes(with_file("", 1)) with data.extproc.config.passing_form_problems as ["other"]
	"ambiguous_form" in codes(with_file("", 1)) with data.extproc.config as null
}

test_json_that_looks_like_a_form_is_no_form if {
	set() == codes(with_body({"a": [{"content_type": "", "size": 1}]}))
}
