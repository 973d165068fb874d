package extproc.response

# METADATA
# title: Tenant mismatch
# description: |
#   A response that names, anywhere in its JSON, another tenant than its request: the header `x-tenant`, which the
#   gateway must set from a verified claim, else the member `tenant` of the request body. A request that names no tenant
#   is not held to one.
# custom:
#   cwe: CWE-639
#   owasp: API1:2023
findings contains {
	"code": "tenant_mismatch",
	"message": "the response belongs to another tenant",
	"rule": "extproc.response.tenant",
	"severity": "critical",
} if {
	is_string(_tenant)
	walk(input.parsed_response_body, [_, node])
	sprintf("%v", [node.tenant]) != _tenant
}

_tenant := input.attributes.request.http.headers["x-tenant"]

_tenant := _body_tenant if not input.attributes.request.http.headers["x-tenant"]

_body_tenant := sprintf("%v", [input.parsed_body.tenant]) if not is_array(input.parsed_body.tenant)

# A form has a list for each name.
_body_tenant := concat(",", input.parsed_body.tenant)
