"""Whether a model understands every request that another one does, and answers in the same terms.

Only what signatures say is judged: names and types. Whether a column may have missing values, and what a text means,
is not in them.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from modelwright.api.v1alpha1.modelversion import Signature, Tensor

_TAKES_TOO: Final[Mapping[str, frozenset[str]]] = {"FP64": frozenset({"INT64"})}
"""By an input's type: what else its requests may hold. A column of numbers takes whole ones."""
_TOLD: Final = 3


def incompatible(new: Signature | None, old: Signature | None) -> str | None:
    """The sentence on what callers of `old` would stumble over with `new`, or None where nothing is known of it.

    The inputs must be the same ones, for a request of tensors that lacks one, or has another, is refused. Inputs that
    are not listed for want of room are taken to fit.
    """
    if new is None or old is None:
        return None
    found = [*_of_inputs(new, old), *_of_outputs(new, old)]
    if not found:
        return None
    more = f"; and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    return "; ".join(found[:_TOLD]) + more


def _of_inputs(new: Signature, old: Signature) -> Iterable[str]:
    taken, sent = _by_name(new.inputs), _by_name(old.inputs)
    for name, tensor in taken.items():
        before = sent.get(name)
        if before is None and not old.omitted:
            yield f'it needs input "{name}", which requests do not have'
        elif before is not None and not _takes(tensor.datatype, before.datatype):
            yield f'input "{name}" is {tensor.datatype}, and requests have {before.datatype}'
    if not new.omitted:
        yield from (f'input "{name}" of requests is unknown to it' for name in sent if name not in taken)


def _of_outputs(new: Signature, old: Signature) -> Iterable[str]:
    given = _by_name(new.outputs)
    for name, tensor in _by_name(old.outputs).items():
        now = given.get(name)
        if now is None:
            yield f'output "{name}" is lacking'
        elif _form(now) != _form(tensor):
            yield f'output "{name}" is {_form(now)}, and was {_form(tensor)}'


def _takes(datatype: str, sent: str) -> bool:
    return sent == datatype or sent in _TAKES_TOO.get(datatype, ())


def _form(tensor: Tensor) -> str:
    return f"{tensor.datatype} {list(tensor.shape)}"


def _by_name(tensors: Iterable[Tensor]) -> Mapping[str, Tensor]:
    return {tensor.name: tensor for tensor in tensors}
