"""TOML into sections, field by field, so that one fault does not hide the next."""

from __future__ import annotations

import difflib
import typing
from pathlib import Path
from typing import Any, TypeVar

import msgspec

S = TypeVar("S", bound=msgspec.Struct)


def read(kind: type[S], data: Any, at: str, problems: list[str]) -> S | None:
    """Convert field by field, so that one fault does not hide the next."""
    if not isinstance(data, dict):
        problems.append(f"{at or 'file'}: expected a table, got {type(data).__name__}; write [{at}] and keys below it")
        return None
    found = len(problems)
    names = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
    hints = typing.get_type_hints(kind)
    tag = kind.__struct_config__.tag_field
    for key in data.keys() - names.keys() - {tag}:
        near = difflib.get_close_matches(key, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(sorted(names))}"
        problems.append(f"{_place(at, key)}: unknown key; {hint}")
    values = {
        name: _value(hints[name], data[key], _place(at, key), problems) for key, name in names.items() if key in data
    }
    missing = {f.encode_name for f in msgspec.structs.fields(kind) if f.required} - data.keys()
    problems.extend(f"{_place(at, key)}: missing; add it" for key in sorted(missing))
    return kind(**values) if len(problems) == found else None


def _value(hint: Any, value: Any, at: str, problems: list[str]) -> Any:
    args = typing.get_args(hint)
    structs = [each for each in (hint, *args) if isinstance(each, type) and issubclass(each, msgspec.Struct)]
    if typing.get_origin(hint) is dict and structs and isinstance(value, dict):
        return {name: read(structs[0], each, _place(at, name), problems) for name, each in value.items()}
    if typing.get_origin(hint) is list and structs and isinstance(value, list):
        return [read(structs[0], each, f"{at}[{number}]", problems) for number, each in enumerate(value, start=1)]
    if len(structs) == 1 and structs[0].__struct_config__.tag is None:
        return read(structs[0], value, at, problems)
    try:
        return msgspec.convert(value, hint, dec_hook=_path)
    except msgspec.ValidationError as error:
        what = str(error).split(" - at ")[0].rstrip(".")
        hint_text = '; write durations like "PT5M"' if "duration" in what else ""
        problems.append(f"{at}: {what[0].lower()}{what[1:]}{hint_text}")
        return None


def _path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(f"expected a {kind.__name__.lower()}, got {value!r}")


def _place(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key
