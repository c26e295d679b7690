"""What is being done, in a sentence that also tells how far its work is."""

from collections.abc import Callable

Say = Callable[[str], None]
"""Told what is being done; a `Step` among the sentences tells how far that is."""
Progress = Callable[[float], None]
"""Told which share is done, from 0 to 1."""


class Step(str):
    """A sentence, and which share of a piece of work is done as it is told.

    The same sentence told again is the same step, further on. Whoever takes only sentences may
    take it as one.

    Attributes:
        work: What the share is of: a piece of work may have many steps.
        share: From 0 to 1.

    Example:
        >>> step = Step("computing features", 0.25)
        >>> step == "computing features", step.work, step.share
        (True, 'computing features', 0.25)
    """

    __slots__ = ("share", "work")
    share: float
    work: str

    def __new__(cls, text: str, share: float, *, work: str | None = None) -> "Step":
        """A step of some work; by default of the one that the sentence tells."""
        step = super().__new__(cls, text)
        step.share, step.work = share, work or text
        return step


def numbered(text: str, place: int, of: int, *, work: str) -> Step:
    """One of several equal steps of some work, which begins now; a single one has no number.

    Example:
        >>> step = numbered("refitting as of 1997-10-03", 2, 4, work="backtest")
        >>> print(step, step.share)
        refitting as of 1997-10-03 (2 of 4) 0.25
    """
    told = f"{text} ({place:,} of {of:,})" if of > 1 else text
    return Step(told, (place - 1) / of, work=work)


def told(say: Say, text: str) -> Progress:
    """Tell a sentence now, and take the share of its work that is done from then on."""
    say(text)
    return lambda share: say(Step(text, share))


def within(say: Say, step: Step, of: int) -> Progress:
    """Take the share of one of several equal steps that is done."""
    return lambda share: say(Step(step, step.share + share / of, work=step.work))


def unheard(_: object) -> None:
    """Takes sentences or shares for nobody."""
