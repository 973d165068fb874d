# METADATA
# title: Request policy
# description: |
#   Denies a request in which a rule of this package found something, and allows any other. A rule adds its finding to
#   `findings`; what cannot be inspected is a finding too (inspection.rego).
# scope: package
package extproc.request

# METADATA
# title: Request decision
# description: |
#   The verdict on a whole request.
#   It has no default, so that an input we cannot read is no allow. Status and message of a denial are the operator's
#   (`blocking.status`, `blocking.message`): a client learns the first reason's code, not what was looked for.
# entrypoint: true
decision := {"allowed": true} if count(findings) == 0

decision := {
	"allowed": false,
	"reasons": [finding | some finding in findings],
} if {
	count(findings) > 0
}
