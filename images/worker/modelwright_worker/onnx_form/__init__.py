"""A model in ONNX, proven equal to itself: `attempt` converts a fitted scikit-learn model and holds it against it.

Called where a model is packaged; may import scikit-learn, onnx, and the contract's way of running a form, which is the
server's. Nothing here trusts the conversion: what is not equal on every row asked is not served.
"""

from modelwright_worker.onnx_form.form import NoForm, OnnxForm, attempt
from modelwright_worker.onnx_form.proof import Proof

__all__ = ["NoForm", "OnnxForm", "Proof", "attempt"]
