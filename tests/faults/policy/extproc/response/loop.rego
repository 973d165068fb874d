# Joins the table's policy in one package, for a judgement of the response that has no end.
package extproc.response

import data.extproc.script

decision := {"allowed": true} if {
	script.trouble("response", "loop")
	count([1 | some _ in numbers.range(1, 20000); some _ in numbers.range(1, 20000)]) > 0
}
