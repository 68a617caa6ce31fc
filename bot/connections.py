"""The outside systems, and what in them runbooks name, as `maint check` tries them before the night does."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bot.step import Setting

ValueOf = Callable[[Setting], str | None]
Look = Callable[[ValueOf], str]
LookAt = Callable[[ValueOf, str], str]
Shift = tuple[datetime, datetime]
Shifts = Callable[[ValueOf, str, datetime, datetime], list[Shift]]
"""Gives the spans (aware UTC) in which somebody is on call by the schedule with an id, between two moments."""


@dataclass(frozen=True)
class Connection:
    """An outside system. `look` returns one line on what it found, or raises `StepError`."""

    name: str
    settings: tuple[Setting, ...]
    look: Look


@dataclass(frozen=True)
class Target:
    """Things of one kind that steps name under `field`; `look` tries one by its name, as `Connection.look` does."""

    kind: str
    field: str
    settings: tuple[Setting, ...]
    look: LookAt


CONNECTIONS: dict[str, Connection] = {}
TARGETS: dict[str, Target] = {}
ROTAS: dict[str, Shifts] = {}
PAGERS: dict[str, Setting] = {}
"""The systems by which those on call can be paged, each with the setting that turns it on."""


def connection(name: str, *settings: Setting) -> Callable[[Look], Look]:
    """Register how to try an outside system; it is tried when a runbook uses a step with one of these settings."""

    def register(look: Look) -> Look:
        CONNECTIONS[name] = Connection(name, settings, look)
        return look

    return register


def target(kind: str, field: str, *settings: Setting) -> Callable[[LookAt], LookAt]:
    """Register how to try what steps with one of these settings name under `field`."""

    def register(look: LookAt) -> LookAt:
        TARGETS[kind] = Target(kind, field, settings, look)
        return look

    return register


def rota(system: str) -> Callable[[Shifts], Shifts]:
    """Register how to ask a system that `MAINT_ON_CALL` names who is on call; that may raise `StepError`."""

    def register(shifts: Shifts) -> Shifts:
        ROTAS[system] = shifts
        return shifts

    return register


def pager(system: str, by: Setting) -> None:
    """Register a system by which those on call can be paged; it is, if the setting `by` has a value."""
    PAGERS[system] = by
