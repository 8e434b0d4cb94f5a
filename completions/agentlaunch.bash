# Made by scripts/generate_command_line.py from the tables of agentlaunch; `agentlaunch completion bash` prints it.
_agentlaunch() {
  local line=${COMP_LINE:0:COMP_POINT} current previous command word found=""
  local -a typed
  read -r -a typed <<< "$line"
  case $line in *[[:space:]]) typed+=("") ;; esac
  current=${typed[${#typed[@]}-1]}
  previous=${typed[${#typed[@]}-2]}
  command=${typed[1]}
  case " ${typed[*]:1:${#typed[@]}-2} " in *" -- "*) COMPREPLY=(); return ;; esac
  if [ "${#typed[@]}" -le 2 ]; then
    found="claude codex opencode pi qwen copilot droid aider goose again agents check fit models verify bench runtime serve config status top stop logs upstream policy usage cache doctor completion --help --version"
  else
    case $previous in
      --model) found="$(command agentlaunch _words models 2>/dev/null)" ;;
      --context|--quant|--upstream-key-env|--mcp|--skills|--gpu|--vram|--ram|--cores|--only|--answer-tokens|--case-seconds|--seconds|--port|--token|-n|--lines|--url|--key-env|--price-input|--price-output|--price-cached|--body|--prompt-tokens|--days|--since|--limit) found="" ;;
      --kv) found="f16 q8_0 q4_0" ;;
      --runtime) found="llamacpp llama-server embedded ollama lmstudio llamacpp-server vllm mlx jan koboldcpp textgen localai docker" ;;
      --upstream|--fallback) found="$(command agentlaunch _words upstreams 2>/dev/null)" ;;
      --policy) found="$(command agentlaunch _words policies 2>/dev/null)" ;;
      --agent) found="claude codex opencode pi qwen copilot droid aider goose" ;;
      --os) found="linux darwin windows" ;;
      --simulate|--key-file) found="@files" ;;
      --kind) found="anthropic litellm llamacpp lmstudio ollama openai openrouter vllm" ;;
      --role) found="main background long_context thinking image subagent" ;;
      --by) found="day model project agent upstream" ;;
      *)
        case $current in
          -*)
            case $command in
              claude|codex|opencode|pi|qwen|copilot|droid|aider|goose) found="--model --context --quant --kv --runtime --upstream --upstream-key-env --fallback --policy --lean --full --mcp --skills -y --yes --dry-run --json -q --quiet --offline --force -h --help" ;;
              again) found="-y --yes --dry-run --json -q --quiet --offline -h --help" ;;
              agents|runtime|status|cache|completion) found="--json -h --help" ;;
              check) found="--agent --lean --gpu --vram --ram --cores --os --simulate --offline --json -h --help" ;;
              fit) found="--quant --context --kv --agent --lean --gpu --vram --ram --cores --os --simulate --offline --json -h --help" ;;
              models) found="--quant --runtime -y --yes -q --quiet --offline --json -h --help" ;;
              verify) found="--agent --context --quant --kv --runtime --upstream --upstream-key-env --only --long --answer-tokens --case-seconds --seconds -y --yes --force --json -q --quiet -h --help" ;;
              bench) found="--context --quant --kv --runtime --quick --seconds -y --yes --force --json -q --quiet -h --help" ;;
              serve) found="--upstream --upstream-key-env --fallback --policy --model --context --quant --kv --runtime --port --token -y --yes --force --offline --foreground --json -h --help" ;;
              config) found="--print --write --restore --show --model --context --quant --kv --runtime --upstream --upstream-key-env --fallback --policy --lean --full --port -y --yes --force --json -h --help" ;;
              top) found="--once --web --json -h --help" ;;
              stop) found="-y --yes --json -h --help" ;;
              logs) found="-n --lines -f --follow --json -h --help" ;;
              upstream) found="--kind --url --model --key-env --key-file --keyring --key-stdin --context --price-input --price-output --price-cached --images --no-images --body --policy -y --yes -q --quiet --json -h --help" ;;
              policy) found="--policy --role --prompt-tokens --model --image --agent --json -h --help" ;;
              usage) found="--by --days --since --requests --limit --csv --json -h --help" ;;
              doctor) found="--end-to-end --json -q --quiet -h --help" ;;
            esac ;;
          *)
            case $command:${#typed[@]} in
              models:3) found="list search show pull rm" ;;
              upstream:3) found="list add test rm export" ;;
              fit:*|models:*|verify:*|bench:*) found="$(command agentlaunch _words models 2>/dev/null)" ;;
              config:*|doctor:*) found="claude codex opencode pi qwen copilot droid aider goose" ;;
              logs:*) found="shim engine serve" ;;
              upstream:*) found="$(command agentlaunch _words upstreams 2>/dev/null)" ;;
              policy:*) found="show explain" ;;
              cache:*) found="list clear" ;;
              completion:*) found="bash zsh fish powershell" ;;
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
        case $COMP_WORDBREAKS in *:*) word=${word#"${current%"${current##*:}"}"} ;; esac
        printf -v word %q "$word"
        COMPREPLY+=("$word") ;;
    esac
  done <<< "${found// /$'
'}"
}
complete -o default -F _agentlaunch agentlaunch
