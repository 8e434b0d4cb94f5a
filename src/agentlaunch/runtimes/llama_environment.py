"""What a program of llama.cpp's gets of the user's environment; imported on the way of a launch."""

from __future__ import annotations

from collections.abc import Mapping

_ENVIRONMENT = (
    "PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "WINDIR", "TMPDIR", "TEMP", "TMP", "LANG", "LC_ALL", "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "APPDATA", "LOCALAPPDATA", "XDG_CACHE_HOME",
    "OMP_NUM_THREADS",
)  # fmt: skip
_ENVIRONMENT_PREFIXES = ("CUDA_", "NVIDIA_", "HIP_", "ROCR_", "HSA_", "GGML_", "VK_", "SYCL_", "ONEAPI_")


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What llama.cpp needs of the user's environment; tokens and the rest stay out of a process of ours."""
    kept = {
        name: value
        for name, value in environment.items()
        if name.upper() in _ENVIRONMENT or name.upper().startswith(_ENVIRONMENT_PREFIXES)
    }
    # On a crash llama.cpp would else start a debugger, on itself, for a stack trace.
    return kept | {"GGML_NO_BACKTRACE": "1"}
