"""Why nothing is taken of a data set where nothing is wrong: what was given is something else, or is there already.

Every other error of an import is damage, or a place that cannot be filled.
"""

from nacbench.errors import UserError


class UnknownCopyError(UserError):
    """A copy is none of the forms of a data set that are known, or lacks something of the nearest.

    Attributes:
        share: of what the nearest form needs, how much is there.
    """

    def __init__(self, text: str, share: float) -> None:
        super().__init__(text)
        self.share = share


class ThereAlreadyError(UserError):
    """All that a copy has of a data set is in the mirror already."""
