package extproc.response_test

import data.extproc.response

test_a_body_that_was_read_whole_passes if {
	every state in ["complete", "empty", "opaque"] {
		response.decision == {"allowed": true} with input as {"inspection": {"response": {"state": state}}}
	}
}

test_any_other_has_no_decision if {
	every state in ["stream", "upgrade", "waived", null] {
		not response.decision with input as {"inspection": {"response": {"state": state}}}
	}
}
