"""A real MCP server over standard input and output, with one tool. Each line it reads goes to the file MCP_LOG."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

TOOL = {
    "name": "lucky_number",
    "description": "Gives the lucky number of a name.",
    "inputSchema": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
}


def answer(method: str, params: dict[str, object]) -> dict[str, object] | None:
    """The result of one request; None for a method that the server does not know."""
    match method:
        case "initialize":
            server = {"name": "lucky", "version": "1"}
            version = params["protocolVersion"]
            return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": server}
        case "tools/list":
            return {"tools": [TOOL]}
        case "tools/call":
            return {"content": [{"type": "text", "text": f"42, and the key is {os.environ['LUCKY_KEY']}"}]}
        case "ping":
            return {}
        case _:
            return None


def main() -> None:
    """Serve until the input ends."""
    for line in sys.stdin:
        with Path(os.environ["MCP_LOG"]).open("a", encoding="utf-8") as log:
            log.write(line)
        request = json.loads(line)
        if "id" not in request:
            continue
        result = answer(request["method"], request.get("params", {}))
        outcome = {"error": {"code": -32601, "message": "unknown method"}} if result is None else {"result": result}
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], **outcome}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
