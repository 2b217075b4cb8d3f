"""Messages of user errors: one line of bounded length."""

import pytest

from nacbench.errors import LONGEST, BrokenFileError, UserError


def test_a_message_is_one_line() -> None:
    assert str(UserError("the first\n  the second\r\nthe third")) == "the first the second the third"


@pytest.mark.parametrize("kind", [UserError, BrokenFileError])
def test_a_long_message_keeps_its_place_and_its_way_out(kind: type[UserError]) -> None:
    message = str(kind(f"/data/list.txt, line 3: {'x' * 100_000} is no class; get the file again"))
    assert len(message) == LONGEST
    assert message.startswith("/data/list.txt, line 3: xxx") and "x…x" in message
    assert message.endswith("xxx is no class; get the file again")
    whole = "y" * LONGEST
    assert str(kind(whole)) == whole
