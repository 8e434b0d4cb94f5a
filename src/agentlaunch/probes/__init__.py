"""What this machine is: one vendor a file, all asked side by side."""
