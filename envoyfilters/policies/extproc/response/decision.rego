# METADATA
# title: Starter response policy
# description: |
#   Lets pass every response whose body was read whole; what was not read has no decision, and is denied. Put your own
#   rules in its place: those in policies/ are a beginning.
# scope: package
package extproc.response

# METADATA
# title: Response decision
# description: The verdict on a whole response.
# entrypoint: true
decision := {"allowed": true} if input.inspection.response.state in {"complete", "empty", "opaque"}
