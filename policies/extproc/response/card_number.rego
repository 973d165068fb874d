package extproc.response

import data.extproc.content

# METADATA
# title: Card number leak
# description: |
#   A payment card number in any string, member name or number of the response body: 13 to 19 digits in one piece or
#   grouped as printed on cards, by spaces or hyphens, of a known network (first digit 3 to 6, or 22 to 27) and with a
#   right check digit. Times in milliseconds (13 digits, first digit 1) are none.
# custom:
#   cwe: CWE-359
#   owasp: API3:2023
findings contains {
	"code": "card_number_leak",
	"message": "card number in the response",
	"rule": "extproc.response.card_number",
	"severity": "critical",
} if {
	some candidate in _candidates
	_luhn(candidate)
}

_candidates contains replace(candidate, " ", "") if {
	some run in regex.find_n(`[0-9](?:[ -]?[0-9]){12,}`, content.response_text, -1)
	groups := regex.split(`[ -]`, run)

	# A card number may stand after another number: try every group as its first.
	some first, _ in groups
	some length in {1, 3, 4, 5}
	candidate := concat(" ", array.slice(groups, first, first + length))
	regex.match(
		`^(?:2[2-7]|[3-6]\d)\d\d(?:\d{9,15}| \d{4} \d{4} \d{4}(?: \d{3})?| \d{6} \d{4,5}| \d{3} \d{3} \d{3})$`,
		candidate,
	)
}

# ISO/IEC 7812-1, annex B: from the right, every second digit counts double, less 9 when above 9.
_luhn(number) if {
	digits := split(number, "")
	parity := count(digits) % 2
	singles := [to_number(digit) | some i, digit in digits; i % 2 != parity]
	doubles := [_doubled[to_number(digit)] | some i, digit in digits; i % 2 == parity]
	(sum(singles) + sum(doubles)) % 10 == 0
}

_doubled := [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]
