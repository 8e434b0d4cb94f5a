"""LM Studio's local server; its own lists tell which window a model is loaded with."""

from __future__ import annotations

from agentlaunch.core.lm_studio_models import V0, V1
from agentlaunch.upstreams.kind import UpstreamKind
from agentlaunch.upstreams.listing import Listing

KIND = UpstreamKind(
    name="lmstudio",
    wire="openai_chat",
    default_url="http://127.0.0.1:1234",
    listings=(
        Listing(V1, "agentlaunch.upstreams.models_lmstudio:read_newer"),
        Listing(V0, "agentlaunch.upstreams.models_lmstudio:read_older"),
        Listing("/v1/models"),
    ),
)
