package extproc.content_test

import data.extproc.content

test_the_request_text_holds_strings_and_names_of_body_and_query_the_path_and_a_text_body if {
	text := content.request_text with input as {
		"attributes": {"request": {"http": {"path": "/A%20b?Q=1", "body": "Text", "trailers": {"x": "Last"}}}},
		"parsed_path": ["A b"],
		"parsed_query": {"Q": ["1"]},
		"parsed_body": {"Name": ["One", {"deep": "Two"}], "n": 3, "none": null},
	}
	{part | some part in split(text, "\u001f")} == {
		"/a%20b?q=1", "a b", "q", "1", "name", "one", "deep", "two", "n", "none", "text",
		"x", "last",
	}
}

test_an_absent_part_of_the_request_does_not_hide_the_others if {
	content.request_text == "evil" with input as {"parsed_body": "EVIL"}
}

test_the_response_text_holds_strings_names_and_long_numbers if {
	text := content.response_text with input as {
		"attributes": {"response": {"http": {"body": "Text", "trailers": {"x": "Last"}}}},
		"parsed_response_body": {"Name": "One", "card": 4111111111111111, "short": 42},
	}
	{part | some part in split(text, "\u001f")} == {
		"Text", "Name", "One", "card", "4111111111111111", "short", "x", "Last",
	}
}
