"""A group of one as a policy sees it while it is folded."""

from consumer.core.folds import Folds, arrived, group_number
from consumer.core.group import LEAST_WITHIN_SECONDS, Group, Holder
from consumer.core.model import Message


class Glimpse(Group):
    """It can be decided by like any other, and takes no place in any index. What it says is unpacked where somebody
    wants to know it. Whoever is to be told asks the shelf for the group itself."""

    __slots__ = ("_folded", "_folds")

    def __init__(self, holder: Holder, folds: Folds, id_: bytes, folded: bytes) -> None:
        self._folds, self._folded = folds, folded
        self._holder, self._crowd = holder, None
        self.terms, self.source, _ = folds.kind(folded)
        self.weight = self.terms.weight
        self.within_seconds = max(self.terms.deliver_within_seconds, LEAST_WITHIN_SECONDS)
        self.number, self.only, self.size, self.oldest = group_number(folded), id_, 1, arrived(folded)

    def __getattr__(self, name: str) -> tuple[Message, ...]:
        """What is not there yet."""
        if name != "wordings":
            raise AttributeError(name)
        _, self.wordings = self._folds.said(self._folded)
        return self.wordings

    @property
    def may_coarsen(self) -> bool:
        return self.terms.ladder and self._folds.levels(self._folded) > 1
