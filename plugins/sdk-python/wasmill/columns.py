"""Columns of the contract to lists of values, and back."""

import json
from itertools import chain

from wit_world.imports import types as wit

_KINDS = {kind.name.lower(): kind for kind in wit.Kind}
_ROLES = {role.name.lower(): role for role in wit.Role}


def reads(cls):
    """The fields of an `@event`."""
    fields = cls.fields if cls else ()
    return [wit.Field(f.name, f.about.path, _KINDS[f.kind], f.optional, f.repeated, False) for f in fields]


def output(cls):
    """The output of a `@row`."""
    fields = [
        wit.OutputField(f.about.name or f.name, _KINDS[f.kind], f.optional, f.repeated, _ROLES[f.about.role], f.about.unit, f.about.doc)
        for f in cls.fields
    ]
    return wit.Output(cls.output, fields, cls.extends)


def events(cls, rows, columns):
    """One object a row."""
    if cls is None or not cls.fields:
        return [None] * rows
    columns = iter(columns)
    return map(cls._make, zip(*(_read(field, columns) for field in cls.fields)))


def _read(field, columns):
    column = next(columns)
    if field.repeated:
        elements = _values(next(columns), field.kind == "json")
        ends = column.values.value
        values = [elements[start:end] for start, end in zip(chain((0,), ends), ends)]
    else:
        values = _values(column, field.kind == "json")
    return _with_nulls(values, column.valid)


def key(column):
    return _with_nulls(_values(column, False), column.valid)


def _with_nulls(values, valid):
    if not valid:
        return values
    return [value if there else None for value, there in zip(values, valid)]


def _values(column, parse):
    values, held = column.values, column.values.value
    if isinstance(values, (wit.Values_Floats, wit.Values_Integers)):
        return held
    if isinstance(values, wit.Values_Booleans):
        return [value != 0 for value in held]
    if isinstance(values, wit.Values_Dictionary):
        texts = _texts(held.values)
        return [texts[code] for code in held.codes]
    if isinstance(values, wit.Values_Blobs):
        return [held.data[start:end] for start, end in zip(chain((0,), held.ends), held.ends)]
    texts = _texts(held)
    # A null is an empty text.
    return [json.loads(text) if text else None for text in texts] if parse else texts


def _texts(strings):
    spans = zip(chain((0,), strings.ends), strings.ends)
    if strings.data.isascii():
        text = strings.data.decode()
        return [text[start:end] for start, end in spans]
    return [strings.data[start:end].decode() for start, end in spans]


def write(cls, rows):
    """The columns of some rows."""
    columns = []
    values = zip(*rows) if rows else ((),) * len(cls.fields)
    for field, values in zip(cls.fields, values):
        valid = b""
        if None in values:
            valid = bytes(value is not None for value in values)
            empty = _EMPTY[field.kind] if not field.repeated else ()
            values = [empty if value is None else value for value in values]
        if field.repeated:
            ends, end = [], 0
            for value in values:
                end += len(value)
                ends.append(end)
            columns.append(wit.Column(wit.Values_Lists(ends), valid))
            values, valid = list(chain.from_iterable(values)), b""
        columns.append(wit.Column(_lower(field.kind, values), valid))
    return columns


_EMPTY = {"boolean": False, "integer": 0, "timestamp": 0, "float": 0.0, "text": "", "bytes": b"", "json": ""}


def _lower(kind, values):
    if kind == "float":
        return wit.Values_Floats([float(value) for value in values])
    if kind in ("integer", "timestamp"):
        return wit.Values_Integers(list(values))
    if kind == "boolean":
        return wit.Values_Booleans(bytes(map(bool, values)))
    if kind == "json":
        values = [value if value == "" else json.dumps(value) for value in values]
    if kind == "bytes":
        return wit.Values_Blobs(pack(values))
    return wit.Values_Texts(pack([value.encode() for value in values]))


def pack(values):
    """Byte strings end to end."""
    ends, end = [], 0
    for value in values:
        end += len(value)
        ends.append(end)
    return wit.Strings(ends, b"".join(values))


def unpack(strings):
    return [strings.data[start:end] for start, end in zip(chain((0,), strings.ends), strings.ends)]
