package extproc.request

# METADATA
# title: Ambiguous form
# description: |
#   A file of a multipart form that declares no content type. Formidable reads it as a field, whatever its file name,
#   and no policy has seen its text. It passes only where "untyped_file" is in
#   data.extproc.config.passing_form_problems.
# custom:
#   owasp: API8:2023
findings contains {
	"code": "ambiguous_form",
	"message": "a file of the form has no content type",
	"rule": "extproc.request.form",
	"severity": "high",
} if {
	_untyped_file
	not _passing_untyped_file
}

_untyped_file if {
	input.inspection.request.media_type == "multipart/form-data"
	some values in input.parsed_body
	some file in values
	file.content_type == ""
	file.size > 0
}

# A rule of its own: `not x in list` is undefined, so finds nothing, where the list is undefined.
_passing_untyped_file if "untyped_file" in data.extproc.config.passing_form_problems
