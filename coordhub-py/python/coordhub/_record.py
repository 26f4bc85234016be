"""What all of the hub's objects are made of: the JSON of the contract, read when it is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Self, dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Callable[[Any], Any]:
        """Tells type checkers alone."""
        return lambda decorated: decorated


T = TypeVar("T")

_MISSING: Any = object()


def time_of(text: str) -> datetime:
    """Reads the hub's RFC 3339. ``fromisoformat`` of Python 3.10 does not know ``Z``."""
    return datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)


def time_text(time: datetime) -> str:
    """Writes a time as the hub does: UTC, milliseconds, ``Z``."""
    return time.astimezone(timezone.utc).isoformat(timespec="milliseconds")[:-6] + "Z"


def plain(value: Any) -> Any:
    """What stands for ``value`` in JSON: records as their objects, times as text, any iterable as a list."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("has no time zone; give one, such as datetime.now(timezone.utc)")
        return time_text(value)
    if isinstance(value, timedelta):
        return time_text(datetime.now(timezone.utc) + value)
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return value


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Record:
    """An object of the hub's: its fields are attributes, and nothing can set them."""

    _known: ClassVar[tuple[str, ...]] = ()
    """The names of the fields."""
    _shown: ClassVar[tuple[str, ...]] = ()
    """The fields that tell one object from another at a glance. The first tells it from all others."""
    _renamed: ClassVar[Mapping[str, str]] = {}
    """What a field is called in JSON, where that is a word of Python's own."""
    _kinds: ClassVar[dict[str, type[Record]]] = {}
    """Every class of records by its name, for the fields that hold some."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        Record._kinds[cls.__name__] = cls
        own = {n: a for n, a in cls.__dict__.get("__annotations__", {}).items() if n[0] != "_"}
        cls._known = tuple(dict.fromkeys((*cls._known, *own)))
        for name, annotation in own.items():
            key, read = cls._renamed.get(name, name), _reader(annotation)
            # Whatever is JSON as it stands is an attribute by itself.
            if read is not None or key != name:
                setattr(cls, name, _lazy(key, read, cls.__dict__.get(name, _MISSING)))

    if not TYPE_CHECKING:

        def __init__(self, **fields: Any) -> None:
            unknown = sorted(set(fields) - set(self._known))
            if unknown:
                raise TypeError(f"{type(self).__name__} has no {', '.join(unknown)}")
            named = {self._renamed.get(name, name): plain(item) for name, item in fields.items()}
            object.__setattr__(self, "__dict__", named)

        def __setattr__(self, name: str, value: Any) -> NoReturn:
            raise AttributeError(f"{type(self).__name__}.{name} cannot be set")

        def __delattr__(self, name: str) -> NoReturn:
            raise AttributeError(f"{type(self).__name__}.{name} cannot be deleted")

        def __eq__(self, other: object) -> bool:
            if type(other) is not type(self):
                return NotImplemented
            return self.__dict__ == other.__dict__

        def __hash__(self) -> int:
            return hash((type(self), repr(getattr(self, self._shown[0], None))))

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Reads the contract's JSON object, which is the record's from then on. What a newer hub adds to it is kept."""
        record = object.__new__(cls)
        # The object is its JSON: nothing is copied, and nothing read before it is looked at.
        object.__setattr__(record, "__dict__", fields)
        return record

    def to_dict(self) -> dict[str, Any]:
        """The contract's JSON object: plain values, times as RFC 3339 text. Changing it changes nothing else."""
        return deepcopy(self.__dict__)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_dict, (self.__dict__,)

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name, None)!r}" for name in self._shown)
        return f"{type(self).__name__}({', '.join(shown)})"


def _lazy(key: str, read: Callable[[Any], Any] | None, default: Any) -> property:
    """Makes a field what its annotation says, whenever it is asked for."""

    def value(self: Any) -> Any:
        found = self.__dict__.get(key, default)
        if found is _MISSING:
            raise AttributeError(f"the hub sent no {key}")
        return found if found is None or found is default or read is None else read(found)

    return property(value)


def _reader(annotation: str) -> Callable[[Any], Any] | None:
    annotation = annotation.removesuffix(" | None")
    if annotation == "datetime":
        return time_of
    if annotation.startswith("tuple["):
        each = _reader(annotation[len("tuple[") : -len(", ...]")])
        return tuple if each is None else lambda items: tuple(map(each, items))
    kind = Record._kinds.get(annotation)
    return None if kind is None else kind.from_dict


class Page(tuple[T, ...]):
    """A part of a list. ``next`` is the position it was read up to: give it as ``after`` for the next page."""

    next: int

    @classmethod
    def read(
        cls, plural: str, read: Callable[[dict[str, Any]], T], reply: Mapping[str, Any]
    ) -> Self:
        """Reads the contract's list."""
        page = cls(map(read, reply[plural]))
        # The rest of the answer: `next`, and what else a list of this kind knows.
        page.__dict__.update((k, v) for k, v in reply.items() if k not in (plural, "count"))
        return page
