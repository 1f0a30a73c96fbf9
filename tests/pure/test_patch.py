"""The merge patch: applied to the old it makes the new, and it is empty where they are equal."""

from hypothesis import given
from hypothesis import strategies as st

from modelwright.patch import merge_patch, without_nulls
from modelwright.plan import JsonObject

NAMES = st.sampled_from("abc")
SCALARS = st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x"])
VALUES = st.recursive(SCALARS | st.lists(SCALARS, max_size=2), lambda inner: st.dictionaries(NAMES, inner, max_size=3))
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=3)


def applied(target: object, patch: object) -> object:
    """RFC 7386, section 2, as it is written there."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = applied(result.get(name), value)
    return result


@given(DOCUMENTS, DOCUMENTS)
def test_the_patch_turns_old_into_new(old: JsonObject, new: JsonObject) -> None:
    patch = merge_patch(old, new)
    assert applied(old, patch) == new
    assert merge_patch(new, new) == {}
    assert bool(patch) == (old != new)


def test_only_what_differs_is_sent() -> None:
    old = {"version": {"rows": 1, "uri": "x"}, "first": [1, 2], "gone": 1, "same": {"a": 1}}
    new = {"version": {"rows": 2, "uri": "x"}, "first": [1, 3], "same": {"a": 1}}
    assert merge_patch(old, new) == {"version": {"rows": 2}, "first": [1, 3], "gone": None}


def test_nulls_are_fields_that_are_not_there() -> None:
    assert without_nulls({"a": None, "b": {"c": None, "d": 1}, "e": [None]}) == {"b": {"d": 1}, "e": [None]}
