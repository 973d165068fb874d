package extproc.request

# METADATA
# title: Ambiguous path
# description: |
#   A path that the upstream may read in another way than this policy: with an encoded slash, a path parameter, a second
#   layer of escapes and the like. It passes only where each of its flags is in data.extproc.config.passing_path_flags.
#   Flags that are missing are a denial too.
# custom:
#   owasp: API8:2023
findings contains {
	"code": "ambiguous_path",
	"message": "the path can be read in more than one way",
	"rule": "extproc.request.request_line",
	"severity": "high",
} if {
	not _plain_path
}

# METADATA
# title: Ambiguous query
# description: |
#   The same for the query, with data.extproc.config.passing_query_flags. A name that comes twice passes by default, for
#   a list is written so; what needs a single value asks for `count(input.parsed_query.x) == 1`.
# custom:
#   owasp: API8:2023
findings contains {
	"code": "ambiguous_query",
	"message": "the query can be read in more than one way",
	"rule": "extproc.request.request_line",
	"severity": "high",
} if {
	not _plain_query
}

_plain_path if {
	every flag in input.inspection.request.path_flags {
		flag in data.extproc.config.passing_path_flags
	}
}

_plain_query if {
	every flag in input.inspection.request.query_flags {
		flag in data.extproc.config.passing_query_flags
	}
}
