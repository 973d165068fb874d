"""The C interface as any Python program has it, without the engine: what is asked and what comes back."""

import ctypes
import json
from collections.abc import Iterator

import pytest
from engines.calling import MINUTE_NS, MOMENT, ask, prepare, said, take

from extproc.engines.library import LIBRARY, Queue, library
from extproc.errors import EngineError, EngineTimeout, PolicyLoadError

NO_HANDLE = (EngineError, "internal: no such handle")


@pytest.fixture
def queue() -> Iterator[Queue]:
    queue = library().open(2)
    yield queue
    queue.shut()


@pytest.mark.parametrize(
    ("rego", "document", "result"),
    [
        ("d := null", b"{}", b"null"),
        ("d := false", b"{}", b"false"),
        ("d if input.x", b"{}", None),
        ("d if input.x", b'{"x": false}', None),
        ("d := input.x", b'{"x": null}', b"null"),
        ("d := input", None, None),
        ("d := input", b"null", b"null"),
        ("default d := false\n\nd if input.x", None, b"false"),
        ("d := {1, 2} - {1, 2}", b"{}", b"[]"),
        ("d contains 1 if input.x", b"{}", b"[]"),
        ('d[k] := 1 if some k in ["a"]', b"{}", b'{"a":1}'),
    ],
)
def test_undefined_null_and_false_are_three_things(
    queue: Queue, rego: str, document: bytes | None, result: bytes | None
) -> None:
    answer = ask(queue, prepare(rego), document)
    assert (answer.result, answer.error) == (result, None)


def test_a_handle_is_good_until_it_is_closed_and_no_other_is_ever(queue: Queue) -> None:
    handle = prepare("d := 1")
    assert ask(queue, handle).result == b"1"
    for forged in (0, 1, -1, handle + 1, handle - 1, -handle, handle ^ (1 << 40), 2**63 - 1, -(2**63)):
        assert said(ask(queue, forged).error) == NO_HANDLE
    library().close(handle)
    library().close(handle)
    assert said(ask(queue, handle).error) == NO_HANDLE
    with pytest.raises(PolicyLoadError, match=r"^internal: no such handle$"):
        library().replace_data(handle, b"{}")


@pytest.mark.parametrize("entrypoint", [-1, 1, 2**31 - 1, -(2**31)])
def test_an_entrypoint_that_is_none_is_an_error(queue: Queue, entrypoint: int) -> None:
    assert said(ask(queue, prepare("d := 1"), entrypoint=entrypoint).error) == (
        EngineError,
        "internal: no such entrypoint",
    )


def test_a_null_that_has_a_length_is_refused_by_every_function() -> None:
    """As another caller than ours may call it."""
    c = ctypes.CDLL(str(LIBRARY))
    for name in ("libopa_prepare", "libopa_replace_data", "libopa_verify_bundle", "libopa_open"):
        getattr(c, name).restype = ctypes.c_void_p
    handle, length, descriptor = ctypes.c_int64(7), ctypes.c_size_t(), ctypes.c_int32()
    answers = [
        ctypes.string_at(buffer, length.value)
        for buffer in (
            c.libopa_prepare(None, ctypes.c_size_t(5), ctypes.byref(handle), ctypes.byref(length)),
            c.libopa_replace_data(
                ctypes.c_int64(7), None, ctypes.c_size_t(5), ctypes.byref(handle), ctypes.byref(length)
            ),
            c.libopa_verify_bundle(None, ctypes.c_size_t(5), ctypes.byref(length)),
        )
    ]
    problem = {"code": "internal", "file": "", "row": 0, "col": 0, "message": "NULL has a length"}
    assert ([json.loads(answer) for answer in answers], handle.value) == ([[problem]] * 3, 0)
    queue = ctypes.c_void_p(c.libopa_open(1, 1, ctypes.byref(descriptor)))
    minute = ctypes.c_int64(MINUTE_NS)
    c.libopa_submit.restype = ctypes.c_int64
    zero = ctypes.c_int64(0)
    assert c.libopa_submit(queue, zero, 0, None, ctypes.c_size_t(5), minute, zero, ctypes.c_uint64(0)) == 0
    c.libopa_shut(queue)


@pytest.mark.parametrize("timeout_ns", [-(2**63), -1, 0])
def test_a_deadline_that_has_passed_is_none_to_come(queue: Queue, timeout_ns: int) -> None:
    queue.submit(prepare("d := 1"), 0, b"{}", timeout_ns=timeout_ns, moment=MOMENT)
    (answer,) = take(queue, 1)
    assert isinstance(answer.error, EngineTimeout)


def test_a_ticket_that_is_none_withdraws_nothing(queue: Queue) -> None:
    handle = prepare("d := 1")
    stale = ask(queue, handle).ticket
    ticket = queue.submit(handle, 0, b"{}", timeout_ns=MINUTE_NS, moment=MOMENT)
    for forged in (stale, 0, -1, ticket + 1, 2**63 - 1):
        queue.withdraw(forged)
    (answer,) = take(queue, 1)
    assert (answer.ticket, answer.result) == (ticket, b"1")


def test_data_is_replaced_without_a_word_of_rego_and_the_old_handle_stays(queue: Queue) -> None:
    old = prepare("d := data.limit", data={"limit": 1})
    new = library().replace_data(old, b'{"limit": 10000000000000000000000001}')
    assert [ask(queue, handle).result for handle in (old, new)] == [b"1", b"10000000000000000000000001"]
    library().close(old)
    assert ask(queue, new).result == b"10000000000000000000000001"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'{"a": 1, "a": 2}', "data: duplicate key in the object that ends at byte 16"),
        (b"[]", "data: the data document is not an object"),
        (b'{"a": {"d": 1}}', "p.rego:3:1: rego_compile_error: conflicting rule for data path a/d found"),
    ],
)
def test_data_that_is_none_is_refused(data: bytes, problem: str) -> None:
    handle = prepare("d := data.limit")
    with pytest.raises(PolicyLoadError) as caught:
        library().replace_data(handle, data)
    assert str(caught.value) == problem


def test_a_result_of_more_than_16_mib_is_an_error_and_a_large_one_comes_whole(queue: Queue) -> None:
    handle = prepare('d := concat("", [input.s | some _ in numbers.range(1, input.times)])')
    text = b"x" * (1 << 20)
    answers = [ask(queue, handle, b'{"s": "%b", "times": %d}' % (text, times)) for times in (15, 17, 1)]
    assert [len(answer.result or b"") for answer in answers] == [15 * len(text) + 2, 0, len(text) + 2]
    assert said(answers[1].error) == (EngineError, "result_too_large")


def test_a_policy_explains_what_it_printed_and_which_rules_applied_on_request(queue: Queue) -> None:
    rego = '# METADATA\n# title: Large\nlarge if input.n > 10\n\nd := "no" if {\n\tlarge\n\tprint("n is", input.n)\n}\n'
    silent, talking = ask(queue, prepare(rego), b'{"n": 11}'), ask(queue, prepare(rego, explain=True), b'{"n": 11}')
    assert (silent.result, silent.notes) == (b'"no"', b"")
    assert (talking.result, json.loads(talking.notes)) == (
        b'"no"',
        {
            "printed": [{"file": "p.rego", "row": 9, "text": "n is 11"}],
            "rules": [
                {"rule": "data.a.large", "file": "p.rego", "row": 5, "title": "Large"},
                {"rule": "data.a.d", "file": "p.rego", "row": 7, "title": ""},
            ],
            "error": "",
            "truncated": False,
        },
    )


def test_statistics_count_what_became_of_evaluations(queue: Queue) -> None:
    before = library().statistics()
    handle = prepare("d := 1 if input.x")
    for document in (b'{"x": true}', b"{}", b"{}", b"{"):
        ask(queue, handle, document)
    after = library().statistics()
    assert (after.results - before.results, after.undefined - before.undefined) == (1, 2)
    assert {kind: number - before.failures[kind] for kind, number in after.failures.items()} == {
        "deadline": 0,
        "evaluation": 0,
        "input": 1,
        "memory": 0,
        "overloaded": 0,
        "withdrawn": 0,
        "internal": 0,
    }
    assert after.handles - before.handles == 1
    assert 0 < after.heap_bytes <= after.memory_bytes
    library().close(handle)
    assert library().statistics().handles == before.handles
