"""What can be told about a model file before anything is started with it; imported on the way of every launch."""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from agentlaunch.core.gguf import GgufError, GgufHeader, Reader, parse_gguf
from agentlaunch.errors import AgentlaunchError, MachineError, UserError


@dataclass(frozen=True)
class ModelFacts:
    """A model file that can be loaded with `context_window` tokens. `file_bytes` counts all parts of a split model."""

    path: Path
    file_bytes: int
    context_window: int
    header: GgufHeader


def check_model(path: Path, context_window: int) -> ModelFacts:
    """The facts of the model at `path`, or why llama.cpp could not serve `context_window` tokens with it.

    Raises UserError `model-not-found`, `model-path-not-utf8`, `not-a-gguf`, `context-too-large`, MachineError
    `gguf-truncated`, and others of GgufFault. Reads the header only: 15 ms for a vocabulary of 49,152 tokens. Opens
    regular files only: a pipe would wait for its writer for ever.
    """
    _require_name(path)
    parts = model_parts(path)
    headers = [_header(part) for part in parts]
    header = headers[0]
    trained = header.context_length
    if trained is not None and context_window > trained:
        raise UserError(
            "context-too-large",
            f"a context of `{context_window:,}` tokens is more than `{path.name}` was trained for: `{trained:,}`",
            f"use at most that: --context {trained}",
        )
    return ModelFacts(path, sum(part.stat().st_size for part in parts), context_window, header)


def _require_name(path: Path) -> None:
    """Raises UserError `model-not-found` for what no file can be called: any other question about it would raise.

    And `model-path-not-utf8`: names are bytes on POSIX, and JSON between us and the engine carries text.
    """
    try:
        path.lstat()
    except ValueError as error:  # a NUL, which a settings file can hold
        raise _no_name(path, "no name has a NUL in it") from error
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.EINVAL):
            raise _no_name(path, error.strerror or str(error)) from error
        return  # whoever opens it says that it is not there
    try:
        os.fsencode(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            "model-path-not-utf8",
            f"llama.cpp cannot be told of `{path}`: its name, or a folder's above it, is not UTF-8",
            "give it another name: mv OLD NEW",
        ) from error


def _no_name(path: Path, why: str) -> UserError:
    shown = str(path) if len(str(path)) <= _SHOWN_NAME else f"{str(path)[:_SHOWN_NAME]}..."
    return UserError(
        "model-not-found", f"`{shown}` cannot be a file: {why}", "name a .gguf file: --model PATH/TO/MODEL.gguf"
    )


_SHOWN_NAME = 120
"""Characters of a name that is too long."""


def model_parts(path: Path) -> list[Path]:
    """The files of the model: `path`, or all parts of a split one, which llama.cpp finds by their names.

    Raises UserError `model-not-found` for a part that is not the first.
    """
    split = re.fullmatch(r"(.*)-(\d{5})-of-(\d{5})\.gguf", path.name)
    if split is None or not os.path.exists(path):  # noqa: PTH110 - Path.exists raises where it may not look
        return [path]
    stem, first, count = split[1], int(split[2]), int(split[3])
    if first != 1:
        raise UserError(
            "model-not-found",
            f"`{path}` is part {first} of {count} of a model, which is named by its first part",
            f"name the first part: --model {path.with_name(f'{stem}-00001-of-{count:05}.gguf')}",
        )
    return [path.with_name(f"{stem}-{number:05}-of-{count:05}.gguf") for number in range(1, count + 1)]


def _header(path: Path) -> GgufHeader:
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise _not_regular(path)
        with path.open("rb") as file:
            header = parse_gguf(_reader(file))
            has = file.seek(0, 2)
    except OSError as error:
        raise _unreadable(path, error) from error
    except GgufError as error:
        raise _refused(path, error) from error
    if has < header.tensor_bytes_end:
        expected = header.tensor_bytes_end
        message = f"`{path}` is cut off: expected {expected:,} bytes, has {has:,}"
        raise MachineError("gguf-truncated", message, _DOWNLOAD_AGAIN)
    return header


_DOWNLOAD_AGAIN = "download the file again; it was probably interrupted"


def _reader(file: BinaryIO) -> Reader:
    def read(offset: int, length: int) -> bytes:
        file.seek(offset)
        return file.read(length)

    return read


def _not_regular(path: Path) -> UserError:
    return UserError(
        "not-a-gguf", f"`{path}` is no regular file", "copy what it gives into a file, then: --model PATH/TO/MODEL.gguf"
    )


def _unreadable(path: Path, error: OSError) -> AgentlaunchError:
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for a folder that may not be searched
        found = sorted(entry.name for entry in path.glob("*.gguf"))
        hint = f"name the file: --model {path / found[0]}" if found else "name a .gguf file: --model PATH/TO/MODEL.gguf"
        return UserError("model-not-found", f"`{path}` is a folder, not a model file", hint)
    if isinstance(error, FileNotFoundError):
        near = sorted(entry.name for entry in path.parent.glob("*.gguf"))[:3] if path.parent.is_dir() else []
        hint = f"name a file that exists: --model {path.parent / near[0]}" if near else "see which there are: ls *.gguf"
        return UserError("model-not-found", f"there is no model file `{path}`", hint)
    return MachineError("model-not-readable", f"cannot read `{path}`: {error.strerror or error}", f"see: ls -l {path}")


def _refused(path: Path, error: GgufError) -> AgentlaunchError:
    message = f"`{path}`: {error}"
    match error.kind:
        case "not-a-gguf":
            return UserError(error.kind, message, "name a .gguf file: --model PATH/TO/MODEL.gguf")
        case "gguf-truncated":
            return MachineError(error.kind, message, _DOWNLOAD_AGAIN)
        case "gguf-unsupported" | "gguf-damaged":
            return MachineError(error.kind, message, "download a current little-endian GGUF of this model")
