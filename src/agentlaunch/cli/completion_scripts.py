"""The completion scripts of four shells, made from the command line as data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from agentlaunch.cli.command_line import Command, Option, Values, valued_options

HEAD = (
    "# Made by scripts/generate_command_line.py from the tables of agentlaunch; `agentlaunch completion {}` prints it."
)

_FISH_HEAD = f"""{HEAD.format("fish")}
function __agentlaunch_begins
    test (count (commandline -opc)) -eq 1
end
function __agentlaunch_is
    set -l typed (commandline -opc)
    test (count $typed) -ge 2; and not contains -- -- $typed; and contains -- $typed[2] $argv
end
complete -c agentlaunch -f"""


def bash_script(commands: tuple[Command, ...]) -> str:
    """For bash 3.2 and later. Words are split at blanks alone: a model's name may hold the colon that bash splits at.

    No `compgen -W`, which expands its words: a file of the folder may be called `$(...).gguf`.
    """
    values = _cases(
        ("|".join(option.names), f'found="{_bash_values(option.values)}"') for option in valued_options(commands)
    )
    options = _cases((command.name, f'found="{" ".join(_names(command))}"') for command in commands)
    arguments = _cases((where, f'found="{_bash_values(values)}"') for where, values in _places(commands))
    return f"""{HEAD.format("bash")}
_agentlaunch() {{
  local line=${{COMP_LINE:0:COMP_POINT}} current previous command word found=""
  local -a typed
  read -r -a typed <<< "$line"
  case $line in *[[:space:]]) typed+=("") ;; esac
  current=${{typed[${{#typed[@]}}-1]}}
  previous=${{typed[${{#typed[@]}}-2]}}
  command=${{typed[1]}}
  case " ${{typed[*]:1:${{#typed[@]}}-2}} " in *" -- "*) COMPREPLY=(); return ;; esac
  if [ "${{#typed[@]}}" -le 2 ]; then
    found="{" ".join(command.name for command in commands)} --help --version"
  else
    case $previous in
{_indented(values, 6)}
      *)
        case $current in
          -*)
            case $command in
{_indented(options, 14)}
            esac ;;
          *)
            case $command:${{#typed[@]}} in
{_indented(arguments, 14)}
            esac ;;
        esac ;;
    esac
  fi
  if [ "$found" = "@files" ]; then
    COMPREPLY=($(compgen -f -- "$current"))
    return
  fi
  COMPREPLY=()
  while IFS= read -r word; do
    case $word in
      "") ;;
      "$current"*)
        case $COMP_WORDBREAKS in *:*) word=${{word#"${{current%"${{current##*:}}"}}"}} ;; esac
        printf -v word %q "$word"
        COMPREPLY+=("$word") ;;
    esac
  done <<< "${{found// /$'\n'}}"
}}
complete -o default -F _agentlaunch agentlaunch
"""


def zsh_script(commands: tuple[Command, ...]) -> str:
    """For a folder of `fpath`, or to be read after compinit."""
    values = _cases(("|".join(option.names), _zsh_values(option.values)) for option in valued_options(commands))
    options = _cases(
        (command.name, f"found=({' '.join(_zsh_option(option) for option in command.options)})") for command in commands
    )
    arguments = _cases((where, _zsh_values(values)) for where, values in _places(commands))
    names = "\n".join(f"    {_single(f'{command.name}:{command.summary}')}" for command in commands)
    return f"""#compdef agentlaunch
{HEAD.format("zsh")}
_agentlaunch_asked() {{
  local -a found
  found=(${{(f)"$(command agentlaunch _words $1 2>/dev/null)"}})
  compadd -a found
}}
_agentlaunch() {{
  local -a found
  if (( CURRENT == 2 )); then
    found=(
{names}
    )
    _describe -t commands command found
    return
  fi
  if (( ${{words[(i)--]}} < CURRENT )); then
    _files
    return
  fi
  case ${{words[CURRENT-1]}} in
{_indented(values, 4)}
    *)
      if [[ ${{words[CURRENT]}} == -* ]]; then
        case ${{words[2]}} in
{_indented(options, 10)}
        esac
        _describe -o options option found
      else
        case ${{words[2]}}:$CURRENT in
{_indented(arguments, 10)}
        esac
      fi ;;
  esac
}}
if [ "$funcstack[1]" = "_agentlaunch" ]; then
  _agentlaunch "$@"
else
  compdef _agentlaunch agentlaunch
fi
"""


def fish_script(commands: tuple[Command, ...]) -> str:
    """For fish 3 and later. Options that several commands share stand in one line."""
    lines = [_FISH_HEAD]
    lines += [_fish("__agentlaunch_begins", f"-a {command.name}", command.summary) for command in commands]
    places = dict(_places(commands))
    for where, values in places.items():
        found = _fish_values(values)
        lines += [_fish(_fish_place(where, places), f"-a {_single(found)}")] if found else []
    users: dict[Option, list[str]] = {}
    for command in commands:
        for option in command.options:
            users.setdefault(option, []).append(command.name)
    for option, names in users.items():
        lines.append(_fish(f"__agentlaunch_is {' '.join(names)}", _fish_option(option), option.help))
    return "\n".join(lines) + "\n"


def powershell_script(commands: tuple[Command, ...]) -> str:
    """For PowerShell 5.1 and later."""
    options = "\n".join(f"        {_ps(command.name)} = {_ps_list(_names(command))}" for command in commands)
    values = "\n".join(
        f"        {_ps(name)} = {_ps_list(_ps_values(option.values))}"
        for option in valued_options(commands)
        for name in option.names
    )
    arguments = "\n".join(
        f"        {_ps(where)} = {_ps_list(_ps_values(values))}" for where, values in _places(commands)
    )
    return f"""{HEAD.format("powershell")}
Register-ArgumentCompleter -Native -CommandName agentlaunch -ScriptBlock {{
    param($current, $tree, $cursor)
    $commands = {_ps_list([command.name for command in commands])}
    $options = @{{
{options}
    }}
    $values = @{{
{values}
    }}
    $arguments = @{{
{arguments}
    }}
    $typed = @($tree.CommandElements | ForEach-Object {{ $_.ToString() }})
    if ($current -ne '') {{ $typed = @($typed | Select-Object -First ($typed.Count - 1)) }}
    if ($typed -contains '--') {{ return }}
    if ($typed.Count -le 1) {{ $found = $commands }}
    elseif ($values.ContainsKey($typed[-1])) {{ $found = $values[$typed[-1]] }}
    elseif ($current -like '-*') {{ $found = $options[$typed[1]] }}
    else {{
        $found = $arguments["$($typed[1]):3"]
        if ($typed.Count -gt 2 -or $null -eq $found) {{ $found = $arguments["$($typed[1]):*"] }}
    }}
    $found | ForEach-Object {{
        if ($_ -like '@*') {{ agentlaunch _words $_.Substring(1) 2>$null }} else {{ $_ }}
    }} | Where-Object {{ $_ -like "$current*" }} | ForEach-Object {{
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }}
}}
"""


SHELLS: Mapping[str, Callable[[tuple[Command, ...]], str]] = {
    "bash": bash_script,
    "zsh": zsh_script,
    "fish": fish_script,
    "powershell": powershell_script,
}
FILES = {
    "bash": "agentlaunch.bash",
    "zsh": "_agentlaunch",
    "fish": "agentlaunch.fish",
    "powershell": "agentlaunch.ps1",
}
"""The file of each shell in `completions/`, named as the shell looks for it."""


_APOSTROPHE = {ord("'"): "\N{RIGHT SINGLE QUOTATION MARK}"}


def _names(command: Command) -> list[str]:
    return [name for option in command.options for name in option.names]


def _places(commands: tuple[Command, ...]) -> Iterator[tuple[str, Values]]:
    """What each word of a command may be, as `COMMAND:3` for the third word on the line and `COMMAND:*` for any other.

    In the order in which a `case` must try them. A command's only argument may stand behind its options.
    """
    for command in commands:
        if len(command.arguments) > 1:
            yield f"{command.name}:3", command.arguments[0].values
    for command in commands:
        if command.arguments:
            yield f"{command.name}:*", command.arguments[-1].values


def _cases(arms: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The arms of a shell's `case`; patterns with the same text share one."""
    by_text: dict[str, list[str]] = {}
    for pattern, text in arms:
        by_text.setdefault(text, []).append(pattern)
    for text, patterns in by_text.items():
        yield f"{'|'.join(dict.fromkeys('|'.join(patterns).split('|')))}) {text} ;;"


def _indented(lines: Iterable[str], columns: int) -> str:
    return "\n".join(" " * columns + line for line in lines)


def _single(text: str) -> str:
    """In single quotes, for zsh and fish alike, which differ in how they take a quote or a backslash there."""
    return f"'{text.replace(chr(92), '/').translate(_APOSTROPHE)}'"


def _bash_values(values: Values) -> str:
    if values.is_file:
        return "@files"
    return f"$(command agentlaunch _words {values.asked} 2>/dev/null)" if values.asked else " ".join(values.words)


def _zsh_values(values: Values) -> str:
    if values.is_file:
        return "_files"
    if values.asked == "models":
        return "_agentlaunch_asked models; _files"
    if values.asked:
        return f"_agentlaunch_asked {values.asked}"
    return f"compadd {' '.join(values.words)}" if values.words else ":"


def _zsh_option(option: Option) -> str:
    return " ".join(_single(f"{name}:{option.help}") for name in option.names)


def _fish(condition: str, what: str, description: str = "") -> str:
    shown = f" -d {_single(description)}" if description else ""
    return f"complete -c agentlaunch -n {_single(condition)} {what}{shown}"


def _fish_place(where: str, places: Mapping[str, Values]) -> str:
    """The condition for a word at `where`, as in `_places`."""
    name, _, place = where.partition(":")
    if place == "3":
        return f"__agentlaunch_is {name}; and test (count (commandline -opc)) -eq 2"
    later = "; and test (count (commandline -opc)) -gt 2" if f"{name}:3" in places else ""
    return f"__agentlaunch_is {name}{later}"


def _fish_values(values: Values) -> str:
    return f"(agentlaunch _words {values.asked} 2>/dev/null)" if values.asked else " ".join(values.words)


def _fish_option(option: Option) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
    if not option.metavar:
        return names
    if option.values.is_file:
        return f"{names} -r -F"
    if option.values.asked == "models":
        return f"{names} -r -F -a {_single(_fish_values(option.values))}"
    found = _fish_values(option.values)
    return f"{names} -x -a {_single(found)}" if found else f"{names} -x"


def _ps(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _ps_list(words: Iterable[str]) -> str:
    return f"@({', '.join(_ps(word) for word in words)})"


def _ps_values(values: Values) -> list[str]:
    """`@KIND` is what the script asks for when it needs it."""
    return [f"@{values.asked}"] if values.asked else list(values.words)
