# METADATA
# title: Starter request policy
# description: |
#   Lets pass every request whose body was read whole; what was not read has no decision, and is denied. Put your own
#   rules in its place: those in policies/ are a beginning.
# scope: package
package extproc.request

# METADATA
# title: Request decision
# description: The verdict on a whole request.
# entrypoint: true
decision := {"allowed": true} if input.inspection.request.state in {"complete", "empty", "opaque"}
