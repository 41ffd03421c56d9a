"""Who watches a training: in which order callbacks are told of it, and what becomes of those that fail."""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from dalikit.errors import DalikitError, NonFiniteLossError, Stopped
from dalikit.interfaces import Callback, Fit, describe
from dalikit.interfaces.blaming import Suspects, naming
from dalikit.training.checks import check_callbacks, state_of


class Watchers:
    """The callbacks of a training; those that save are told first.

    A checkpoint so comes before the pictures and scores that are due with it, whatever becomes of them, and
    holds who has yet to be told of its step. Whoever goes on from it tells them, so that nothing is lost or
    done twice. What fails in a callback that does not save does not end the training.

    Args:
        callbacks: in the order in which those of one kind are told.

    Raises:
        UnfitError: two bear one name.
    """

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self.callbacks: list[Callback] = []
        self.add(*callbacks)
        self.untold: list[str] = []
        """Names of those that have yet to be told of the last step."""

        self.failures: dict[str, int] = {}
        """By name, how often a callback has failed."""

    def add(self, *callbacks: Callback) -> None:
        """Have others watch too, before training starts; raises as the constructor does."""
        everyone = [*self.callbacks, *callbacks]
        check_callbacks(everyone)
        self.callbacks = sorted(everyone, key=lambda callback: not callback.saves)

    def start(self, fit: Fit) -> None:
        """Before the first iteration of this process; whoever cannot start ends the training."""
        with naming(when=lambda: f"at the start, step {fit.step}"):
            for callback in self.callbacks:
                callback.fit_start(fit)
        self._tell(fit)

    def step_done(self, fit: Fit) -> None:
        """After an iteration."""
        self.untold = [callback.name for callback in self.callbacks]
        self._tell(fit)

    def logged(self, fit: Fit, record: Mapping[str, Any]) -> None:
        """Something was logged."""
        for callback in self.callbacks:
            self._try(callback, "logged", fit, record)

    def end(self, fit: Fit) -> None:
        """After the last iteration; everyone is told, and then what a callback that saves has raised is."""
        with ExitStack() as told:
            for callback in reversed(self.callbacks):  # the last one that is put there is called first
                told.callback(self._try, callback, "fit_end", fit)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps: what each callback does, and who has yet to be told."""
        return {"callbacks": {c.name: state_of(c) for c in self.callbacks}, "untold": list(self.untold)}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        with naming(when=lambda: "to go on from its state"):
            for callback in self.callbacks:
                callback.load_state(state["callbacks"].get(callback.name, {}))
        self.untold = list(state.get("untold", []))

    def _tell(self, fit: Fit) -> None:
        """Tell those who have yet to be told of the step, but none that does not save where all is to end."""
        for callback in [each for each in self.callbacks if each.name in self.untold]:
            if callback.saves:
                self.untold.remove(callback.name)  # what it saves now is not to be saved again
                self._try(callback, "step_end", fit)
            elif not fit.interrupted:
                try:
                    self._try(callback, "step_end", fit)
                except Stopped:
                    return
                self.untold.remove(callback.name)

    def _try(self, callback: Callback, event: str, fit: Fit, *told: Any) -> None:
        try:
            with naming(Suspects(callback), lambda: f"in {event} of step {fit.step}"):
                getattr(callback, event)(fit, *told)
        except NonFiniteLossError:
            raise
        except Exception as error:
            if callback.saves:
                raise
            self._note(callback, error)

    def _note(self, callback: Callback, error: Exception) -> None:
        """Count what failed, and warn of it the first time."""
        self.failures[callback.name] = self.failures.get(callback.name, 0) + 1
        if self.failures[callback.name] == 1:
            known = isinstance(error, DalikitError)
            said = " ".join((str(error) if known else f"{type(error).__name__}: {error}").split())
            whose = describe(callback)
            said = said.removeprefix(f"{whose} failed ")
            warnings.warn(f"{whose} failed, and training goes on: {said}", stacklevel=2)
