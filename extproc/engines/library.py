"""The C interface of libopa, OPA's evaluator (libopa/README.md), with Python values.  The only importer of ctypes."""

import ctypes
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from struct import Struct

from extproc.errors import EngineError, EngineTimeout, ExchangeError, PolicyLoadError

ABI = 2
LIBRARY = Path(__file__).with_name("libopa.so")
MAX_LOST = 32
"""Evaluations inside one long builtin call cannot be stopped; with this many of them running, nothing more is taken."""
_SLACK_NS = 2_000_000
_PR_SET_TIMERSLACK, _PR_GET_TIMERSLACK = 29, 30
_BUFFER_BYTES = 1 << 16
_ANSWER = Struct("=qqiI")
_UNDEFINED, _FAILURE = 1, 2


@contextmanager
def _lenient_timers() -> Iterator[None]:
    """Threads that start herein, and theirs, may wake 2 ms late: Go's monitor would wake every 20 µs for nothing."""
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = [ctypes.c_int, ctypes.c_ulong]
    own_ns = prctl(_PR_GET_TIMERSLACK, 0)
    prctl(_PR_SET_TIMERSLACK, _SLACK_NS)
    try:
        yield
    finally:
        prctl(_PR_SET_TIMERSLACK, own_ns)


class Library:
    """What goes into Go and may take its time.  `pid` is the process that loaded it, the only one that may call it."""

    def __init__(self) -> None:
        if not LIBRARY.exists():
            raise PolicyLoadError(f"{LIBRARY} is missing: install the package again where it can be built")
        self.pid = os.getpid()
        with _lenient_timers():
            library = ctypes.CDLL(str(LIBRARY))
        self._version, self._prepare, self._open = library.libopa_version, library.libopa_prepare, library.libopa_open
        self._close, self._free = library.libopa_close, library.libopa_free
        self._version.restype = self._prepare.restype = self._open.restype = ctypes.c_void_p
        self._close.restype = self._free.restype = None
        self._close.argtypes, self._free.argtypes = [ctypes.c_int64], [ctypes.c_void_p]
        self._prepare.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p]
        self._open.argtypes = [ctypes.c_int32, ctypes.c_int32, ctypes.c_void_p]
        length = ctypes.c_size_t()
        version = json.loads(self._take(self._version(ctypes.byref(length)), length))
        if version["abi"] != ABI:
            raise PolicyLoadError(f"{LIBRARY} has ABI {version['abi']}, not {ABI}: install the package again")
        self.opa_version, self.cpus = str(version["opa"]), int(version["cpus"])

    def _take(self, buffer: int | None, length: ctypes.c_size_t) -> bytes:
        text = ctypes.string_at(buffer or 0, length.value)
        self._free(buffer)
        return text

    def prepare(self, specification: bytes) -> int:
        """The handle of a compiled policy set.  Raises PolicyLoadError with every problem that OPA found."""
        self.check_process()
        handle, length = ctypes.c_int64(), ctypes.c_size_t()
        buffer = self._prepare(specification, len(specification), ctypes.byref(handle), ctypes.byref(length))
        problems = json.loads(self._take(buffer, length))
        if problems:
            raise PolicyLoadError("; ".join(_sentence(**problem) for problem in problems))
        return handle.value

    def open(self, threads: int) -> "Queue":
        """A queue with threads of its own.  Raises PolicyLoadError where there is no descriptor for it."""
        descriptor = ctypes.c_int32()
        queue = self._open(threads, MAX_LOST, ctypes.byref(descriptor))
        if queue is None:
            raise PolicyLoadError("libopa found no file descriptor for its queue: raise the limit on open files")
        return Queue(queue, descriptor.value)

    def close(self, handle: int) -> None:
        """Drop a policy set; an evaluation that runs ends in peace."""
        if os.getpid() == self.pid:
            self._close(handle)

    def check_process(self) -> None:
        """Raise EngineError in a forked child, where a call would hang."""
        if os.getpid() != self.pid:
            raise EngineError("libopa was loaded before a fork: start workers by spawn")


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a job.  `result` is JSON text, None for undefined.  `took_ns` is 0 if it never began."""

    ticket: int
    took_ns: int
    result: bytes | None
    error: ExchangeError | None


class Queue:
    """Jobs to Go's threads and their answers back.  No call waits or enters Go, so none gives the GIL away (PyDLL).

    `descriptor` is readable while there are answers.  All methods are for one thread.
    """

    def __init__(self, queue: int, descriptor: int) -> None:
        library = ctypes.PyDLL(str(LIBRARY))
        submit, take = library.libopa_submit, library.libopa_take
        integer = ctypes.c_int64
        submit.argtypes = [ctypes.c_void_p, integer, ctypes.c_int32, ctypes.c_char_p, ctypes.c_size_t, integer, integer]
        take.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
        submit.restype = take.restype = integer
        library.libopa_withdraw.argtypes = [ctypes.c_void_p, integer]
        library.libopa_shut.argtypes = [ctypes.c_void_p]
        library.libopa_withdraw.restype = library.libopa_shut.restype = None
        self.descriptor = descriptor
        self._submit, self._take = partial(submit, queue), partial(take, queue)
        self.withdraw: Callable[[int], None] = partial(library.libopa_withdraw, queue)
        """A job that has not begun shall not; it is answered all the same.  For a ticket that is still to be taken."""
        self.shut: Callable[[], None] = partial(library.libopa_shut, queue)
        """Free the queue and its descriptor, once all answers are taken.  The last call."""
        self._make_room(_BUFFER_BYTES)

    def _make_room(self, size: int) -> None:
        content = bytearray(size)
        self._content, self._window = memoryview(content), (ctypes.c_char * size).from_buffer(content)

    def submit(self, handle: int, entrypoint: int, document: bytes, *, timeout_ns: int, time_ns: int) -> int:
        """The ticket of a new job; 0: it is not taken, for MAX_LOST evaluations run that nobody can stop."""
        ticket: int = self._submit(handle, entrypoint, document, len(document), timeout_ns, time_ns)
        return ticket

    def take(self) -> Iterator[Answer]:
        """The answers that are there; not all if they are large."""
        written = self._take(self._window, len(self._content))
        if written < 0:
            self._make_room(-written)
            written = self._take(self._window, len(self._content))
        start = 0
        while start < written:
            ticket, took_ns, status, length = _ANSWER.unpack_from(self._content, start)
            start += _ANSWER.size
            output = self._content[start : start + length].tobytes()
            start += length
            if status == _FAILURE:
                yield Answer(ticket, took_ns, None, _failure(**json.loads(output)))
            else:
                yield Answer(ticket, took_ns, None if status == _UNDEFINED else output, None)


@cache
def library() -> Library:
    """A process can load a C library only once; a forked child finds its parent's here and is refused."""
    return Library()


def _sentence(*, code: str, file: str, row: int, col: int, message: str) -> str:
    advice = ": define it, or change policy.points" if code == "entrypoint" else ""
    return f"{file}:{row}:{col}: {code}: {message}" if file else f"{code}: {message}{advice}"


def _failure(*, kind: str, code: str, file: str, row: int, message: str) -> ExchangeError:
    """OPA's words about an evaluation could quote the input, so libopa keeps them to itself."""
    match kind:
        case "deadline":
            return EngineTimeout(message)
        case "evaluation":
            return EngineError(f"{code} at {file}:{row}" if file else code)
        case "withdrawn":
            return EngineError("the engine is closed")
        case _:
            return EngineError(f"{kind}: {message}")
