"""What such an MTA sends: a conversation as it should be, then changed at random."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from pyquarantine_core.testing.hostile import CONTENTS
from pyquarantine_core.testing.mail import crlf, split
from pyquarantine_core.testing.mail_mix import MIX
from pyquarantine_core.testing.protocol import (
    CHUNK_SIZE,
    VERSION,
    Actions,
    Command,
    Steps,
    strings,
)

MAX_CHANGES = 8
"""Changes of one conversation."""
FEW = (0, 1, 1, 1, 2, 3, 5, MAX_CHANGES)
"""How many there are, most often few: the deep states are reached by what is almost right."""

_BYTES = [
    *(b"", b"\0", b"\0\0", b"\xff\xfe\0", b"\xc3\0", b"\n\0", b"\r\n\0", b"%s%n\0", b"x" * 70_000),
    *(b"<>\0", b"<a@b>\0SMTPUTF8\0", b"a" * 2000 + b"\0", b"{i}\0\xff\0", b"i\0", b"\x1b[2J\0"),
    *(b"Subject\0 x\r\nX-Injected: yes\0", b"Subject\0" + b"=?utf-8?b?" * 3000 + b"\0", b":\0:\0"),
    *(b"X-Spam\0 Yes\0", b"x" * 300 + b"\0 y\0", b"\xe4\0\xe4\0", b"Content-Type\0 ;.*\0"),
    *(b"[\xff]\x004\0\x19127.0.0.1\0", b"x\x006\0\x19IPv6:::1\0", b"x\x004\0\x19999.1.1.1\0"),
    *(b"x\0L\0\0/path\0", b"x\0U", b"x\0?\0\0x\0", b"x\x004", b"\0\0\0\0", b"\xff" * 12),
]
"""Data that a packet may have, whatever it is."""
_COMMANDS = [*(one.value for one in Command), b"\0", b"Z", b"\xff", b"a", b"4"]


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet as it goes over the wire.

    Attributes:
        command: one byte.
        data: what follows.
        length: what its length says, where that is a lie.
    """

    command: bytes
    data: bytes = b""
    length: int | None = None

    @property
    def raw(self) -> bytes:
        length = 1 + len(self.data) if self.length is None else self.length
        return struct.pack("!I", length & 0xFFFFFFFF) + self.command + self.data


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is sent on one connection.

    Attributes:
        packets: in their order.
        cut: bytes of the last packet that are never sent.
        reset: end the connection without goodbye (RST).
        reads: wait for what the filter says before that.
    """

    packets: Sequence[Packet]
    cut: int
    reset: bool
    reads: bool

    @property
    def raw(self) -> bytes:
        whole = b"".join(packet.raw for packet in self.packets)
        return whole[: len(whole) - self.cut] if self.cut else whole


def conversation(random: Random) -> Conversation:
    """One at random; the same for the same state of `random`."""
    packets = _proper(random)
    for _ in range(random.choice(FEW)):
        random.choice(_CHANGES)(packets, random)
    return Conversation(
        [*_as_libmilter_survives(packets)],
        cut=random.choice((0, 0, 0, 1, 3, random.randrange(200))),
        reset=random.random() < 0.3,
        reads=random.random() < 0.7,
    )


def _as_libmilter_survives(packets: Sequence[Packet]) -> Iterator[Packet]:
    """Macros in pairs, and nothing that looks like a packet after a wrong length.

    libmilter 8.17.1 reads beyond its table of macros when there is a name without a value
    (smfi_getsymval); that is not ours to mend, and would hide what is.
    """
    for packet in packets:
        if packet.command == Command.MACRO.value:
            texts = packet.data[1:].split(b"\0")[:-1]
            pairs = b"".join(text + b"\0" for text in texts[: len(texts) // 2 * 2])
            yield Packet(packet.command, packet.data[:1] + pairs)
            continue
        yield packet
        if packet.length is not None:
            return


def _proper(random: Random) -> list[Packet]:
    """As an MTA would: negotiation, a client, one to three messages."""
    steps = random.choice((Steps.ALL, Steps.ALL, Steps(0), Steps(random.getrandbits(21))))
    packets = [
        Packet(b"O", struct.pack("!III", VERSION, Actions.ALL, steps)),
        Packet(b"D", b"C" + strings("j", "mta.example", "{daemon_name}", "x")),
        Packet(b"C", strings("client.example") + b"4\x9c\x40" + strings("192.0.2.1")),
        Packet(b"H", strings("client.example")),
    ]
    for _ in range(random.choice((1, 1, 2, 3))):
        packets += _message(random)
        packets += [Packet(b"A")] * random.choice((0, 1, 2))
    return [*packets, Packet(random.choice((b"Q", b"K")))]


def _message(random: Random) -> list[Packet]:
    content = random.choice((*MIX.values(), *CONTENTS.values(), b"X-Spam: Yes\n\nx\n"))
    headers, body = split(crlf(content))
    if random.random() < 0.05:
        body *= 1 + 2_000_000 // (len(body) + 1)  # beyond what is kept in memory
    chunks = [body[at : at + CHUNK_SIZE] for at in range(0, len(body), CHUNK_SIZE)]
    return [
        Packet(b"M", strings("<a@example.net>")),
        *(Packet(b"R", strings(f"<u{one}@example.org>")) for one in range(random.randrange(1, 4))),
        Packet(b"D", b"T" + strings("i", f"{random.getrandbits(32):08X}")),
        Packet(b"T"),
        *(Packet(b"L", strings(header.name, header.value)) for header in headers[:200]),
        Packet(b"N"),
        *(Packet(b"B", chunk) for chunk in chunks),
        Packet(b"E"),
    ]


def _drop(packets: list[Packet], random: Random) -> None:
    if len(packets) > 1:
        del packets[random.randrange(len(packets))]


def _drop_many(packets: list[Packet], random: Random) -> None:
    start = random.randrange(len(packets))
    del packets[start : min(start + random.randrange(1, 10), len(packets) - (start == 0))]


def _double(packets: list[Packet], random: Random) -> None:
    at = random.randrange(len(packets))
    packets[at:at] = [packets[at]] * random.choice((1, 1, 2, 50))


def _swap(packets: list[Packet], random: Random) -> None:
    one, other = (random.randrange(len(packets)) for _ in range(2))
    packets[one], packets[other] = packets[other], packets[one]


def _shuffle(packets: list[Packet], random: Random) -> None:
    rest = packets[1:]
    random.shuffle(rest)
    packets[1:] = rest


def _insert(packets: list[Packet], random: Random) -> None:
    new = Packet(random.choice(_COMMANDS), random.choice(_BYTES))
    packets.insert(random.randrange(len(packets) + 1), new)


def _another_command(packets: list[Packet], random: Random) -> None:
    _change(packets, random, lambda one: replace(one, command=random.choice(_COMMANDS)))


def _other_data(packets: list[Packet], random: Random) -> None:
    _change(packets, random, lambda one: replace(one, data=random.choice(_BYTES)))


def _flip(packets: list[Packet], random: Random) -> None:
    def flipped(one: Packet) -> Packet:
        data = bytearray(one.data or b"\0")
        for _ in range(random.choice((1, 1, 3, 20))):
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        return replace(one, data=bytes(data))

    _change(packets, random, flipped)


def _truncate(packets: list[Packet], random: Random) -> None:
    _change(
        packets,
        random,
        lambda one: replace(one, data=one.data[: random.randrange(len(one.data) + 1)]),
    )


def _lie(packets: list[Packet], random: Random) -> None:
    lies = (0, 1, 2, 2**31 - 1, 2**31, 2**32 - 1, 65_535, 65_536, 65_537, 1_000_000)

    def lied(one: Packet) -> Packet:
        near = 1 + len(one.data) + random.randrange(-3, 4)
        return replace(one, length=random.choice((*lies, near, near, near)))

    _change(packets, random, lied)


def _change(packets: list[Packet], random: Random, change: Callable[[Packet], Packet]) -> None:
    at = random.randrange(len(packets))
    packets[at] = change(packets[at])


_CHANGES = (
    *(_drop, _drop_many, _double, _swap, _shuffle, _insert, _insert, _another_command),
    *(_other_data, _other_data, _flip, _truncate, _lie),
)
