"""What Go's net/http reads of a form, in a process of its own that is built when it is first asked."""

import atexit
import base64
import subprocess
from functools import cache
from pathlib import Path

import orjson

SOURCE = Path(__file__).with_name("golang")
ROOT = Path(__file__).parents[3]


@cache
def _reader() -> subprocess.Popen[bytes]:
    program = ROOT / ".cache/fuzz/go-reader"
    program.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([ROOT / ".tools/go", "build", "-o", program, "."], cwd=SOURCE, check=True)
    reader = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    atexit.register(reader.__exit__, None, None, None)  # closes its input, at which it ends
    return reader


class GoError(Exception):
    """Go's own words for what it does not read."""


def read(content_type: str, data: bytes) -> dict[str, list[str | dict[str, object]]]:
    """`request.PostForm` and `request.MultipartForm`.  Raises GoError where Go gives one."""
    reader = _reader()
    assert reader.stdin is not None
    assert reader.stdout is not None
    reader.stdin.write(orjson.dumps({"content_type": content_type, "body": base64.b64encode(data).decode()}) + b"\n")
    reader.stdin.flush()
    answer: str | dict[str, list[str | dict[str, object]]] = orjson.loads(reader.stdout.readline())
    if isinstance(answer, str):
        raise GoError(answer)
    return answer
