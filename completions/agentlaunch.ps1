# Made by scripts/generate_command_line.py from the tables of agentlaunch; `agentlaunch completion powershell` prints it.
Register-ArgumentCompleter -Native -CommandName agentlaunch -ScriptBlock {
    param($current, $tree, $cursor)
    $commands = @('claude', 'codex', 'opencode', 'pi', 'qwen', 'copilot', 'droid', 'aider', 'goose', 'again', 'agents', 'check', 'fit', 'models', 'verify', 'bench', 'runtime', 'serve', 'config', 'status', 'top', 'stop', 'logs', 'upstream', 'policy', 'usage', 'cache', 'doctor', 'completion')
    $options = @{
        'claude' = @('--model', '--context', '--quant', '--kv', '--runtime', '--upstream', '--upstream-key-env', '--fallback', '--policy', '--lean', '--full', '--mcp', '--skills', '-y', '--yes', '--dry-run', '--json', '-q', '--quiet', '--offline', '--force', '-h', '--help')
        'codex' = @('--model', '--context', '--quant', '--kv', '--runtime', '--upstream', '--upstream-key-env', '--fallback', '--policy', '--lean', '--full', '--mcp', '--skills', '-y', '--yes', '--dry-run', '--json', '-q', '--quiet', '--offline', '--force', '-h', '--help')
        'opencode' = @('--model', '--context', '--quant', '--kv', '--runtime', '--upstream', '--upstream-key-env', '--fallback', '--policy', '--lean', '--full', '--mcp', '--skills', '-y', '--yes', '--dry-run', '--json', '-q', '--quiet', '--offline', '--force', '-h', '--help')
        'pi' = @('--model', '--context', '--quant', '--kv', '--runtime', '--upstream', '--upstream-key-env', '--fallback', '--policy', '--lean', '--full', '--mcp', '--skills', '-y', '--yes', '--dry-run', '--json', '-q', '--quiet', '--offline', '--force', '-h', '--help')
        'qwen' = @('--model', '--context', '--quant', '--kv', '--runtime', '--upstream', '--upstream-key-env', '--fallback', '--policy', '--lean', '--full', '--mcp', '--skills', '-y', '--yes', '--dry-run', '--json', '-q', '--quiet', '--offline', '--force', '-h', '--help')
        'copilot' = @('--model', '--context', '--quant', '--kv', '--runtime', '--upstream', '--upstream-key-env', '--fallback', '--policy', '--lean', '--full', '--mcp', '--skills', '-y', '--yes', '--dry-run', '--json', '-q', '--quiet', '--offline', '--force', '-h', '--help')
        'droid' = @('--model', '--context', '--quant', '--kv', '--runtime', '--upstream', '--upstream-key-env', '--fallback', '--policy', '--lean', '--full', '--mcp', '--skills', '-y', '--yes', '--dry-run', '--json', '-q', '--quiet', '--offline', '--force', '-h', '--help')
        'aider' = @('--model', '--context', '--quant', '--kv', '--runtime', '--upstream', '--upstream-key-env', '--fallback', '--policy', '--lean', '--full', '--mcp', '--skills', '-y', '--yes', '--dry-run', '--json', '-q', '--quiet', '--offline', '--force', '-h', '--help')
        'goose' = @('--model', '--context', '--quant', '--kv', '--runtime', '--upstream', '--upstream-key-env', '--fallback', '--policy', '--lean', '--full', '--mcp', '--skills', '-y', '--yes', '--dry-run', '--json', '-q', '--quiet', '--offline', '--force', '-h', '--help')
        'again' = @('-y', '--yes', '--dry-run', '--json', '-q', '--quiet', '--offline', '-h', '--help')
        'agents' = @('--json', '-h', '--help')
        'check' = @('--agent', '--lean', '--gpu', '--vram', '--ram', '--cores', '--os', '--simulate', '--offline', '--json', '-h', '--help')
        'fit' = @('--quant', '--context', '--kv', '--agent', '--lean', '--gpu', '--vram', '--ram', '--cores', '--os', '--simulate', '--offline', '--json', '-h', '--help')
        'models' = @('--quant', '--runtime', '-y', '--yes', '-q', '--quiet', '--offline', '--json', '-h', '--help')
        'verify' = @('--agent', '--context', '--quant', '--kv', '--runtime', '--upstream', '--upstream-key-env', '--only', '--long', '--answer-tokens', '--case-seconds', '--seconds', '-y', '--yes', '--force', '--json', '-q', '--quiet', '-h', '--help')
        'bench' = @('--context', '--quant', '--kv', '--runtime', '--quick', '--seconds', '-y', '--yes', '--force', '--json', '-q', '--quiet', '-h', '--help')
        'runtime' = @('--json', '-h', '--help')
        'serve' = @('--upstream', '--upstream-key-env', '--fallback', '--policy', '--model', '--context', '--quant', '--kv', '--runtime', '--port', '--token', '-y', '--yes', '--force', '--offline', '--foreground', '--json', '-h', '--help')
        'config' = @('--print', '--write', '--restore', '--show', '--model', '--context', '--quant', '--kv', '--runtime', '--upstream', '--upstream-key-env', '--fallback', '--policy', '--lean', '--full', '--port', '-y', '--yes', '--force', '--json', '-h', '--help')
        'status' = @('--json', '-h', '--help')
        'top' = @('--once', '--web', '--json', '-h', '--help')
        'stop' = @('-y', '--yes', '--json', '-h', '--help')
        'logs' = @('-n', '--lines', '-f', '--follow', '--json', '-h', '--help')
        'upstream' = @('--kind', '--url', '--model', '--key-env', '--key-file', '--keyring', '--key-stdin', '--context', '--price-input', '--price-output', '--price-cached', '--images', '--no-images', '--body', '--policy', '-y', '--yes', '-q', '--quiet', '--json', '-h', '--help')
        'policy' = @('--policy', '--role', '--prompt-tokens', '--model', '--image', '--agent', '--json', '-h', '--help')
        'usage' = @('--by', '--days', '--since', '--requests', '--limit', '--csv', '--json', '-h', '--help')
        'cache' = @('--json', '-h', '--help')
        'doctor' = @('--end-to-end', '--json', '-q', '--quiet', '-h', '--help')
        'completion' = @('--json', '-h', '--help')
    }
    $values = @{
        '--model' = @('@models')
        '--context' = @()
        '--quant' = @()
        '--kv' = @('f16', 'q8_0', 'q4_0')
        '--runtime' = @('llamacpp', 'llama-server', 'embedded', 'ollama', 'lmstudio', 'llamacpp-server', 'vllm', 'mlx', 'jan', 'koboldcpp', 'textgen', 'localai', 'docker')
        '--upstream' = @('@upstreams')
        '--upstream-key-env' = @()
        '--fallback' = @('@upstreams')
        '--policy' = @('@policies')
        '--mcp' = @()
        '--skills' = @()
        '--agent' = @('claude', 'codex', 'opencode', 'pi', 'qwen', 'copilot', 'droid', 'aider', 'goose')
        '--gpu' = @()
        '--vram' = @()
        '--ram' = @()
        '--cores' = @()
        '--os' = @('linux', 'darwin', 'windows')
        '--simulate' = @()
        '--only' = @()
        '--answer-tokens' = @()
        '--case-seconds' = @()
        '--seconds' = @()
        '--port' = @()
        '--token' = @()
        '-n' = @()
        '--lines' = @()
        '--kind' = @('anthropic', 'litellm', 'llamacpp', 'lmstudio', 'ollama', 'openai', 'openrouter', 'vllm')
        '--url' = @()
        '--key-env' = @()
        '--key-file' = @()
        '--price-input' = @()
        '--price-output' = @()
        '--price-cached' = @()
        '--body' = @()
        '--role' = @('main', 'background', 'long_context', 'thinking', 'image', 'subagent')
        '--prompt-tokens' = @()
        '--by' = @('day', 'model', 'project', 'agent', 'upstream')
        '--days' = @()
        '--since' = @()
        '--limit' = @()
    }
    $arguments = @{
        'models:3' = @('list', 'search', 'show', 'pull', 'rm')
        'upstream:3' = @('list', 'add', 'test', 'rm', 'export')
        'fit:*' = @('@models')
        'models:*' = @('@models')
        'verify:*' = @('@models')
        'bench:*' = @('@models')
        'config:*' = @('claude', 'codex', 'opencode', 'pi', 'qwen', 'copilot', 'droid', 'aider', 'goose')
        'logs:*' = @('shim', 'engine', 'serve')
        'upstream:*' = @('@upstreams')
        'policy:*' = @('show', 'explain')
        'cache:*' = @('list', 'clear')
        'doctor:*' = @('claude', 'codex', 'opencode', 'pi', 'qwen', 'copilot', 'droid', 'aider', 'goose')
        'completion:*' = @('bash', 'zsh', 'fish', 'powershell')
    }
    $typed = @($tree.CommandElements | ForEach-Object { $_.ToString() })
    if ($current -ne '') { $typed = @($typed | Select-Object -First ($typed.Count - 1)) }
    if ($typed -contains '--') { return }
    if ($typed.Count -le 1) { $found = $commands }
    elseif ($values.ContainsKey($typed[-1])) { $found = $values[$typed[-1]] }
    elseif ($current -like '-*') { $found = $options[$typed[1]] }
    else {
        $found = $arguments["$($typed[1]):3"]
        if ($typed.Count -gt 2 -or $null -eq $found) { $found = $arguments["$($typed[1]):*"] }
    }
    $found | ForEach-Object {
        if ($_ -like '@*') { agentlaunch _words $_.Substring(1) 2>$null } else { $_ }
    } | Where-Object { $_ -like "$current*" } | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }
}
