"""Ids sort by time and carry what they are of."""

import uuid

from db.ids import is_id, new_id


def test_ids_sort_in_the_order_they_were_made() -> None:
    """Ten thousand ids made within a few milliseconds are unique and already in order."""
    ids = [new_id("srh") for _ in range(10_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_an_id_is_a_uuid_of_version_7() -> None:
    """Other tools can read the time out of it."""
    value = uuid.UUID(new_id("mdl").removeprefix("mdl_"))
    assert (value.version, value.variant) == (7, uuid.RFC_4122)


def test_only_ids_of_the_kind_are_recognised() -> None:
    """A prefix of another kind, upper case, NUL or a path is no id."""
    good = new_id("srh")
    assert is_id(good, "srh")
    assert not any(is_id(bad, "srh") for bad in (new_id("mdl"), good.upper(), good + "\0", "../" + good, ""))
