package extproc.request

# METADATA
# title: Ambiguous JSON-RPC
# description: |
#   A message that breaks JSON-RPC 2.0, or that servers may take for another one, passes only where its problem is in
#   data.extproc.config.passing_jsonrpc_problems. So that no body escapes by not being lifted, one that is declared as
#   application/json-rpc has to be.
# custom:
#   owasp: API8:2023
findings contains {
	"code": "ambiguous_jsonrpc",
	"message": "the JSON-RPC request can be read in more than one way",
	"rule": "extproc.request.protocol",
	"severity": "high",
} if {
	_ambiguous_jsonrpc
}

# METADATA
# title: Ambiguous GraphQL
# description: |
#   The same for a GraphQL request, with data.extproc.config.passing_graphql_problems. By default `document` passes:
#   a text for a search may begin as a GraphQL document does. Where there are GraphQL servers, give an empty list.
# custom:
#   owasp: API8:2023
findings contains {
	"code": "ambiguous_graphql",
	"message": "the GraphQL request names no one operation",
	"rule": "extproc.request.protocol",
	"severity": "high",
} if {
	input.graphql.problem
	not _passing_graphql
}

_ambiguous_jsonrpc if {
	some message in input.jsonrpc
	message.problem
	not _passing_message(message)
}

_ambiguous_jsonrpc if {
	input.inspection.request.media_type == "application/json-rpc"
	input.inspection.request.state == "complete"
	not input.jsonrpc
}

# Rules of their own: `not x in list` is undefined, so finds nothing, where the list is undefined.
_passing_message(message) if message.problem in data.extproc.config.passing_jsonrpc_problems

_passing_graphql if input.graphql.problem in data.extproc.config.passing_graphql_problems
