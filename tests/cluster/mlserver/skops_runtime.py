import skops.io
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class SkopsModel(MLModel):
    async def load(self) -> bool:
        path = f"{self.settings.parameters.uri}/model.skops"
        self._model = skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        features = NumpyCodec.decode_input(payload.inputs[0])
        answers = {"label": self._model.predict(features)}
        if hasattr(self._model, "predict_proba"):
            answers["probability"] = self._model.predict_proba(features)
        outputs = [NumpyCodec.encode_output(name, answer) for name, answer in answers.items()]
        return InferenceResponse(model_name=self.name, outputs=outputs)
