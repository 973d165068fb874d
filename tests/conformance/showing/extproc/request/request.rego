# METADATA
# description: Allows, and tells the upstream what of the request line was in the input.
package extproc.request

decision := {"allowed": true, "headers": {"x-set-seen": base64.encode(json.marshal(seen))}} if not trailers

# Headers cannot be changed any more once trailers have come.
decision := {"allowed": true} if trailers

trailers if input.attributes.request.http.trailers

seen := {
	"target": input.attributes.request.http.path,
	"host": input.attributes.request.http.host,
	"path": input.parsed_path,
	"query": input.parsed_query,
	"path_flags": input.inspection.request.path_flags,
	"query_flags": input.inspection.request.query_flags,
}
