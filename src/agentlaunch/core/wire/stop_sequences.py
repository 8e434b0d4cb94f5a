"""Which stop sequence has ended an answer, where the upstream does not say it in so many words."""

from __future__ import annotations

from agentlaunch.core.ir import Finished, StopReason


def named_stop(end: Finished, asked: tuple[str, ...]) -> Finished:
    """`end` with the one stop sequence that was `asked` for, where the model's own end and a stop are told alike.

    OpenAI's `stop` and Ollama's say that the model had done or that a sequence came, never which (OpenAI's API
    reference, `finish_reason`). With one sequence asked for, an end is taken for it: a client that asked, as Claude
    Code's classifier does with `</block>`, puts the sequence back, which is right after a stop and closes what a
    small model left open otherwise. Of several nobody can tell which it was.
    """
    if end.reason is StopReason.END_TURN and len(asked) == 1:
        return Finished(StopReason.STOP_SEQUENCE, asked[0])
    return end
