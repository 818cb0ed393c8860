"""What an author derives from."""

import json


class Reject(Exception):
    """This row is bad: it goes to the dead letters with this reason, and the rest goes on."""


class Transformer:
    """A row becomes 0, 1 or many.

    `reads`: an `@event` class, or `None`. `writes`: a `@row` class, a tuple of several with different outputs, or `None` for a filter.
    """

    reads = None
    writes = None

    def __init__(self, config: dict):
        """Raise to refuse the configuration; the text is shown to the user."""

    def transform(self, event):
        """Return a row, `None`, or an iterable of rows; a filter returns whether the event stays. Raise `Reject` to refuse it."""
        raise NotImplementedError


class Aggregator:
    """The rows of a key in a window become a state, which is what the object holds; the state becomes rows.

    `version` is that of the state: raise it when the state changes its form, and read the old ones in `restore`.
    """

    reads = None
    writes = None
    version = 1
    config: dict = {}

    @classmethod
    def check(cls, config: dict):
        """Raise to refuse the configuration."""

    def __init__(self):
        """The empty state, the identity of `merge`. `self.config` is there already."""

    def add(self, event):
        """Raise `Reject` before anything of the state has changed."""
        raise NotImplementedError

    def merge(self, other):
        """In any order, any number of times; `other` stays as it is."""
        raise NotImplementedError

    def emit(self, at):
        """Return a row, `None` or an iterable of rows. `at` is an `Emission`."""
        raise NotImplementedError

    def snapshot(self) -> bytes:
        """The state as bytes: JSON of the object's attributes, unless it holds something else."""
        return json.dumps(vars(self), separators=(",", ":")).encode()

    def restore(self, version: int, state: bytes):
        if version != self.version:
            raise ValueError(f"version {version} of the state is not known")
        vars(self).update(json.loads(state))


class Emission:
    """Which window and key a result is for, and why now: `early`, `on-time` or `late`."""

    __slots__ = ("start", "end", "key", "firing")

    def __init__(self, start, end, key, firing):
        self.start, self.end, self.key, self.firing = start, end, key, firing
