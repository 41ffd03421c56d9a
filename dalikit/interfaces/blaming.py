"""Whose fault an error is: the innermost component that was at work where it was raised."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from torch import OutOfMemoryError, nn
from torch.distributions import Distribution

from dalikit.errors import DalikitError, RunError
from dalikit.interfaces.kinds import Component, describe
from dalikit.interfaces.players import Posterior

LESS = "a smaller trainer.batch_size, smaller data (dataset.size) or narrower networks need less"


class Suspects:
    """Components that are at work together, by whatever of them can be met with in a frame.

    A layer is its player's, a distribution is the posterior's if there is one alone, and a function or an
    object of a component's own file is that component's.

    Args:
        components: those that share a file are told apart by their own objects alone.
    """

    def __init__(self, *components: object) -> None:
        self.components = components
        self._layers: dict[nn.Module, object] = {}
        for component in components:
            if isinstance(component, nn.Module):
                self._take_layers(component)
        posteriors = {id(each): each for each in self._everyone() if isinstance(each, Posterior)}
        self._posterior = next(iter(posteriors.values())) if len(posteriors) == 1 else None
        kinds = {type(each): each for each in self._everyone() if _is_component(each)}
        files = [kind.__module__ for kind in kinds]
        self._files = {
            kind.__module__: each for kind, each in kinds.items() if files.count(kind.__module__) == 1
        }

    def culprit(self, frames: Iterable[FrameType]) -> object | None:
        """The component of the first of these frames, the innermost one first, that is anybody's."""
        found = (self._owner(frame) for frame in frames)
        return next((each for each in found if each is not None), None)

    def of_plugins(self) -> list[object]:
        """Those that came from a third party, the outermost first."""
        everyone = {id(each): each for each in self._everyone() if _is_component(each)}.values()
        origins = [(each, getattr(each, "origin", "")) for each in everyone]
        return [each for each, origin in origins if origin and not origin.startswith("dalikit ")]

    def _owner(self, frame: FrameType) -> object | None:
        actor = _actor(frame)
        if _is_component(actor):
            return actor
        if isinstance(actor, nn.Module) and actor in self._layers:
            return self._layers[actor]
        own = self._files.get(frame.f_globals.get("__name__", ""))
        return self._posterior if own is None and isinstance(actor, Distribution) else own

    def _take_layers(self, module: nn.Module, owner: object | None = None) -> None:
        """Say of each layer whose it is: a component's inside another is that one's own."""
        owner = module if owner is None or _is_component(module) else owner
        self._layers[module] = owner
        for child in module.children():
            self._take_layers(child, owner)

    def _everyone(self) -> Iterator[object]:
        for component in self.components:
            yield component
            if isinstance(component, nn.Module):
                yield from component.modules()


def frames_of(error: BaseException) -> list[FrameType]:
    """The frames that an error came through, the innermost first."""
    frames, trace = [], error.__traceback__
    while isinstance(trace, TracebackType):
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    return frames[::-1]


def frames_here(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame, and those that it was called from."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def named(error: BaseException, suspects: Suspects | None = None, when: str = "") -> str | None:
    """An error's text with the component whose fault it is, or None where it is nobody's in particular.

    Examples:
        >>> from dalikit.interfaces.kinds import Kind
        >>> class Game(Component):
        ...     kind, name, origin = Kind("game"), "toy", "toys 0.1"
        ...     def play(self):
        ...         return 1 / 0
        >>> try:
        ...     Game().play()
        ... except ZeroDivisionError as error:
        ...     named(error, when="in step 3")
        "game 'toy' of toys 0.1 failed in step 3: ZeroDivisionError: division by zero"
    """
    culprit = (suspects or Suspects()).culprit(frames_of(error))
    if culprit is None:
        return None
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{describe(culprit)} failed{f' {when}' if when else ''}: {reason}"


def out_of_memory(error: BaseException) -> bool:
    """Whether memory has run out, a device's or the machine's own, which torch says in words alone."""
    return isinstance(error, MemoryError | OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    )


@contextmanager
def naming(suspects: Suspects | None = None, when: Callable[[], str] = str) -> Iterator[None]:
    """Have an error that a component raises inside the block say which one that is, and `when`.

    Raises:
        RunError: a component raised something that is no error of dalikit's own, or memory has run out,
            which says nothing of who was at work.
    """
    try:
        yield
    except DalikitError:
        raise
    except (Exception, SystemExit) as error:  # a component that ends the process would end it without a word
        if out_of_memory(error):
            raise RunError(" ".join(f"Memory ran out {when()}".split()) + f": {LESS}") from error
        said = named(error, suspects, when())
        if said is None:
            raise
        raise RunError(said) from error


def _actor(frame: FrameType) -> Any:
    """Whose method a frame runs: an object, or a class."""
    code = frame.f_code
    names: Mapping[str, Any] = frame.f_locals if code.co_argcount else {}
    return names.get(code.co_varnames[0]) if code.co_argcount else None


def _is_component(thing: object) -> bool:
    """Whether something is a component, or its class, or composed of one, and no base that a file shares."""
    if inspect.isclass(thing):
        return issubclass(thing, Component) and isinstance(getattr(thing, "name", None), str)
    thing = getattr(thing, "described", thing)
    return isinstance(thing, Component) and isinstance(getattr(thing, "name", None), str)
