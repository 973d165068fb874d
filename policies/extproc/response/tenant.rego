package extproc.response

# METADATA
# title: Tenant mismatch
# description: |
#   A response that names, anywhere in its JSON, another tenant than its request: the header `x-tenant`, which the
#   gateway must set from a verified claim, else the member `tenant` of the request body, else the one tenant that is
#   named deeper in it. A request that names no tenant is not held to one.
# custom:
#   cwe: CWE-639
#   owasp: API1:2023
findings contains {
	"code": "tenant_mismatch",
	"message": "the response belongs to another tenant",
	"rule": "extproc.response.tenant",
	"severity": "critical",
} if {
	# Most responses name none, and then nobody looks for that of a large request.
	count(_response_tenants) > 0
	is_string(_tenant)
	some tenant in _response_tenants
	tenant != _tenant
}

# METADATA
# title: Unreadable tenant
# description: |
#   A response that names a tenant, to a request whose body names several, or one that is no single text (an object, a
#   file): servers may take either of them, or none.
# custom:
#   cwe: CWE-639
#   owasp: API1:2023
findings contains {
	"code": "unreadable_tenant",
	"message": "the request does not name one tenant",
	"rule": "extproc.response.tenant",
	"severity": "critical",
} if {
	not input.attributes.request.http.headers["x-tenant"]
	count(_response_tenants) > 0
	count(_claims) > 0
	not _tenant
}

_response_tenants contains sprintf("%v", [node.tenant]) if walk(input.parsed_response_body, [_, node])

_tenant := input.attributes.request.http.headers["x-tenant"]

_tenant := tenant if {
	not input.attributes.request.http.headers["x-tenant"]
	some tenant in {_text(claim) | some claim in _claims}
	every claim in _claims { _text(claim) == tenant }
}

# What stands under the name at the top of the body, else anywhere in it; Go's reader takes `Tenant` for `tenant`.
_claims := _top if count(_top) > 0

_claims := _deeper if count(_top) == 0

_top contains claim if {
	is_object(input.parsed_body)
	some name, claim in input.parsed_body
	lower(name) == "tenant"
}

_top contains input.parsed_body.children if _is_tenant(input.parsed_body)

_deeper contains claim if {
	_somewhere
	walk(input.parsed_body, [_, node])
	is_object(node)
	some name, claim in node
	lower(name) == "tenant"
}

_deeper contains element.children if {
	_somewhere
	walk(input.parsed_body, [_, element])
	_is_tenant(element)
}

# A look at the text takes a tenth of the time that a walk does.
_somewhere if contains(lower(json.marshal(input.parsed_body)), "tenant")

# An XML element, be its name in a namespace or not.
_is_tenant(element) if regex.match(`^(?:\{.*\})?tenant$`, lower(element.name))

_text(claim) := _scalar(claim)

# A form has a list for each name.
_text(claim) := _scalar(claim[0]) if {
	is_array(claim)
	count(claim) == 1
}

_scalar(value) := sprintf("%v", [value]) if {
	not is_object(value)
	not is_array(value)
}
