package extproc.request_test

import data.extproc.request

test_a_body_that_was_read_whole_passes if {
	every state in ["complete", "empty", "opaque"] {
		request.decision == {"allowed": true} with input as {"inspection": {"request": {"state": state}}}
	}
}

test_any_other_has_no_decision if {
	every state in ["stream", "upgrade", "waived", null] {
		not request.decision with input as {"inspection": {"request": {"state": state}}}
	}
}
