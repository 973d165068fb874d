package extproc.response

# METADATA
# title: Opaque response body
# description: |
#   A whole body for which there is no parser passes only if its media type is listed, each by its full name, in
#   data.extproc.config.opaque_response_media_types.
# custom:
#   owasp: API8:2023
findings contains {
	"code": "opaque_body",
	"message": "the response body is not inspectable: its media type is not listed",
	"rule": "extproc.response.inspection",
	"severity": "medium",
} if {
	input.inspection.response.state == "opaque"
	not _listed
}

# METADATA
# title: Uninspected response body
# description: |
#   A state that is not in data.extproc.config.passing_states, an unknown one and a missing one included, is a denial:
#   that is also how states which the server is configured to `evaluate` are let in, by name.
# custom:
#   owasp: API8:2023
findings contains {
	"code": "uninspected_body",
	"message": "the response body could not be inspected",
	"rule": "extproc.response.inspection",
	"severity": "high",
} if {
	not _inspectable
}

# A rule of its own: `not x in list` is undefined, so finds nothing, where the list or `x` is undefined.
_listed if input.inspection.response.media_type in data.extproc.config.opaque_response_media_types

_inspectable if input.inspection.response.state == "opaque"

_inspectable if {
	input.inspection.response.state in data.extproc.config.passing_states
	_shown
}

# A body that is called complete must be here, else every rule over its content would be silent.
_shown if input.inspection.response.state != "complete"

_shown if is_string(input.attributes.response.http.body)

_shown if not is_null(object.get(input, "parsed_response_body", null))

_shown if is_null(input.parsed_response_body)
