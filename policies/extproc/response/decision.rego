# METADATA
# title: Response policy
# description: |
#   Denies a response in which a rule of this package found something, and allows any other. The rules see the request
#   and the response in one document.
# scope: package
package extproc.response

# METADATA
# title: Response decision
# description: |
#   The verdict on a whole response.
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
