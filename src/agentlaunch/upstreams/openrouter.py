"""OpenRouter: its list with prices and windows, its cost in `usage`, and where it may route a request."""

from __future__ import annotations

from agentlaunch.upstreams.kind import UpstreamKind
from agentlaunch.upstreams.listing import Listing

KIND = UpstreamKind(
    name="openrouter",
    wire="openai_chat",
    default_url="https://openrouter.ai/api",
    listings=(Listing("/v1/models", "agentlaunch.upstreams.models_openrouter:read_list"),),
    key_variable="OPENROUTER_API_KEY",
    # `usage.include` brings the cost of the request (OpenRouter docs, "Usage Accounting"); `data_collection: deny`
    # leaves out providers that store prompts ("Provider Routing"). A stored upstream's `body` may say otherwise.
    body_fields='{"usage":{"include":true},"provider":{"data_collection":"deny"}}',
)
