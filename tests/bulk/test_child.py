import io
import os
import pickle
import threading

from injected import Wrong, planned, put

from h5vidstack.bulk.child import READY, receive, send, work_at


def talk(*tasks):
    """The answers of a child to some tasks, and whether it waits for more."""
    ask, asked = os.pipe()
    answers, answer = os.pipe()
    with os.fdopen(ask, "rb") as inner, os.fdopen(answer, "wb") as outer:
        child = threading.Thread(target=work_at, args=(inner, outer))
        child.start()
        with os.fdopen(asked, "wb") as parent, os.fdopen(answers, "rb") as heard:
            assert receive(heard) == READY
            found = []
            for task in tasks:
                send(parent, pickle.dumps((Wrong(), planned(task))))
                found.append(pickle.loads(receive(heard)))
        child.join()
    return found


def test_one_file_after_another():
    put("a", "b")
    assert [one.result.name for one in talk("a", "b")] == ["a", "b"]
    assert talk() == []


def test_after_a_bug_a_child_takes_no_more():
    put("a", "bug")
    assert [one.ends for one in talk("a", "bug")] == [False, True]


def test_messages():
    stream = io.BytesIO()
    for message in (b"", b"one", bytes(100_000)):
        send(stream, message)
    stream.seek(0)
    assert [receive(stream) for _ in range(4)] == [b"", b"one", bytes(100_000), None]
    cut = io.BytesIO(stream.getvalue()[:9])
    assert [receive(cut), receive(cut)] == [b"", None]
