# METADATA
# title: Request policy of the shop
# description: Says what the bearer of a token may do. Istio has verified it; a token that nobody verified is none.
# scope: package
package extproc.request

# METADATA
# title: Request decision
# description: 401 without a token, 403 for what none of the subject's roles permits.
# entrypoint: true
default decision := {
	"allowed": false,
	"http_status": 401,
	"headers": {"www-authenticate": "Bearer realm=\"shop\""},
	"reasons": [{"code": "unauthenticated", "message": "No token"}],
}

decision := {"allowed": true} if _permitted

decision := {"allowed": false, "reasons": [{"code": "forbidden", "message": "Not permitted"}]} if {
	_claims.sub
	not _permitted
}

_claims := input.attributes.metadataContext.filterMetadata["envoy.filters.http.jwt_authn"].payload

# What the issuer says, and what the shop itself decided.
_roles contains role if some role in _claims.roles

_roles contains role if some role in data.extproc.shop.roles[_claims.sub]

_permitted if {
	some role in _roles
	input.attributes.request.http.method in data.extproc.shop.permissions[role]
}
