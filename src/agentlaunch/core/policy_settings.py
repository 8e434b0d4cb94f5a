"""Which policy holds: the settings files' policies, the one that was named, and what a folder's file makes stricter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from agentlaunch.core.policy import Caps, Policy, Privacy
from agentlaunch.core.policy_table import POLICY_KEYS, PolicyTable, bad_policy
from agentlaunch.errors import UserError

DEFAULT_POLICY = "default"
"""The policy of `[policy]`, and of nothing said."""

_STRICTNESS: Mapping[Privacy, int] = {"any": 0, "prefer-local": 1, "local-only": 2}

_FOLDERS_ADVICE = "a folder's file may only say `privacy` in [policy]; write the rest into your own config.toml"


@dataclass(frozen=True)
class WrittenPolicy:
    """A policy as one table of a file writes it; `keys` are those of POLICY_KEYS that it says."""

    policy: Policy
    keys: frozenset[str]


@dataclass(frozen=True)
class FilePolicies:
    """The policies of one settings file by name. `is_folders`: the file of the folder, which can only be stricter."""

    file: str
    written: Mapping[str, WrittenPolicy]
    is_folders: bool = False


@dataclass(frozen=True)
class PolicyInForce:
    """The policy that holds, and who said each value of it: a table of a file, or `default`; by POLICY_KEYS."""

    policy: Policy
    sources: Mapping[str, str]


def read_policies(file: str, values: Mapping[str, object], *, is_folders: bool) -> FilePolicies:
    """The policies in a settings file's values. Raises UserError `bad-policy`; all of them are checked, used or not.

    `policy` is a table, the default policy, or a text: the name of the policy to use, which is none itself.
    """
    if is_folders:
        _check_folders(file, values)
    tables: dict[str, object] = {}
    default = values.get("policy")
    if default is not None and not isinstance(default, str):
        tables[DEFAULT_POLICY] = default
    named = values.get("policies", {})
    if not isinstance(named, Mapping) or DEFAULT_POLICY in named:
        raise bad_policy(f"policies in {file}", named, "write each as [policies.NAME], the default one as [policy]")
    tables.update(named)
    return FilePolicies(file, {name: _written(name, table, file) for name, table in tables.items()}, is_folders)


def choose_policy(name: str, source: str, files: Sequence[FilePolicies]) -> PolicyInForce:
    """The policy called `name`, which `source` has named. Raises UserError `unknown-policy`.

    What `[policy]` never sends, no other policy sends either; and the folder's file may keep more here than it does.
    """
    own = [file for file in files if not file.is_folders]
    home = next((file for file in own if name in file.written), None)
    if home is None and name != DEFAULT_POLICY:
        raise _unknown(name, source, own)
    if home is None:
        found = PolicyInForce(Policy(), dict.fromkeys(POLICY_KEYS, "default"))
    else:
        written = home.written[name]
        said = f"{_title(name)} of {home.file}"
        sources = {key: said if key in written.keys else "default" for key in POLICY_KEYS}
        found = PolicyInForce(written.policy, sources)
    for file in files:
        default = file.written.get(DEFAULT_POLICY)
        if default is None:
            continue
        if file.is_folders:
            found = _stricter(found, default, file.file)
        elif name != DEFAULT_POLICY and "never_send" in default.keys:
            found = _keeping(found, default.policy.caps, file.file)
    return found


def _written(name: str, table: object, file: str) -> WrittenPolicy:
    if not isinstance(table, Mapping):
        raise bad_policy(f"{_title(name).strip('[]')} in {file}", table, f"write it as a table: {_title(name)}")
    return WrittenPolicy(PolicyTable(_title(name), file, table).policy(name), frozenset(table))


def _title(name: str) -> str:
    return "[policy]" if name == DEFAULT_POLICY else f"[policies.{name}]"


def _check_folders(file: str, values: Mapping[str, object]) -> None:
    """Whoever wrote a folder's file may ask that more stays here; policies and upstreams are not theirs to name."""
    default = values.get("policy", {})
    forbidden = [f"`{key}` in [policy]" for key in default if key != "privacy"] if isinstance(default, Mapping) else []
    forbidden += ["a policy's name"] if isinstance(default, str) else []
    forbidden += ["`policies`"] if "policies" in values else []
    if forbidden:
        raise UserError("bad-policy", f"{forbidden[0]} may not stand in `{file}`", _FOLDERS_ADVICE)


def _stricter(found: PolicyInForce, folders: WrittenPolicy, file: str) -> PolicyInForce:
    wanted = folders.policy.privacy
    if "privacy" not in folders.keys or _STRICTNESS[wanted] <= _STRICTNESS[found.policy.privacy]:
        return found
    return PolicyInForce(replace(found.policy, privacy=wanted), {**found.sources, "privacy": f"[policy] of {file}"})


def _keeping(found: PolicyInForce, kept: Caps, file: str) -> PolicyInForce:
    own = found.policy.caps
    caps = Caps(
        paths=tuple(dict.fromkeys((*own.paths, *kept.paths))),
        patterns=tuple(dict.fromkeys((*own.patterns, *kept.patterns))),
        built_in_secrets=own.built_in_secrets,
    )
    before, said = found.sources["never_send"], f"[policy] of {file}"
    source = said if before == "default" else f"{before}, and {said}"
    return PolicyInForce(replace(found.policy, caps=caps), {**found.sources, "never_send": source})


def _unknown(name: str, source: str, own: Sequence[FilePolicies]) -> UserError:
    known = list(dict.fromkeys((DEFAULT_POLICY, *(other for file in own for other in file.written))))
    near = get_close_matches(name, known, 1)
    hint = f"did you mean `{near[0]}`? " if near else ""
    return UserError(
        "unknown-policy",
        f"there is no policy `{name}`, which {source} names",
        f"{hint}known: {', '.join(known)}; see them: agentlaunch policy show --policy NAME",
    )
