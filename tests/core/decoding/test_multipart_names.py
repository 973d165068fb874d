"""Names and file names of a form that some reader makes another name of."""

import pytest

from extproc.core.decoding import decode
from extproc.core.decoding.media_type import MediaType
from extproc.core.rules import Limits
from extproc.errors import Malformed

MEDIA = MediaType("multipart/form-data", {"boundary": "XX"})


def _parsed(disposition: str) -> bytes | None:
    header = f"Content-Disposition: form-data; {disposition}"
    return decode(f"--XX\r\n{header}\r\n\r\n1\r\n--XX--\r\n".encode(), MEDIA, Limits()).parsed


# Django and Commons FileUpload trim, the second decodes the last; aiohttp drops slashes at the beginning; Node's
# formData drops a byte order mark.
NAMES = [
    "\ufeffa",
    "\ufeff",
    "a\ufeff",
    " a",
    "a ",
    "a\u00a0",
    "\u3000a",
    " ",
    "/a",
    "//a",
    "/",
    "\\a",
    "a%22b",
    "a%0db",
    "=?utf-8?q?a?=",
]
# Django reads: a.php, x.php, `..` as no file, ab, a name of 255 letters; Commons FileUpload: b and a.php; Rack: a.php.
FILENAMES = [
    "a&#46;php",
    "a&#x2e;php",
    "a&period;php",
    "a&ampb",
    "/etc/x.php",
    "b/",
    "\\b",
    ".",
    "..",
    "a\u0085b",
    "a\u200bb",
    "a\u202eb",
    "a\u202fb",
    "a\ufeff",
    "a" * 256,
    " b",
    "b ",
    "=?utf-8?q?a=2Ephp?=",
    "a%2ephp",
    "a%2Ephp",
    "100%41",
    "b%0A",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["", "; filename=b"])
def test_a_name_that_some_reader_changes_is_malformed(name: str, kind: str) -> None:
    with pytest.raises(Malformed):
        _parsed(f'name="{name}"{kind}')


@pytest.mark.parametrize("filename", FILENAMES)
def test_a_file_name_that_some_reader_changes_is_malformed(filename: str) -> None:
    with pytest.raises(Malformed):
        _parsed(f'name=a; filename="{filename}"')


@pytest.mark.parametrize("name", ["a/b", "a/", "a%2Eb", "é;b, c=d%", "items[]", "user[role]", "a.b", "a b"])
def test_any_other_name_is_kept(name: str) -> None:
    assert _parsed(f'name="{name}"') == f'{{"{name}":["1"]}}'.encode()


@pytest.mark.parametrize("filename", ["100%", "a % b.txt", "50%off.txt"])
def test_a_percent_sign_that_is_no_escape_is_kept(filename: str) -> None:
    assert f'"filename":"{filename}"'.encode() in (_parsed(f'name=a; filename="{filename}"') or b"")
