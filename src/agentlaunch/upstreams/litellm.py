"""The LiteLLM proxy; `/model/info` tells a virtual key the windows and prices of the models that it may use."""

from __future__ import annotations

from agentlaunch.upstreams.kind import UpstreamKind
from agentlaunch.upstreams.listing import Listing

KIND = UpstreamKind(
    name="litellm",
    wire="openai_chat",
    default_url="http://127.0.0.1:4000",
    listings=(Listing("/model/info", "agentlaunch.upstreams.models_litellm:read_info"), Listing("/v1/models")),
)
