package extproc.request

import data.extproc.content

# METADATA
# title: SQL injection
# description: SQL that changes a query, in any string or member name of the body, in the query or the path.
# custom:
#   cwe: CWE-89
#   owasp: A05:2025
findings contains {
	"code": "sql_injection",
	"message": "SQL injection in the request",
	"rule": "extproc.request.injection",
	"severity": "critical",
} if {
	_sql
}

# METADATA
# title: Script injection
# description: Markup that runs a script in a browser, in the same places.
# custom:
#   cwe: CWE-79
#   owasp: A05:2025
findings contains {
	"code": "script_injection",
	"message": "script injection in the request",
	"rule": "extproc.request.injection",
	"severity": "high",
} if {
	_script
}

# Every pattern starts with a literal: Go's regexp looks for that before it runs its automaton.
_sql if {
	text := replace(content.request_text, "/**/", " ")
	some pattern in [
		# A second query, with whitespace, comments and MySQL's versioned comments between.
		`union(?:[\s+(]|\*/|/\*![0-9]*|/\*[^*]*\*/)+(?:(?:all|distinct)(?:[\s+(]|/\*[^*]*\*/)+)?(?:/\*![0-9]*)?select\b`,
		# A condition, or a comment, after a closed quote.
		`'[\s)]*(?:(?:or|and|xor)\b|\|\||&&)[\s(!+]*['"]?[\w.]*['"]?\s*(?:=|<|>|!=|--|#|like\s*['"])`,
		`"[\s)]*(?:(?:or|and|xor)\b|\|\||&&)[\s(!+]*['"]?[\w.]*['"]?\s*(?:=|<|>|!=|--|#|like\s*['"])`,
		`'[\s);]*--`,
		# A condition that is always true, without a quote before it.
		`or[\s(+]+(?:[0-9]+\s*=\s*[0-9(]|'[^']*'\s*=\s*')`,
		`and[\s(+]+(?:[0-9]+\s*=\s*[0-9(]|'[^']*'\s*=\s*')`,
		# A second statement.
		`;\s*(?:drop|alter|create|truncate)\s+(?:table|database|schema|user)\b`,
		`;\s*(?:delete\s+from|insert\s+into|update\s+\w+\s+set)\b`,
	]
	regex.match(pattern, text)
}

_sql if {
	text := content.request_text
	some word in [
		"sleep(", "benchmark(", "waitfor delay", "xp_cmdshell", "load_file(", "extractvalue(", "updatexml(",
		"information_schema.", "sqlite_master",
	]
	contains(text, word)
}

_script if {
	text := content.request_text
	some word in ["<script", "javascript:", "vbscript:", "<iframe", "<object", "<embed", "<svg", "srcdoc="]
	contains(text, word)
}

_script if regex.match(`<[a-z][^>]*[\s/"']on[a-z]{3,24}\s*=`, content.request_text)
