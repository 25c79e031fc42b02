"""The constants of turn and price."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prices:
    """The constants of the rule. They were chosen on one synthetic day; a shop's own topic may want others.

    `patience`: a group of so many recipients has half the patience of a lonely one. `soon_gaps`: how far ahead small
    groups are merged with one that is due. `ladder`: the prices that are tried; its end keeps one tight moment from
    sending whole bursts coarse. `overload_seconds`: lateness at which weighted slack decides instead.
    """

    patience: float = 300.0
    soon_gaps: float = 75.0
    ladder: tuple[int, ...] = (0, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256)
    overload_seconds: float = 300.0
