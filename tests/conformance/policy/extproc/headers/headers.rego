# METADATA
# description: The row's word, else every request may go on, and both bodies are inspected.
package extproc.headers

import data.extproc.script

decision := script.wanted("headers")

decision := script.echo("headers")

decision := {"allowed": true} if not script.scripted("headers")

decision := {"allowed": number} if {
	script.trouble("headers", "conflict")
	some number in [1, 2]
}
