"""The model server: loads one model of a model image and answers HTTP requests for it.

`http_*` speaks HTTP/1.1, `app` decides which route answers, `endpoint` and what it calls turn rows into answers,
`forwarding` has a canary answer its share of them, and `supervisor` owns the processes from start to end. It may
import NumPy, scikit-learn and `modelwright_contract` (only its parts without pydantic), never the operator or the
worker; it is started by the server image's entry point alone.
"""

__version__ = "0.1.0"
