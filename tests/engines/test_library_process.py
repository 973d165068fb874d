"""libopa as a part of its process: memory, threads, forks."""

import multiprocessing
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from engines.calling import MINUTE_NS, MOMENT, ask, prepare, said, take

from extproc.engines.library import THREADS_NAME, Library, Queue, library
from extproc.errors import EngineError, Overloaded


@pytest.fixture
def queue() -> Iterator[Queue]:
    queue = library().open(2)
    yield queue
    queue.shut()


@pytest.fixture
def _no_ceiling_afterwards() -> Iterator[None]:
    yield
    library().tune(gc_percent=400, soft_bytes=2**63 - 1, ceiling_bytes=0)


@pytest.mark.usefixtures("_no_ceiling_afterwards")
def test_above_its_ceiling_the_heap_takes_nothing_new_and_below_it_does_again(queue: Queue) -> None:
    handle = prepare("d := 1")
    library().tune(ceiling_bytes=1)
    while (answer := ask(queue, handle)).error is None:  # the last look at the heap was too fresh
        pass
    assert said(answer.error) == (Overloaded, "the policy engine's heap is above its ceiling")
    library().tune(ceiling_bytes=1 << 40)
    while (answer := ask(queue, handle)).error is not None:
        pass
    assert answer.result == b"1"


@pytest.mark.usefixtures("_no_ceiling_afterwards")
def test_an_evaluation_that_fills_the_heap_ends_and_others_go_on(queue: Queue) -> None:
    library().tune(ceiling_bytes=library().statistics().heap_bytes + (64 << 20), soft_bytes=96 << 20)
    greedy = prepare("d := [x | some x in numbers.range(1, 100000000)]")
    assert said(ask(queue, greedy).error) == (Overloaded, "the policy engine's heap is above its ceiling")
    modest = prepare("d := 1")
    while (answer := ask(queue, modest)).error is not None:  # until the collector has been there
        assert isinstance(answer.error, Overloaded)
    assert answer.result == b"1"


def test_many_threads_prepare_replace_ask_and_close_at_once() -> None:
    failed: list[BaseException] = []

    def work(number: int) -> None:
        queue = library().open(2)
        try:
            for turn in range(20):
                first = prepare(f"d := {number} + data.turn", data={"turn": 0})
                second = library().replace_data(first, b'{"turn": %d}' % turn)
                library().close(first)
                for _ in range(10):
                    assert ask(queue, second).result == b"%d" % (number + turn)
                library().close(second)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the main thread must know
            failed.append(error)
        queue.shut()

    threads = [threading.Thread(target=work, args=(1000 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def _call_everything(loaded: Library, queue: Queue, handle: int, pipe: Connection) -> None:
    calls = {
        "prepare": lambda: loaded.prepare(b"{}"),
        "replace_data": lambda: loaded.replace_data(handle, b"{}"),
        "verify_bundle": lambda: loaded.verify_bundle(b"{}"),
        "tune": lambda: loaded.tune(gc_percent=100),
        "statistics": loaded.statistics,
        "open": lambda: loaded.open(1),
        "submit": lambda: queue.submit(handle, 0, b"{}", timeout_ns=MINUTE_NS, moment=MOMENT),
        "take": queue.take,
        "withdraw": lambda: queue.withdraw(1),
        "shut": queue.shut,
    }
    refused = {}
    for name, call in calls.items():
        try:
            call()
        except EngineError as error:
            refused[name] = str(error)
    loaded.close(handle)
    pipe.send(refused)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 warns of just what is tested here
def test_every_call_of_a_forked_child_is_refused_and_none_hangs(queue: Queue) -> None:
    handle = prepare("d := 1")
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(
        target=_call_everything, args=(library(), queue, handle, theirs)
    )
    child.start()
    assert ours.poll(10)
    assert ours.recv() == dict.fromkeys(
        (
            *("prepare", "replace_data", "verify_bundle", "tune", "statistics", "open"),
            *("submit", "take", "withdraw", "shut"),
        ),
        "libopa was loaded before a fork: start workers by spawn",
    )
    child.join(10)
    assert child.exitcode == 0


def test_the_threads_of_the_engine_have_its_name_and_the_callers_keep_theirs(queue: Queue) -> None:
    ask_one = queue.submit(prepare("d := 1"), 0, b"{}", timeout_ns=MINUTE_NS, moment=MOMENT)
    assert [answer.ticket for answer in take(queue, 1)] == [ask_one]
    names = {int(task.name): (task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()}
    assert [*names.values()].count(THREADS_NAME) >= 2
    assert names[threading.get_native_id()] != THREADS_NAME
