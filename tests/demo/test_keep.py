import sys
from pathlib import Path

from extproc.demo.keep import curl_lines, own_command
from extproc.demo.story import Exchange, Expected


def test_a_line_to_paste_quotes_what_a_shell_would_read() -> None:
    exchange = Exchange("a form", "POST", "/login", Expected(403), "application/x-www-form-urlencoded", b"a='$b'")

    assert list(curl_lines([exchange], "127.0.0.1:8080")) == [
        (
            "a form",
            (
                "curl -i http://127.0.0.1:8080/login -H 'content-type: application/x-www-form-urlencoded' "
                """--data-binary 'a='"'"'$b'"'"''"""
            ),
        )
    ]


def test_a_body_that_is_long_or_no_text_has_no_line() -> None:
    bodies = (b"x" * 201, b"\x00\x01", b"\xff")
    story = [Exchange("a body", "POST", "/orders", Expected(403), "text/plain", body) for body in bodies]

    assert list(curl_lines([*story, Exchange("none", "GET", "/orders", Expected(200))], "h:1")) == [
        ("none", "curl -i http://h:1/orders")
    ]


def test_the_program_can_be_run_again_from_a_fresh_shell() -> None:
    assert own_command(Path(".venv/bin/extproc")) == [f"{Path.cwd()}/.venv/bin/extproc"]
    assert own_command(Path("/src/extproc/__main__.py")) == [sys.executable, "-m", "extproc"]
