package extproc.request_test

# A harmless request that is lifted as these messages, one after the other.
with_messages(messages) := object.union(with_body({}), {"jsonrpc": messages})

with_graphql(operation) := object.union(with_body({}), {"graphql": operation})

call := {"id": 1, "method": "tools/call", "tool": "search", "arguments": {}}

test_messages_that_keep_the_protocol_are_allowed if {
	set() == codes(with_messages([call, {"method": "ping"}]))
}

test_every_problem_of_a_message_is_denied_anywhere_in_a_batch if {
	every problem in [
		"duplicate_id", "id", "member_case", "method", "no_object", "params", "tool", "version", "problem_of_a_later_version",
	] {
		{"ambiguous_jsonrpc"} == codes(with_messages([call, {"method": "a", "problem": problem}, call]))
	}
}

test_a_problem_that_configuration_lists_passes_and_no_other if {
	listed := ["version"]
	old := {"method": "a", "problem": "version"}
	set() == codes(with_messages([old])) with data.extproc.config.passing_jsonrpc_problems as listed
	both := with_messages([old, {"problem": "no_object"}])
	{"ambiguous_jsonrpc"} == codes(both) with data.extproc.config.passing_jsonrpc_problems as listed
}

test_what_is_declared_as_json_rpc_has_to_be_lifted if {
	declared := {"inspection": {"request": {"media_type": "application/json-rpc"}}}
	{"ambiguous_jsonrpc"} == codes(object.union(with_body({"JSONRPC": "2.0"}), declared))
	{"ambiguous_jsonrpc"} == codes(object.union(with_body([]), declared))
	set() == codes(object.union(with_messages([call]), declared))
	set() == codes(unshown({"state": "empty", "media_type": "application/json-rpc"}))
}

test_an_operation_that_is_read_is_allowed if {
	set() == codes(with_graphql({"operation": "query", "root_fields": ["orders"]}))
}

test_a_graphql_request_without_one_operation_is_denied if {
	every problem in ["operation", "fragment", "member_case", "url", "problem_of_a_later_version"] {
		{"ambiguous_graphql"} == codes(with_graphql({"problem": problem}))
	}
}

test_a_document_that_cannot_be_read_passes_until_configuration_says_otherwise if {
	set() == codes(with_graphql({"problem": "document"}))
	unread := with_graphql({"problem": "document"})
	{"ambiguous_graphql"} == codes(unread) with data.extproc.config.passing_graphql_problems as []
}

test_no_problem_passes_without_configuration if {
	message := with_messages([{"problem": "version"}])
	"ambiguous_jsonrpc" in codes(message) with data.extproc.config as null
	"ambiguous_graphql" in codes(with_graphql({"problem": "document"})) with data.extproc.config as null
}
