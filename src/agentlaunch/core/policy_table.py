"""Reads one policy's table as a settings file has it: every key checked, every error naming key, table and file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from typing import TypeVar, get_args

from agentlaunch.core.path_globs import anchor_of
from agentlaunch.core.policy import LOCAL, Caps, OverBudget, Policy, Privacy, Role, Route, RouteMatch
from agentlaunch.errors import UserError

Value = TypeVar("Value")

POLICY_KEYS = (
    "privacy",
    "route",
    "fallback",
    "budget_day_usd",
    "budget_session_usd",
    "over_budget",
    "long_context_tokens",
    "never_send",
)
_ROUTE_KEYS = ("name", "role", "min_prompt_tokens", "max_prompt_tokens", "model", "use")
_NEVER_SEND_KEYS = ("paths", "patterns", "secrets")

_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:/\S+)?")
_USE = 'name upstreams in order of preference, as in ["local", "NAME", "NAME/MODEL"]'
_LONGEST_SHOWN = 80


class _Refused(Exception):
    """A value that its parser does not take; `part` is the piece of it that is wrong, None for the whole."""

    def __init__(self, hint: str, part: object = None) -> None:
        super().__init__(hint)
        self.hint = hint
        self.part = part


@dataclass(frozen=True)
class PolicyTable:
    """One table of a settings file: its title as the user writes it (`[policy]`), the file's name, its raw values."""

    title: str
    file: str
    values: Mapping[str, object]

    def policy(self, name: str) -> Policy:
        """The policy that the table writes. Raises UserError `bad-policy`."""
        self._know(POLICY_KEYS)
        return Policy(
            name=name,
            privacy=self._read("privacy", _privacy, Policy.privacy),
            routes=self._routes(),
            fallbacks=self._read("fallback", _references, ()),
            budget_day_usd=self._read("budget_day_usd", _dollars, None),
            budget_session_usd=self._read("budget_session_usd", _dollars, None),
            over_budget=self._read("over_budget", _over_budget, Policy.over_budget),
            caps=self._caps(),
            long_context_tokens=self._read("long_context_tokens", _tokens, Policy.long_context_tokens),
        )

    def _routes(self) -> tuple[Route, ...]:
        raw = self.values.get("route", [])
        title = f"[[{self.title.strip('[]')}.route]]"
        if not isinstance(raw, list) or not all(isinstance(each, Mapping) for each in raw):
            raise bad_policy(f"route in {self.title} of {self.file}", raw, f"write each route as a table: {title}")
        return tuple(PolicyTable(title, self.file, each).route(number) for number, each in enumerate(raw, 1))

    def route(self, number: int) -> Route:
        """The route that the table writes, the `number`th of its policy. Raises UserError `bad-policy`."""
        self._know(_ROUTE_KEYS)
        match = RouteMatch(
            role=self._read("role", _role, None),
            min_prompt_tokens=self._read("min_prompt_tokens", _tokens, None),
            max_prompt_tokens=self._read("max_prompt_tokens", _tokens, None),
            model=self._read("model", _text, ""),
        )
        low, high = match.min_prompt_tokens, match.max_prompt_tokens
        if low is not None and high is not None and low > high:
            raise bad_policy(self._where("max_prompt_tokens"), high, f"its minimum is {low}: write {low} or more")
        if "use" not in self.values:
            raise UserError("bad-policy", f"the {number}. {self.title} of `{self.file}` has no `use`", _USE)
        name = self._read("name", _text, "") or match.role or f"route {number}"
        return Route(name, match, self._read("use", _uses, ()))

    def _caps(self) -> Caps:
        raw = self.values.get("never_send", {})
        title = f"[{self.title.strip('[]')}.never_send]"
        if not isinstance(raw, Mapping):
            raise bad_policy(self._where("never_send"), raw, f"write it as a table: {title}")
        table = PolicyTable(title, self.file, raw)
        table._know(_NEVER_SEND_KEYS)
        return Caps(
            paths=table._read("paths", _globs, ()),
            patterns=table._read("patterns", _patterns, ()),
            built_in_secrets=table._read("secrets", _switch, True),
        )

    def _know(self, known: Sequence[str]) -> None:
        for key in self.values:
            if key not in known:
                near = get_close_matches(key, known, 1)
                hint = f"did you mean `{near[0]}`? " if near else ""
                message = f"unknown key `{key}` in {self.title} of `{self.file}`"
                raise UserError("bad-policy", message, f"{hint}known keys: {', '.join(known)}")

    def _read(self, key: str, parse: Callable[[object], Value], default: Value) -> Value:
        if key not in self.values:
            return default
        raw = self.values[key]
        try:
            return parse(raw)
        except _Refused as refused:
            raise bad_policy(self._where(key), raw if refused.part is None else refused.part, refused.hint) from None

    def _where(self, key: str) -> str:
        return f"{key} in {self.title} of {self.file}"


def bad_policy(where: str, raw: object, hint: str) -> UserError:
    """The error for a value: `where` names key, table and file, the hint says what is allowed."""
    shown = str(raw)
    shown = shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}..."
    return UserError("bad-policy", f"{where} cannot be `{shown}`", hint)


def _privacy(raw: object) -> Privacy:
    for known in get_args(Privacy):
        if raw == known:
            found: Privacy = known
            return found
    raise _Refused(f"allowed: {', '.join(get_args(Privacy))}")


def _over_budget(raw: object) -> OverBudget:
    for known in get_args(OverBudget):
        if raw == known:
            found: OverBudget = known
            return found
    raise _Refused(f"allowed: {', '.join(get_args(OverBudget))}")


def _role(raw: object) -> Role | None:
    for known in get_args(Role):
        if raw == known:
            found: Role = known
            return found
    raise _Refused(f"allowed: {', '.join(get_args(Role))}")


def _text(raw: object) -> str:
    if isinstance(raw, str) and raw.strip():
        return raw
    raise _Refused("write a text in quotes")


def _tokens(raw: object) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool) and raw > 0:
        return raw
    raise _Refused("write whole tokens, as in 60000")


def _dollars(raw: object) -> float | None:
    if isinstance(raw, int | float) and not isinstance(raw, bool) and raw >= 0 and isfinite(raw):
        return float(raw)
    raise _Refused("write US dollars, as in 5.0; 0 spends nothing; leave it away for no limit")


def _switch(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    raise _Refused("write true or false")


def _references(raw: object) -> tuple[str, ...]:
    words = _texts(raw, _USE)
    for word in words:
        if not _REFERENCE.fullmatch(word):
            raise _Refused(_USE, word)
        if word.startswith(f"{LOCAL}/"):
            raise _Refused("`local` is the launch's own model, and takes no other: write `local`", word)
    return words


def _uses(raw: object) -> tuple[str, ...]:
    found = _references(raw)
    if not found:
        raise _Refused(_USE)
    return found


def _globs(raw: object) -> tuple[str, ...]:
    globs = _texts(raw, 'write globs of paths, as in ["**/secrets/**", "*.pem"]')
    for glob in globs:
        if len(anchor_of(glob)) < 2:
            raise _Refused("a glob needs two letters of a name, or it would match everything", glob)
    return globs


def _patterns(raw: object) -> tuple[str, ...]:
    patterns = _texts(raw, 'write regular expressions, as in ["ACME-[0-9]{8}"]')
    for pattern in patterns:
        try:
            matches_empty = re.compile(pattern).search("") is not None
        except re.error as error:
            raise _Refused(f"it is no regular expression: {error}", pattern) from error
        if matches_empty:
            raise _Refused("it matches the empty text, and would keep everything here", pattern)
    return patterns


def _texts(raw: object, hint: str) -> tuple[str, ...]:
    if not isinstance(raw, list):
        raise _Refused(hint)
    for each in raw:
        if not isinstance(each, str) or not each.strip():
            raise _Refused(hint, each)
    return tuple(raw)
