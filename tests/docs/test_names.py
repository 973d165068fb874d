"""The rules of docs/inspection.md about names that an upstream takes for other names."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from docs.test_examples import FORM, ROOT, blocks, sent, statuses

POLICY = """package extproc.request

decision := {"allowed": count(deny) == 0}

"""
RULES = blocks("docs/inspection.md", "rego")


def test_the_page_has_these_rules() -> None:
    assert [code for rule in RULES for code in ("ambiguous_name", "bracketed_name") if code in rule] == [
        "ambiguous_name",
        "bracketed_name",
    ]


def test_a_name_that_go_takes_for_another_is_denied(tmp_path: Path) -> None:
    """It folds each of these to `status`, two of them by a letter beyond ASCII."""
    passing = ["status", "state", "statu", "ß", "\u0455tatus"]
    denied = ["STATUS", "Status", "\u017ftatus", "\u017fTATU\u017f"]
    requests = [sent({"status": "guest", name: "admin"}) for name in [*passing, *denied]]
    assert statuses(tmp_path, POLICY + RULES[0], requests) == [200] * len(passing) + [403] * len(denied)


def test_upper_case_first_finds_the_kelvin_sign(tmp_path: Path) -> None:
    rule = RULES[0].replace('"status"', '"token"')
    requests = [sent({name: "x"}) for name in ("token", "TOKEN", "to\u212aen")]
    assert statuses(tmp_path, POLICY + rule, requests) == [200, 403, 403]


_BRACKETED = ("[role]", "user[role]", "role[]", "role]", "role[", "[[role]]", "a[b][role]", "a[][role]", "role[a]")


@pytest.mark.parametrize("escaped", [False, True])
def test_a_name_in_brackets_is_denied_and_others_are_not(tmp_path: Path, *, escaped: bool) -> None:
    passing = ["role", "items[]", "a[b]", "roles[]", "user[name]"]
    names = [quote(name) if escaped else name for name in (*passing, *_BRACKETED)]
    requests = [sent(f"{name}=admin", FORM) for name in names]
    assert statuses(tmp_path, POLICY + RULES[1], requests) == [200] * len(passing) + [403] * len(_BRACKETED)


def test_a_name_that_php_writes_with_an_underscore_is_found(tmp_path: Path) -> None:
    (expression,) = re.findall(r"`(regex\.replace\(name, .*?\))`", (ROOT / "docs/inspection.md").read_text())
    rule = RULES[1].replace('"role" in split(replace(name, "]", "["), "[")', f'{expression} == "user_role"')
    requests = [sent(f"{name}=a", FORM) for name in ("user_role", "userrole", "user.role", "user+role", "user%5Brole")]
    policy = POLICY + rule.replace('name != "role"', 'name != "user_role"')
    assert statuses(tmp_path, policy, requests) == [200, 200, 403, 403, 403]
