"""The exports of the contract, over the one plugin that an author's file holds."""

import json
import traceback
from itertools import repeat

from componentize_py_types import Err
from wit_world.imports import types as wit

from . import columns
from .plugin import Aggregator, Emission, Reject, Transformer
from .schema import Row

_about = ("", "", "")
_plugin = None
_outputs = ()
_slots = {}


def install(module, name, version, doc):
    """Finds the plugin in the author's module."""
    global _about, _plugin, _outputs
    found = [
        value for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, (Transformer, Aggregator)) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise TypeError(f"{module.__name__}.py holds {len(found)} plugins: write one Transformer or one Aggregator into it")
    _about, _plugin = (name, version, doc), found[0]
    writes = _plugin.writes
    _outputs = () if writes is None else writes if isinstance(writes, tuple) and not issubclass(type(writes), Row) else (writes,)


def _descriptor(aggregates):
    outputs = [columns.output(cls) for cls in _outputs] or [wit.Output("out", [], True)]
    if aggregates:
        for output in outputs:
            output.extends = False
    return wit.Descriptor(*_about, columns.reads(_plugin.reads), outputs, [])


def _reason(error):
    """A reject's own words; for any other exception also where it was raised."""
    if isinstance(error, Reject):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"


class _Rows:
    """Rows of a call, by output, with their origins."""

    def __init__(self):
        self.rows = [[] for _ in _outputs]
        self.origins = [[] for _ in _outputs]

    def put(self, origin, result):
        if result is None:
            return
        for row in (result,) if isinstance(result, Row) else tuple(result):
            place = 0 if len(_outputs) == 1 else _outputs.index(type(row))
            self.rows[place].append(row)
            self.origins[place].append(origin)

    def emitted(self, inputs):
        outputs = zip(_outputs, self.rows, self.origins)
        return [wit.Emitted(len(rows), _short(origins, inputs), columns.write(cls, rows)) for cls, rows, origins in outputs]


def _short(origins, inputs):
    """One row for each input needs no origins."""
    return [] if len(origins) == inputs and origins == list(range(inputs)) else origins


class Transform:
    plugin = None

    def configure(self, config):
        try:
            Transform.plugin = _plugin(json.loads(config))
        except Exception as error:
            raise Err(str(error) or type(error).__name__) from error
        return _descriptor(False)

    def transform(self, input):
        transform, rejects = Transform.plugin.transform, []
        events = columns.events(_plugin.reads, input.rows, input.columns)
        if not _outputs:
            return self.filter(transform, events, input.rows)
        rows = _Rows()
        for number, event in enumerate(events):
            try:
                rows.put(number, transform(event))
            except Exception as error:
                rejects.append(wit.Reject(number, _reason(error)))
        return wit.Results(rows.emitted(input.rows), rejects)

    def filter(self, keep, events, inputs):
        origins, rejects = [], []
        for number, event in enumerate(events):
            try:
                if keep(event):
                    origins.append(number)
            except Exception as error:
                rejects.append(wit.Reject(number, _reason(error)))
        return wit.Results([wit.Emitted(len(origins), _short(origins, inputs), [])], rejects)


class Aggregate:
    def configure(self, config):
        try:
            config = json.loads(config)
            _plugin.check(config)
            _plugin.config = config
            _plugin()
        except Exception as error:
            raise Err(str(error) or type(error).__name__) from error
        return _descriptor(True)

    def accumulate(self, input, rows, slots):
        rejects, add = [], _plugin.add
        events = columns.events(_plugin.reads, input.rows, input.columns)
        if rows:
            events = list(events)
            pairs = zip(rows, map(events.__getitem__, rows), slots)
        elif _plugin.reads is None:
            pairs = zip(range(len(slots)), repeat(None), slots)
        else:
            pairs = zip(range(len(slots)), events, slots)
        for number, event, slot in pairs:
            try:
                add(_state(slot), event)
            except Reject as reject:
                rejects.append(wit.Reject(number, str(reject)))
            except Exception as error:
                # What it had changed of the state is not known.
                raise Err(_reason(error)) from error
        return rejects

    def merge(self, into, other):
        for into, other in zip(into, other):
            if other in _slots:
                _state(into).merge(_slots[other])

    def emit(self, slots, windows, keys, firing):
        windows = windows * len(slots) if len(windows) == 1 else windows
        keys = list(zip(*map(columns.key, keys))) if keys else [()] * len(slots)
        firing, rows = firing.name.lower().replace("_", "-"), _Rows()
        for number, (slot, window, key) in enumerate(zip(slots, windows, keys)):
            state = _slots.get(slot) or _plugin()
            try:
                rows.put(number, state.emit(Emission(window.start, window.end, key, firing)))
            except Exception as error:
                raise Err(_reason(error)) from error
        return wit.Results(rows.emitted(len(slots)), [])


def _state(slot):
    state = _slots.get(slot)
    if state is None:
        state = _slots[slot] = _plugin()
    return state


class State:
    def versions(self):
        from wit_world.exports.state import StateVersions
        restores = getattr(_plugin, "restores", (_plugin.version,))
        return StateVersions(_plugin.version, list(restores))

    def snapshot(self, slots):
        return columns.pack([(_slots.get(slot) or _plugin()).snapshot() for slot in slots])

    def restore(self, slots, version, states):
        for slot, state in zip(slots, columns.unpack(states)):
            fresh = _plugin()
            fresh.restore(version, state)
            _slots[slot] = fresh

    def forget(self, slots):
        for slot in slots:
            _slots.pop(slot, None)
