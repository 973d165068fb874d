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

test_escapes_of_another_parser_are_undone_beside_the_string if {
	every escaped in [`\u0027 OR`, `\U0027 OR`, `\u{27} OR`, `\u{00027} OR`, `\u0027 \u004f\u0052`, `\u0027\u0020OR`] {
		text := content.request_text with input as {"parsed_body": [{"query": escaped}]}
		{part | some part in split(text, "\u001f")} == {"query", lower(escaped), "' or"}
	}
	content.request_text == `\users` with input as {"parsed_body": `\users`}
}

test_the_strings_of_a_graphql_document_are_read if {
	content.request_text == "evil" with input as {"graphql": {"literals": ["EVIL"]}}
}

test_the_response_text_holds_strings_names_and_long_numbers if {
	text := content.response_text with input as {
		"attributes": {"response": {"http": {"body": "Text", "trailers": {"x": "Last"}}}},
		"parsed_response_body": {"Name": "One", "card": 4111111111111111, "debit": -5555555555554444, "short": 42},
	}
	{part | some part in split(text, "\u001f")} == {
		"Text", "Name", "One", "card", "4111111111111111", "debit", "5555555555554444",
		"short", "x", "Last",
	}
}
