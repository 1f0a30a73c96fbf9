"""Pre-bound model calls: what scikit-learn works out anew at each call, worked out once at load.

`binding` knows which models have such a call, one module a family builds it (`linear`, `trees`, `boosting`, and
`scaling` for the steps before them), and `proof` holds it against scikit-learn before it is used. It may import NumPy
and scikit-learn, also its compiled parts that are not public: what has moved or changed there fails at load, and the
model is then asked the ordinary way. Only `predictor` calls it.
"""
