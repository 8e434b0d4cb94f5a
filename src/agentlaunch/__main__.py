"""`python -m agentlaunch` is the command `agentlaunch`."""

from agentlaunch.cli.main import main

if __name__ == "__main__":
    main()
