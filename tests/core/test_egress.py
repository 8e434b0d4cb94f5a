"""core/egress.py: what is found in a body however it is escaped, and what is left alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.egress import leak_in
from agentlaunch.core.policy import Caps

SECRETS = Caps()


def as_text(text: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}]}).encode()


def as_raw_utf8(text: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}]}, ensure_ascii=False).encode()


def as_lines(text: str) -> bytes:
    return as_text(f"first\n{text}\nlast")


def as_quoted(text: str) -> bytes:
    return as_text(f'x = "{text}"\n')


def as_arguments(text: str) -> bytes:
    """Inside the arguments of a tool call: JSON in a string of JSON."""
    return as_text(json.dumps({"command": f"echo\n{text}\n"}))


def as_needless_escapes(text: str) -> bytes:
    escaped = "".join(f"\\u{ord(letter):04x}" if letter.isalnum() else json.dumps(letter)[1:-1] for letter in text)
    return f'{{"content": "{escaped}"}}'.encode()


def as_needless_escapes_in_arguments(text: str) -> bytes:
    return json.dumps({"arguments": as_needless_escapes(text).decode()}).encode()


SHAPES = [
    as_needless_escapes_in_arguments,
    as_text,
    as_raw_utf8,
    as_lines,
    as_quoted,
    as_arguments,
    as_needless_escapes,
]
Shape = Callable[[str], bytes]

# Made up, and put together here so that no scanner takes this file for a leak.
WELL_KNOWN = {
    "AKIA" + "Q3EGRZX7LKWP2MNB": "an AWS access key",
    "ghp_" + "aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zA2bC4": "a GitHub token",
    "github_pat_" + "11ABCDEFG0aB3dE6gH9jK2" + "_" + "aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zA2bC4aB3dE6gH9jK2mN5pQ8rS1t0": (
        "a GitHub token"
    ),
    "glpat-" + "aB3dE6gH9jK2mN5pQ8rS": "a GitLab token",
    "xoxb-" + "123456789012-123456789012-aB3dE6gH9jK2mN5pQ8rS1tU4": "a Slack token",
    "sk-ant-" + "api03-" + "aB3dE6gH9j" * 9: "an Anthropic, OpenAI, OpenRouter or Stripe key",
    "sk-proj-" + "aB3dE6gH9j" * 8: "an Anthropic, OpenAI, OpenRouter or Stripe key",
    "sk-or-v1-" + "0a1b2c3d" * 8: "an Anthropic, OpenAI, OpenRouter or Stripe key",
    "sk_live_" + "aB3dE6gH9jK2mN5pQ8rS1tU4": "an Anthropic, OpenAI, OpenRouter or Stripe key",
    "AIza" + "aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zA2bC": "a Google key",
    "hf_" + "aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zA2b": "a Hugging Face token",
    "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P": "a JSON Web Token",
}
PRIVATE_KEY = (
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA0Z3VS5JJcds3xfnygWyF8PbnGy0AHB7Mxz\n-----END RSA PRIVATE KEY-----"
)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("secret", "name"), [*WELL_KNOWN.items(), (PRIVATE_KEY, "a private key")])
def test_a_well_known_secret_is_found_in_every_shape(secret: str, name: str, shape: Shape) -> None:
    assert leak_in(shape(secret), SECRETS) == name
    assert leak_in(shape(secret), Caps(built_in_secrets=False)) is None


@pytest.mark.parametrize("secret", WELL_KNOWN)
def test_the_words_that_tell_of_a_leak_never_hold_it(secret: str) -> None:
    found = leak_in(as_text(secret), Caps(patterns=(re.escape(secret[:4]) + "[^ ]+",)))
    assert found is not None
    assert secret[8:] not in found


@pytest.mark.parametrize(
    "text",
    [
        'DB_PASSWORD="aK3x9Lq2Zp8T"',
        "export API_KEY=9f86d081884c7d659a2f",
        '{"client_secret": "Qx7-81kd_02LmZ9p"}',
        "aws_secret_access_key = wJ4lrX7tnF2MI/K7MD3NG/bP9xRf1CYz8x1y2z3q4",
        "auth_token: 'a1b2c3d4e5f60718293a'",
        "passwd := 'h7G5f4D3s2A1q9W8'",
    ],
)
@pytest.mark.parametrize("shape", [as_text, as_lines, as_arguments])
def test_a_password_that_is_written_out_is_found(text: str, shape: Shape) -> None:
    assert leak_in(shape(text), SECRETS) == "a password or key that is written out"


@pytest.mark.parametrize(
    "text",
    [
        'password = "correct horse battery staple"',
        "password=os.environ['DB_PASSWORD_V2']",
        'password = getpass.getpass("Password: ")',
        "api_key = get_config_v2",
        "api_key: ${API_KEY_V1_2_3}",
        'api_key="sk-your-key-here-123"',
        'secret = "changeme12345a6b7"',
        "token = config2.service3.accessor4",
        '"max_tokens": 8192, "next_token": "a1b2c3d4e5f60718"',
        "password_hash = sha256(b4d5e6f7a8b9)",
        'secret: "example-a1b2c3d4e5"',
        'password = "aaaaaaa1a1a1a1"',
        "AKIAIOSFODNN7" + "EXAMPLE",
        "ghp_" + "x" * 36,
        "-----BEGIN PRIVATE KEY-----",
        'if line.startswith("-----BEGIN RSA PRIVATE KEY-----"):\n    return True',
        "taskAKIAQ3EGRZX7LKWP2MNB",
        "sk-something-else",
        "desk-proj-plan",
        "eyJhbGciOiJIUzI1NiJ9",
    ],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_code_that_only_speaks_of_secrets_may_leave(text: str, shape: Shape) -> None:
    assert leak_in(shape(text), SECRETS) is None


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("**/secrets/**", "/srv/app/secrets/db.yml"),
        ("**/secrets/**", "secrets/db.yml"),
        ("**/secrets/**", "C:\\srv\\secrets\\db.yml"),
        ("**/secrets/**", "./a/Secrets/b/c"),
        ("*.pem", "server.pem"),
        ("*.pem", "/etc/ssl/server.PEM"),
        ("*.pem", "C:\\new\\tls\\x.pem"),
        ("config/prod.env", "/home/u/app/config/prod.env"),
        ("config/prod.env", "config\\prod.env"),
        ("/etc/shadow", "/etc/shadow"),
        ("~/.ssh/**", "/home/u/.ssh/id_ed25519"),
        ("id_?sa", "/home/u/.ssh/id_rsa"),
        ("*.p[ef]m", "a.pfm"),
        ("*.p[!x]m", "a.pem"),
        ("src/**/private/*.txt", "src/a/b/private/n.txt"),
        ("src/**/private/*.txt", "src/private/n.txt"),
    ],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_path_that_a_glob_names_is_found_wherever_it_stands(glob: str, path: str, shape: Shape) -> None:
    assert leak_in(shape(path), Caps(paths=("no-such-name", glob))) == f"a path of `{glob}`"


@pytest.mark.parametrize(
    "text", ["see {}.", "cat {}; ls", "({})", "`{}`", "{}:12: error", "--file={}", "a,{},b", "<{}>"]
)
def test_a_path_ends_where_the_text_around_it_begins(text: str) -> None:
    assert leak_in(as_text(text.format("/srv/server.pem")), Caps(paths=("*.pem",))) == "a path of `*.pem`"


@pytest.mark.parametrize(
    ("glob", "text"),
    [
        ("**/secrets/**", "secrets/"),
        ("**/secrets/**", "our secrets are safe/sound"),
        ("**/secrets/**", "/srv/secrets.d/x"),
        ("*.pem", "a.pema"),
        ("*.pem", "the .pem.txt file"),
        ("config/prod.env", "config/prod.env.example"),
        ("config/prod.env", "myconfig/prod.env"),
        ("/etc/shadow", "/backup/etc/shadow"),
        ("src/*/x.key", "src/a/b/x.key"),
        ("*.p[!e]m", "a.pem"),
    ],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_other_paths_may_leave(glob: str, text: str, shape: Shape) -> None:
    assert leak_in(shape(text), Caps(paths=(glob,))) is None


@pytest.mark.parametrize("shape", SHAPES)
def test_a_pattern_sees_texts_as_they_are_meant(shape: Shape) -> None:
    caps = Caps(patterns=("no such text", "ACME-[0-9]{8}"))
    assert leak_in(shape("ACME-12345678"), caps) == "what the pattern `ACME-[0-9]{8}` matches"
    assert leak_in(shape("ACME-1234567"), caps) is None


def test_a_pattern_sees_over_line_ends_and_into_names_and_lists() -> None:
    assert leak_in(as_text("PROJECT\nAPOLLO"), Caps(patterns=(r"PROJECT\s+APOLLO",))) is not None
    assert leak_in(b'{"APOLLO": [1, [null, "x"]]}', Caps(patterns=("APOLLO",))) is not None
    assert leak_in(b'[1, true, null, ["APOLLO"]]', Caps(patterns=("^APOLLO$",))) is not None


def test_bytes_that_are_no_json_are_looked_at_as_text() -> None:
    caps = Caps(patterns=("ACME",), paths=("*.pem",))
    assert leak_in(b"\xff\xfe ACME {", caps) == "what the pattern `ACME` matches"
    assert leak_in(b"\xff\xfe a.pem {", caps) == "a path of `*.pem`"
    assert leak_in(b"", caps) is None


@given(text=st.text(max_size=200), patterns=st.sampled_from([(), ("ACME-[0-9]{8}",)]))
def test_no_text_makes_the_look_fail(text: str, patterns: tuple[str, ...]) -> None:
    caps = Caps(paths=("**/secrets/**", "*.pem"), patterns=patterns)
    assert leak_in(as_text(text + "/secrets/x"), caps) is not None
    found = leak_in(text.encode("utf-8", "surrogatepass"), caps)
    assert found is None or found.startswith(("a ", "an ", "what "))
