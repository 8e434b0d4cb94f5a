"""Lists the devices that the embedded llama.cpp sees, as `llama-server --list-devices` does. Run by `llama_builds`."""

from __future__ import annotations

import sys


def main() -> int:
    """Print the list; the exit code, 1 where xllamacpp is missing or too old to be asked."""
    try:
        from xllamacpp import get_device_info
    except ImportError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("Available devices:\n")
    for device in get_device_info():
        total, free = device["memory_total"] // 2**20, device["memory_free"] // 2**20
        sys.stdout.write(f"  {device['name']}: {device['description']} ({total} MiB, {free} MiB free)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
