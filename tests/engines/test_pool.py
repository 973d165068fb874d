import threading
import time
from concurrent.futures import Future

import pytest

from extproc.engines.pool import Pool
from extproc.errors import EngineError, EngineTimeout


def due_in(seconds: float) -> int:
    return time.monotonic_ns() + int(seconds * 1e9)


def test_a_call_answers_with_its_result_or_its_error() -> None:
    pool = Pool[int](1)
    assert pool.submit(lambda: 1, due_in(5)).result(5) == 1
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 // 0, due_in(5)).result(5)
    assert pool.submit(lambda: 2, due_in(5)).result(5) == 2
    pool.close()


def test_an_overdue_call_is_given_up_and_counted_until_it_ends() -> None:
    pool, gate, ended = Pool[bool](1), threading.Event(), threading.Event()

    def stuck() -> bool:
        gate.wait(10)
        ended.set()
        return True

    future = pool.submit(stuck, due_in(0))
    with pytest.raises(EngineTimeout):
        future.result(5)
    assert (pool.submit(lambda: True, due_in(5)).result(5), pool.lost) == (True, 1)
    gate.set()
    assert ended.wait(5)
    while pool.lost:
        threading.Event().wait(0.001)
    pool.close()


def test_a_cancelled_call_is_not_made() -> None:
    pool, gate, started, calls = Pool[bool](1), threading.Event(), threading.Event(), list[str]()
    first = pool.submit(lambda: started.set() or gate.wait(5), due_in(5))
    second = pool.submit(lambda: calls.append("second") or True, due_in(5))
    assert started.wait(5)
    assert (second.cancel(), pool.waiting) == (True, 1)
    gate.set()
    assert (first.result(5), pool.submit(lambda: True, due_in(5)).result(5), calls) == (True, True, [])
    pool.close()


def test_closing_fails_what_no_thread_took_when_all_are_stuck() -> None:
    pool, gate, started = Pool[bool](1), threading.Event(), threading.Event()
    stuck: Future[bool] = pool.submit(lambda: started.set() or gate.wait(10), due_in(0.1))
    waiting = pool.submit(lambda: True, due_in(5))
    assert started.wait(5)
    pool.close()
    assert [type(future.exception(5)) for future in (stuck, waiting)] == [EngineTimeout, EngineError]
    gate.set()
