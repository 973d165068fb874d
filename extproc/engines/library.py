"""The C interface of libopa, OPA's evaluator (libopa/libopa.h), with Python values.  The only importer of ctypes."""

import ctypes
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

from extproc.engines.answers import Answer, Moment, Statistics, read_answers, refuse
from extproc.errors import EngineError, PolicyLoadError

ABI = 4
LIBRARY = Path(__file__).with_name("libopa.so")
MAX_LOST = 32
"""Evaluations inside one long builtin call cannot be stopped; with this many of them running, nothing more is taken."""
THREADS_NAME = "libopa"
_SLACK_NS = 2_000_000
_PR_SET_TIMERSLACK, _PR_GET_TIMERSLACK = 29, 30
_PR_SET_NAME, _PR_GET_NAME, _NAME_BYTES = 15, 16, 16
_BUFFER_BYTES = 1 << 16
_AS_IT_IS = -1
_INTEGER, _SIZE, _POINTER, _TEXT = ctypes.c_int64, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_char_p
_SIGNATURES = {
    "libopa_version": (_POINTER, [_POINTER]),
    "libopa_prepare": (_POINTER, [_TEXT, _SIZE, _POINTER, _POINTER]),
    "libopa_replace_data": (_POINTER, [_INTEGER, _TEXT, _SIZE, _POINTER, _POINTER]),
    "libopa_verify_bundle": (_POINTER, [_TEXT, _SIZE, _POINTER]),
    "libopa_statistics": (_POINTER, [_POINTER]),
    "libopa_open": (_POINTER, [ctypes.c_int32, ctypes.c_int32, _POINTER]),
    "libopa_tune": (None, [ctypes.c_int32, _INTEGER, _INTEGER]),
    "libopa_close": (None, [_INTEGER]),
    "libopa_free": (None, [_POINTER]),
    "libopa_submit": (
        _INTEGER,
        [_POINTER, _INTEGER, ctypes.c_int32, _TEXT, _SIZE, _INTEGER, _INTEGER, ctypes.c_uint64],
    ),
    "libopa_take": (_INTEGER, [_POINTER, _POINTER, _SIZE]),
    "libopa_withdraw": (None, [_POINTER, _INTEGER]),
    "libopa_shut": (None, [_POINTER]),
}


def _declare(library: ctypes.CDLL) -> None:
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments


@contextmanager
def _heirs() -> Iterator[None]:
    """Threads that start herein, and theirs, have a name of their own (for `top -H`), and may wake 2 ms late.

    Go's monitor would wake every 20 µs for nothing.
    """
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = [ctypes.c_int, ctypes.c_void_p]
    own_ns, own_name = prctl(_PR_GET_TIMERSLACK, None), ctypes.create_string_buffer(_NAME_BYTES)
    prctl(_PR_GET_NAME, own_name)
    prctl(_PR_SET_NAME, ctypes.c_char_p(THREADS_NAME.encode()))
    prctl(_PR_SET_TIMERSLACK, _SLACK_NS)
    try:
        yield
    finally:
        prctl(_PR_SET_TIMERSLACK, own_ns)
        prctl(_PR_SET_NAME, own_name)


class Library:
    """What goes into Go and may take its time; from any thread.

    `pid` is the process that loaded it, the only one that may call it: elsewhere all but `close` raise EngineError.
    """

    def __init__(self) -> None:
        if not LIBRARY.exists():
            raise PolicyLoadError(f"{LIBRARY} is missing: install the package again where it can be built")
        self.pid = os.getpid()
        with _heirs():
            self._c = ctypes.CDLL(str(LIBRARY))
        self._c.libopa_version.restype, self._c.libopa_free.argtypes = _POINTER, [_POINTER]  # what every ABI has
        version = json.loads(self._text("libopa_version"))
        if version["abi"] != ABI:
            raise PolicyLoadError(f"{LIBRARY} has ABI {version['abi']}, not {ABI}: install the package again")
        _declare(self._c)
        self.opa_version, self.cpus = str(version["opa"]), int(version["cpus"])

    def _text(self, function: str, *arguments: object) -> bytes:
        """Call what returns a text and writes its length to its last argument."""
        length = _SIZE()
        buffer = getattr(self._c, function)(*arguments, ctypes.byref(length))
        text = ctypes.string_at(buffer or 0, length.value)
        self._c.libopa_free(buffer)
        return text

    def prepare(self, specification: bytes) -> int:
        """The handle of a compiled policy set.  Raises PolicyLoadError with every problem that OPA found."""
        self.check_process()
        handle = _INTEGER()
        refuse(self._text("libopa_prepare", specification, len(specification), ctypes.byref(handle)))
        return handle.value

    def replace_data(self, handle: int, data: bytes) -> int:
        """A further handle: the same policy set over another data document, without compiling.  PolicyLoadError."""
        self.check_process()
        renewed = _INTEGER()
        refuse(self._text("libopa_replace_data", handle, data, len(data), ctypes.byref(renewed)))
        return renewed.value

    def verify_bundle(self, specification: bytes) -> None:
        """Raise PolicyLoadError unless a known key signed exactly these files."""
        self.check_process()
        refuse(self._text("libopa_verify_bundle", specification, len(specification)))

    def tune(self, *, gc_percent: int = _AS_IT_IS, soft_bytes: int = _AS_IT_IS, ceiling_bytes: int = _AS_IT_IS) -> None:
        """Set Go's GOGC, its GOMEMLIMIT, and the heap above which evaluations fail as Overloaded (0: none)."""
        self.check_process()
        self._c.libopa_tune(gc_percent, soft_bytes, ceiling_bytes)

    def statistics(self) -> Statistics:
        """What this process has evaluated, and what it holds; some microseconds."""
        self.check_process()
        return Statistics(**json.loads(self._text("libopa_statistics")))

    def open(self, threads: int) -> "Queue":
        """A queue with threads of its own.  Raises PolicyLoadError where there is no descriptor for it."""
        self.check_process()
        descriptor = ctypes.c_int32()
        queue = self._c.libopa_open(threads, MAX_LOST, ctypes.byref(descriptor))
        if queue is None:
            raise PolicyLoadError("libopa found no file descriptor for its queue: raise the limit on open files")
        return Queue(queue, descriptor.value, self.check_process)

    def close(self, handle: int) -> None:
        """Drop a policy set; an evaluation that runs ends in peace."""
        if os.getpid() == self.pid:
            self._c.libopa_close(handle)

    def check_process(self) -> None:
        """Raise EngineError in a forked child, where a call would hang."""
        if os.getpid() != self.pid:
            raise EngineError("libopa was loaded before a fork: start workers by spawn")


class Queue:
    """Jobs to Go's threads and their answers back.  No call waits or enters Go, so none gives the GIL away (PyDLL).

    `descriptor` is readable while there are answers.  All methods are for one thread, and raise EngineError in a forked
    child: a lock that another thread held at the fork would never open there.
    """

    def __init__(self, queue: int, descriptor: int, check_process: Callable[[], None]) -> None:
        library = ctypes.PyDLL(str(LIBRARY))
        _declare(library)
        self.descriptor = descriptor
        self._check_process = check_process
        self._submit, self._take = partial(library.libopa_submit, queue), partial(library.libopa_take, queue)
        self._withdraw, self._shut = partial(library.libopa_withdraw, queue), partial(library.libopa_shut, queue)
        self._room = _Room(_BUFFER_BYTES)

    def submit(self, handle: int, entrypoint: int, document: bytes | None, *, timeout_ns: int, moment: Moment) -> int:
        """The ticket of a new job; 0: it is not taken, for MAX_LOST evaluations run that nobody can stop, or there is
        no memory for it.

        With None as its document, `input` is undefined.
        """
        self._check_process()
        size = 0 if document is None else len(document)
        ticket: int = self._submit(handle, entrypoint, document, size, timeout_ns, moment.time_ns, moment.seed)
        return ticket

    def withdraw(self, ticket: int) -> None:
        """A job that has not begun shall not; it is answered all the same.  Any other ticket means nothing."""
        self._check_process()
        self._withdraw(ticket)

    def shut(self) -> None:
        """Free the queue and its descriptor, once all answers are taken.  The last call."""
        self._check_process()
        self._shut()

    def take(self) -> list[Answer]:
        """The answers that are there; not all if they are large."""
        self._check_process()
        room = self._room
        written = self._take(room.window, room.size)
        if written < 0:  # for this once, for such answers are rare
            room = _Room(-written)
            written = self._take(room.window, room.size)
        return list(read_answers(room.content[:written]))


class _Room:
    """Memory that C writes to and Python reads from."""

    def __init__(self, size: int) -> None:
        memory = bytearray(size)
        self.size, self.content, self.window = size, memoryview(memory), (ctypes.c_char * size).from_buffer(memory)


@cache
def library() -> Library:
    """A process can load a C library only once; a forked child finds its parent's here and is refused."""
    return Library()
