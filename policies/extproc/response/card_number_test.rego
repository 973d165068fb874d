package extproc.response_test

test_a_card_number_is_a_leak_however_it_is_written if {
	every card in [
		"4111111111111111",
		"4111 1111 1111 1111",
		"4111-1111-1111-1111",
		"378282246310005",
		"3782 822463 10005",
		"3056 930902 5904",
		"4222222222222",
		"4222 222 222 222",
		"6304000000000000000",
		"2223003122003222",
		"card4111111111111111x",
		"paid on 2026-01-01 4111111111111111 by hand",
		"5000 4111 1111 1111 1111",
		"1: 5555555555554444, 2: none",
		4111111111111111,
		4.111111111111111e15,
		-4111111111111111,
		-4.111111111111111e15,
	] {
		{"card_number_leak"} == codes(with_body({"items": [{"note": card}]}))
	}
}

test_a_card_number_leaks_as_a_member_name_and_in_a_text_body if {
	{"card_number_leak"} == codes(with_body({"4111111111111111": true}))
	text := {"attributes": {"response": {"http": {"body": "your card: 4111 1111 1111 1111"}}}}
	{"card_number_leak"} == codes(object.union(with_body(""), text))
}

test_other_numbers_are_no_leak if {
	every number in [
		"4111111111111112",
		"411111111111",
		"41111111111111111111",
		"4111.1111.1111.1111",
		"1767225600000",
		"0000000000000000",
		"+49 30 1234567, +49 30 7654321",
		"9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
		1767225600006,
		12345678901234567890,
		0.4111111111111111,
	] {
		set() == codes(with_body({"note": number}))
	}
}
