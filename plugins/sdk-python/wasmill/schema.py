"""Classes with annotations become named tuples that know which columns they stand for."""

import types
import typing
from collections import namedtuple
from dataclasses import dataclass

Json = typing.NewType("Json", object)
"""Any value, read from JSON text and written as such. So are `dict`, `object` and `typing.Any`."""

Timestamp = typing.NewType("Timestamp", int)
"""Nanoseconds since 1970-01-01 UTC."""

_KINDS = {
    bool: "boolean", int: "integer", float: "float", str: "text", bytes: "bytes",
    Timestamp: "timestamp", Json: "json", dict: "json", object: "json", typing.Any: "json",
}


@dataclass(frozen=True)
class Path:
    """Where a field of an event comes from."""

    path: str


@dataclass(frozen=True)
class Column:
    """What a field of a row is for."""

    name: str = ""
    role: str = "field"
    unit: str = ""
    doc: str = ""


@dataclass(frozen=True)
class Field:
    name: str
    kind: str
    optional: bool
    repeated: bool
    about: Path | Column


class Event(tuple):
    """What `@event` makes."""


class Row(tuple):
    """What `@row` makes."""


def path(path: str) -> typing.Any:
    """`amount: float = path("data.amount")`"""
    return Path(path)


def column(name: str = "", unit: str = "", doc: str = "") -> typing.Any:
    """`total: float = column(unit="EUR", doc="What customers paid.")`"""
    return Column(name, "field", unit, doc)


def tag(name: str = "", doc: str = "") -> typing.Any:
    """`country: str = tag()`"""
    return Column(name, "tag", "", doc)


def time() -> typing.Any:
    """`at: Timestamp = time()`: replaces the row's event time."""
    return Column("", "time")


def event(cls):
    """What is read of an event. A field's path is its name unless `path(..)` says otherwise; `X | None` may be missing."""
    return _tuple(cls, Event, Path)


def row(cls=None, *, extends=True, output="out"):
    """What is written. `extends=False`: a transformer's row has these columns alone, not those of its event."""
    if cls is None:
        return lambda cls: row(cls, extends=extends, output=output)
    made = _tuple(cls, Row, Column)
    made.extends, made.output = extends, output
    return made


def _tuple(cls, base, about):
    fields = []
    for name, annotation in typing.get_type_hints(cls).items():
        given = cls.__dict__.get(name)
        if not isinstance(given, about):
            if given is not None:
                raise TypeError(f"{cls.__name__}.{name}: write {about.__name__.lower()}(..) or nothing, not {given!r}")
            given = Path(name) if about is Path else Column()
        fields.append(Field(name, *_kind(cls, name, annotation), given))
    names = [field.name for field in fields]
    own = {k: v for k, v in cls.__dict__.items() if k not in names and k not in ("__dict__", "__weakref__", "__annotations__")}
    made = type(cls.__name__, (namedtuple(cls.__name__, names), base), {**own, "__slots__": (), "fields": tuple(fields)})
    made.__doc__ = cls.__doc__
    return made


def _kind(cls, name, annotation):
    optional = repeated = False
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        left = [argument for argument in arguments if argument is not type(None)]
        optional, annotation = len(left) < len(arguments), left[0]
        if len(left) != 1:
            raise TypeError(f"{cls.__name__}.{name}: a field has one type, and `| None` where it may be missing")
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is list and arguments:
        repeated, annotation = True, arguments[0]
    kind = _KINDS.get(typing.get_origin(annotation) or annotation)
    if kind is None:
        raise TypeError(f"{cls.__name__}.{name}: {annotation} is no type of a field; there are bool, int, float, str, bytes, "
                        "Timestamp, Json, and lists of these")
    return kind, optional, repeated
