"""Answers to what a page or a widget asks about one stack."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import Error, FileChangedError, QueryError
from ..reading.stack_reader import StackReader
from ..shapes import Pixels
from .page_facts import frame_facts, sample_dtype, stack_facts
from .regions import Region, read_region
from .time_line import TimeLine, likeness, read_time_line, strip

MOST_BINS = 8192
"""The most bins of a strip along all frames."""
MOST_FOUND = 100
"""The most similar frames of one answer."""
LARGEST_FACTOR = 1 << 12
"""The most that a region is made smaller."""

Question = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What is sent back: facts as JSON has them, and samples.

    Attributes
    ----------
    facts
        ``{"problem": ..., "kind": ...}`` where the question has no answer.
    samples
        Little-endian.
    """

    facts: dict[str, Any]
    samples: bytes | memoryview = field(default=b"", repr=False)


class Answers:
    """Answers questions about a stack; may be used from many threads.

    A question is a mapping: ``{"ask": "frames", "numbers": [3, 4], ...}``. What may be asked is
    ``stack`` (all that the page needs to show it), ``frames`` (samples of a region), ``frame``
    (what is known of one), ``strip`` (piles and copies along all frames) and ``similar``.

    Parameters
    ----------
    stack
        An open stack; whoever opened it closes it.
    """

    def __init__(self, stack: StackReader) -> None:
        self.stack = stack
        self._line: TimeLine | None = None
        self._reading = threading.Lock()
        self._known: dict[str, Callable[[Question], Answer]] = {
            "stack": lambda _: Answer(stack_facts(self.stack)),
            "frames": self._frames,
            "frame": self._frame,
            "strip": self._strip,
            "similar": self._similar,
        }

    def answer(self, question: Any) -> Answer:
        """Answer a question; errors are answers, too: a sentence, and the name of their class."""
        try:
            asked = question.get("ask") if isinstance(question, Mapping) else None
            if asked not in self._known:
                raise QueryError(f"no question {asked!r}; ask one of {', '.join(self._known)}")
            return self._known[asked](question)
        except (Error, OSError, MemoryError) as error:
            return Answer(problem(error))

    def _frames(self, question: Question) -> Answer:
        """Give samples of a region of some frames.

        If one of the frames is damaged, each is read alone, and ``problems`` says which cannot be.
        """
        numbers = question.get("numbers")
        if not isinstance(numbers, list):
            raise QueryError("numbers must be a list of frames")
        _, height, width = self.stack.shape[:3]
        region = Region(
            tuple(_whole({"numbers": number}, "numbers") for number in numbers),
            _pair(question, "rows", height),
            _pair(question, "columns", width),
            _whole(question, "factor", 1, LARGEST_FACTOR),
        )
        problems: dict[str, str] = {}
        try:
            samples = read_region(self.stack, region)
        except (FileChangedError, QueryError):
            raise
        except Error:
            if len(numbers) == 1:
                raise
            samples, problems = self._one_by_one(region)
        plain = np.ascontiguousarray(samples, sample_dtype(samples.dtype))
        facts = {"numbers": numbers, "shape": samples.shape[1:], "problems": problems}
        return Answer(facts, plain.reshape(-1).view(np.uint8).data)

    def _one_by_one(self, region: Region) -> tuple[Pixels, dict[str, str]]:
        """Read frames of which at least one cannot be read; those have the value 0."""
        problems: dict[str, str] = {}
        frame = region.samples(self.stack.shape[1:])
        samples = np.zeros((len(region.numbers), *frame), self.stack.dtype)
        for place, number in enumerate(region.numbers):
            try:
                alone = dataclasses.replace(region, numbers=(number,))
                samples[place] = read_region(self.stack, alone)[0]
            except FileChangedError:
                raise
            except Error as found:
                problems[str(number)] = _sentence(found)
        return samples, problems

    def _frame(self, question: Question) -> Answer:
        number = self._number(question)
        return Answer(frame_facts(self.stack, number, self._time_line()))

    def _strip(self, question: Question) -> Answer:
        line = self._time_line()
        pile, copies = strip(line, _whole(question, "bins", 1, MOST_BINS))
        facts = {"bins": len(pile), "piles": line.piles, "copies": int(line.copies.sum())}
        return Answer(facts, pile.astype("<u4").tobytes() + copies.tobytes())

    def _similar(self, question: Question) -> Answer:
        """Find frames like one of the stack; the samples are distances of hashes, for a strip."""
        number = self._number(question)
        bins = _whole(question, "bins", 1, MOST_BINS)
        count = _whole(question, "count", 1, MOST_FOUND)
        distances = likeness(self.stack, number, bins)
        line = self._time_line()
        found = [
            dataclasses.asdict(match)
            | {"same": bool(line.first[match.frame] == line.first[number])}
            for match in self.stack.find(self.stack.read(number), count + 1)
            if match.frame != number
        ]
        return Answer({"matches": found[:count], "bins": len(distances)}, distances.tobytes())

    def _number(self, question: Question) -> int:
        return _whole(question, "number", 0, self.stack.shape[0] - 1)

    def _time_line(self) -> TimeLine:
        with self._reading:
            if self._line is None:
                self._line = read_time_line(self.stack)
            return self._line


def problem(error: BaseException) -> dict[str, Any]:
    """Return an error as an answer's facts."""
    return {"problem": _sentence(error), "kind": type(error).__name__}


def _sentence(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _whole(question: Question, name: str, least: int = 0, most: int = (1 << 53)) -> int:
    """Return a whole number that was given."""
    value = question.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise QueryError(f"{name} is {value!r}; it must be a whole number from {least} to {most}")
    return value


def _pair(question: Question, name: str, edge: int) -> tuple[int, int]:
    """Return where rows or columns begin and end; all of them where nothing is given."""
    value = question.get(name, [0, edge])
    if not isinstance(value, list) or len(value) != 2:
        raise QueryError(f"{name} is {value!r}; it must be two numbers")
    start, stop = (_whole({name: number}, name) for number in value)
    return start, stop
