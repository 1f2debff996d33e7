"""Reading ahead and writing behind: order, bounds, errors from either side, no thread left."""

import threading
import time
import weakref

import numpy as np
import pytest
from stand_ins import RATE, Echo, noise

from asteroid_karaoke import audio, files
from asteroid_karaoke.options import OutputOptions
from asteroid_karaoke.pipeline import ahead, behind


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


def numbers(count, fault=None, taken=None):
    for number in range(count):
        if taken is not None:
            taken.append(number)
        yield number
    if fault:
        raise fault


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.parametrize("depth", (1, 2, 100))
def test_all_comes_in_order(depth):
    with ahead(numbers(50), depth) as found:
        assert list(found) == list(range(50))
    assert behind(list, numbers(50), depth) == list(range(50))
    with ahead(numbers(50), depth) as found:
        assert behind(sum, found, depth) == sum(range(50))


def test_so_many_and_no_more_are_taken_ahead():
    taken = []
    with ahead(numbers(50, taken=taken), 3) as found:
        # Three wait, and one is in the hand.
        until(lambda: len(taken) == 4)
        assert next(found) == 0
        until(lambda: len(taken) == 5)
        time.sleep(0.02)
        assert len(taken) == 5


def test_so_many_and_no_more_wait_to_be_consumed():
    taken, most = [], []

    def slowly(items):
        for number in items:
            time.sleep(0.002)
            most.append(len(taken) - number)

    behind(slowly, numbers(50, taken=taken), 2)
    # The one in the consumer's hand, two that wait, and one in ours.
    assert max(most) <= 4


def test_both_ends_work_at_the_same_time():
    """With an item in its hand, one waits for the other to be at the next one."""
    both = threading.Barrier(2, timeout=20)

    def give():
        for number in range(5):
            if number > 0:
                both.wait()
            yield number

    def take(items):
        for number in items:
            if number < 4:
                both.wait()
        return number

    with ahead(give(), 1) as found:
        assert take(found) == 4
    assert behind(take, give(), 1) == 4


def test_errors_come_behind_what_was_had_before_them():
    found = []
    with pytest.raises(ValueError, match="cut"), ahead(numbers(5, ValueError("cut")), 2) as items:
        found += [items.__next__() for _ in range(5)]
        next(items)
    assert found == list(range(5))


@pytest.mark.parametrize("error", (OSError("full"), KeyboardInterrupt("stop")))
def test_errors_of_either_side_come_out_and_stop_the_other(error):
    taken, consumed = [], []

    def fail(items):
        for number in items:
            if number == 7:
                raise error

    with pytest.raises(type(error)) as caught:
        behind(fail, numbers(10**6, taken=taken), 2)
    assert caught.value is error
    assert len(taken) < 20

    def collect(items):
        for number in items:
            consumed.append(number)
        pytest.fail("it took the end for a good one")

    with pytest.raises(type(error)) as caught:
        behind(collect, numbers(5, error), 2)
    assert caught.value is error
    assert consumed == list(range(5))
    with pytest.raises(type(error)), ahead(numbers(10**6, taken=taken), 2):
        raise error


def test_what_was_handed_on_is_not_kept():
    """A block is large: one that waits for the next one must not hold on to the last."""

    class Block:
        pass

    alive = weakref.WeakSet()

    def blocks():
        for _ in range(20):
            block = Block()
            alive.add(block)
            yield block
            del block

    def consume(items):
        most = 0
        for block in items:
            del block
            most = max(most, len(alive))
        return most

    with ahead(blocks(), 2) as found:
        # Three in each of the two threads' hands and queues.
        assert behind(consume, found, 2) <= 7


def test_a_song_is_the_same_with_and_without(tmp_path, monkeypatch):
    audio.write(tmp_path / "song.wav", noise(2, 30 * RATE), 2 * RATE, "FLOAT")
    options = OutputOptions(clip="rescale", overwrite=True)

    def separated():
        paths = files.separate_file(
            Echo(), tmp_path / "song.wav", tmp_path / "out", options, block_seconds=2
        )
        return np.stack([audio.read(path) for path in paths.values()])

    threads = []
    write = files.outputs.write_all

    def noted(*args):
        threads.append(threading.current_thread().name)
        return write(*args)

    monkeypatch.setattr(files.outputs, "write_all", noted)
    with_threads = separated()
    monkeypatch.setattr(files, "behind", lambda consume, items, depth: consume(items))
    np.testing.assert_array_equal(separated(), with_threads)
    assert threads[0].startswith("writing")
    assert not np.array_equal(with_threads[0], with_threads[1])
