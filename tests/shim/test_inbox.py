"""The meeting place of upstream, client and silence."""

from __future__ import annotations

import asyncio

from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.shim.inbox import (
    HIGH_WATER_BYTES,
    Arrival,
    ClientGone,
    Ended,
    Inbox,
    Piece,
    Refused,
    RunningInboxes,
    Silence,
)

FAULT = ChatFault(ErrorKind.UNAVAILABLE, "gone")


async def take_all(inbox: Inbox, count: int) -> list[Arrival]:
    return [await inbox.take(5) for _ in range(count)]


def test_pieces_between_two_looks_are_one_piece() -> None:
    async def run() -> list[Arrival]:
        inbox = Inbox()
        for piece in (b"a", b"b", b"c"):
            inbox.put(piece)
        inbox.end(Ended())
        return await take_all(inbox, 3)

    assert asyncio.run(run()) == [Piece(b"abc"), Ended(), Ended()]


def test_a_wait_ends_with_what_comes() -> None:
    async def run() -> list[Arrival]:
        inbox = Inbox()
        loop = asyncio.get_running_loop()
        loop.call_soon(inbox.put, b"a")
        first = await inbox.take(None)
        loop.call_soon(inbox.end, Refused(FAULT))
        return [first, await inbox.take(None)]

    assert asyncio.run(run()) == [Piece(b"a"), Refused(FAULT)]


def test_silence_is_told_after_its_time() -> None:
    assert asyncio.run(Inbox().take(0.001)) == Silence()
    assert asyncio.run(Inbox().take(0)) == Silence()


def test_the_clients_leaving_beats_everything() -> None:
    async def run() -> list[Arrival]:
        inbox = Inbox()
        inbox.put(b"a")
        inbox.end(Ended())
        inbox.close(ClientGone())
        inbox.end(Refused(FAULT))
        return await take_all(inbox, 2)

    assert asyncio.run(run()) == [ClientGone(), ClientGone()]


def test_the_first_end_counts() -> None:
    async def run() -> Arrival:
        inbox = Inbox()
        inbox.end(Ended())
        inbox.end(Refused(FAULT))
        return await inbox.take(None)

    assert asyncio.run(run()) == Ended()


def test_a_full_inbox_has_room_again_when_it_is_emptied() -> None:
    async def run() -> list[bool]:
        inbox = Inbox()
        inbox.put(b"x" * HIGH_WATER_BYTES)
        was_full = inbox.is_full
        waiting = asyncio.create_task(inbox.room())
        await asyncio.sleep(0)
        waited = not waiting.done()
        await inbox.take(None)
        await waiting
        return [was_full, waited, not inbox.is_full]

    assert asyncio.run(run()) == [True, True, True]


def test_a_writer_does_not_wait_for_a_client_that_is_gone() -> None:
    async def run() -> None:
        inbox = Inbox()
        inbox.put(b"x" * HIGH_WATER_BYTES)
        inbox.close(ClientGone())
        async with asyncio.timeout(5):
            await inbox.room()

    asyncio.run(run())


def test_what_comes_after_the_outcome_is_dropped_and_holds_its_writer_back() -> None:
    async def run() -> tuple[list[Arrival], bool]:
        inbox = Inbox()
        inbox.put(b"a")
        inbox.end(Ended(FAULT))
        inbox.put(b"x" * HIGH_WATER_BYTES)
        was_full = inbox.is_full
        return await take_all(inbox, 2), was_full

    assert asyncio.run(run()) == ([Piece(b"a"), Ended(FAULT)], True)


def test_the_servers_end_ends_every_running_inbox_and_those_that_come_later() -> None:
    async def run() -> list[Arrival]:
        running, before, over, after = RunningInboxes(), Inbox(), Inbox(), Inbox()
        with running.holding(over):
            pass
        with running.holding(before):
            running.end_all(FAULT)
            with running.holding(after):
                return [await inbox.take(0) for inbox in (before, over, after)]

    assert asyncio.run(run()) == [Ended(FAULT), Silence(), Ended(FAULT)]
