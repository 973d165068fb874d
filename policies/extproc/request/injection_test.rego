package extproc.request_test

test_sql_injection_in_a_string_is_denied if {
	every attack in [
		"1 UNION SELECT password FROM users",
		"-1 union/**/all/*x*/select 1,2",
		"1 /*!50000UnIoN*/ /*!50000SeLeCt*/ 1",
		"' OR '1'='1",
		"') or ('a'='a",
		"' or 1=1 --",
		"'/**/or/**/1=1",
		"' || 1=1 #",
		"\" or \"\"=\"",
		"x' and email like '%a%",
		"1 or 1=1",
		"1 and 'a'='a'",
		"admin'--",
		"1; DROP TABLE users",
		"1;delete from users",
		"1; update users set admin=1",
		"1-SLEEP(5)",
		"1'; waitfor delay '0:0:5",
		"select table_name from information_schema.tables",
	] {
		{"sql_injection"} == codes(with_body({"items": [{"note": attack}]}))
	}
}

test_script_injection_in_a_string_is_denied if {
	every attack in [
		"<ScRiPt>alert(1)</script>",
		"<img src=x onerror=alert(1)>",
		"<a/onmouseover = 'x'>",
		"JavaScript:alert(1)",
		"<svg/onload=alert(1)>",
		"<iframe src=x>",
	] {
		{"script_injection"} == codes(with_body(attack))
	}
}

test_an_attack_in_a_member_name_is_denied if {
	{"sql_injection"} == codes(with_body({"a": [{"1 union select 2": 0}]}))
}

test_an_attack_in_a_form_is_denied if {
	{"sql_injection"} == codes(with_body({"id": ["1", "1 union select 2"]}))
}

test_an_attack_in_a_text_body_is_denied if {
	exchange := json.patch(with_body(null), [{
		"op": "add",
		"path": "attributes/request/http/body",
		"value": "<script>",
	}])
	{"script_injection"} == codes(exchange)
}

test_an_attack_in_the_query_or_the_path_is_denied if {
	{"sql_injection"} == codes(object.union(with_body({}), {"parsed_query": {"id": ["1 or 1=1"]}}))
	{"sql_injection"} == codes(object.union(with_body({}), {"parsed_query": {"1 or 1=1": [""]}}))
	{"script_injection"} == codes(object.union(with_body({}), {"parsed_path": ["<script>"]}))
}

test_plain_language_is_allowed if {
	every text in [
		"The union of both sets; select what you like, or nothing",
		"rock 'n' roll and blues",
		"the boys' or the girls' team",
		"order=5 and colour = blue",
		"the students' and teachers' union will select a board",
		"a <b>bold</b> claim - one = two",
		"sleep well; drop by; create an account",
		"5 < 6 and 7 > 2",
	] {
		set() == codes(with_body({"note": text}))
	}
}

test_sql_injection_in_a_graphql_document_is_denied_lifted_or_not if {
	literals := {"graphql": {"operation": "query", "root_fields": ["a"], "literals": ["' OR '1'='1' --"]}}
	{"sql_injection"} == codes(object.union(with_body({}), literals))
	document := `{ a(x: "\u0027 OR \u00271\u0027=\u00271\u0027 --") }`
	{"sql_injection"} == codes(with_body([{"query": document}]))
	{"sql_injection"} == codes(object.union(with_body({}), {"parsed_query": {"query": [document]}}))
}
