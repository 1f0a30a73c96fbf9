"""Every reason that a condition can carry, with its meaning and its remedy: the table behind `docs/conditions.md`.

Reasons are API: they are never renamed, and tests of users may match them.
"""

from typing import Final, Literal, NamedTuple

Outlook = Literal["good", "moving", "act"]
"""`good`: as it should be. `moving`: nothing to do but wait. `act`: a person has to change something."""


class Reason(NamedTuple):
    """What one reason means and what helps."""

    outlook: Outlook
    meaning: str
    remedy: str


REASONS: Final[dict[str, Reason]] = {
    # As it should be
    "Succeeded": Reason("good", "The work is done and its result is in status.", "Nothing."),
    "ChecksPassed": Reason("good", "Every check of severity `error` holds.", "Nothing."),
    "Refreshed": Reason("good", "The source was looked at when it was due last.", "Nothing."),
    "GatesPassed": Reason("good", "Every gate holds on the test split.", "Nothing."),
    "Packaged": Reason("good", "The image is in the registry, by digest.", "Nothing."),
    "Serving": Reason("good", "The model answers; `Progressing` tells whether a newer version comes.", "Nothing."),
    "MinimumReplicasAvailable": Reason("good", "Requests are answered.", "Nothing."),
    "RolledOut": Reason("good", "No change is under way.", "Nothing."),
    "RouteAccepted": Reason("good", "The Gateway, or an ingress controller, leads requests to the model.", "Nothing."),
    # Moving
    "Ingesting": Reason("moving", "A Job reads, checks and splits the data.", "Wait."),
    "Refreshing": Reason("moving", "A Job looks whether the source has changed, and reads what has.", "Wait."),
    "Training": Reason("moving", "A Job trains and evaluates the model.", "Wait."),
    "Packaging": Reason("moving", "A Job checks the model and pushes its image.", "Wait."),
    "RollingOut": Reason("moving", "New Pods start; old ones serve until they are ready.", "Wait."),
    "CanaryRunning": Reason(
        "moving",
        "A new version answers a share of the requests, and is judged; the one that serves answers what it does not.",
        "Wait; `status.rollout` has the step and the figures.",
    ),
    "PodPending": Reason("moving", "The Pod of the step waits to be scheduled or started.", "Wait."),
    "PodInitializing": Reason("moving", "The Pod of the step is starting.", "Wait."),
    "DependencyNotReady": Reason(
        "moving",
        "An object that this one names is missing or not Ready yet.",
        "Apply the named object, or look at its own Ready condition; this one goes on by itself.",
    ),
    "Suspended": Reason("moving", "`spec.suspend` is true.", "Set `spec.suspend: false` to go on."),
    "Paused": Reason(
        "moving", "`spec.paused` is true, and a version waits for it.", "Set `spec.paused: false` to let it begin."
    ),
    "NotSuspended": Reason("good", "`spec.suspend` is false, or the run is done.", "Nothing."),
    "NotStarted": Reason("moving", "The step has not begun.", "Wait."),
    # The cluster says no
    "SecretNotFound": Reason(
        "moving",
        "A Secret that the Pod needs does not exist in the namespace, or lacks a key.",
        "Create the named Secret or key, or correct its name in `spec`; the Pod starts by itself.",
    ),
    "ConfigMapNotFound": Reason(
        "moving", "A ConfigMap that the Pod needs does not exist in the namespace.", "Create the named ConfigMap."
    ),
    "ImagePullFailed": Reason(
        "act",
        "The kubelet cannot pull an image.",
        "Check the image's name, that the registry answers from the node, and `spec.imagePullSecrets`.",
    ),
    "ImageInvalid": Reason("act", "An image name is malformed.", "Write `host/path@sha256:…` or `host/path:tag`."),
    "ContainerCreateFailed": Reason(
        "act",
        "The kubelet cannot create a container.",
        "The message quotes the kubelet; it names what to change. Where an image volume fails on a node older than the "
        "control plane, set `serving.modelVolume: copy` in the chart.",
    ),
    "MountFailed": Reason(
        "act",
        "The kubelet cannot mount a volume of the Pod.",
        "The message quotes the kubelet; it names what to change.",
    ),
    "Unschedulable": Reason(
        "act",
        "No node can take the Pod.",
        "Lower `resources.requests`, add nodes, or create the claim that the message names.",
    ),
    "PodNotCreated": Reason(
        "act",
        "Kubernetes refuses to create the Pod.",
        "The message quotes the refusal: often a missing service account or an exhausted quota.",
    ),
    "OutOfMemory": Reason(
        "act",
        "A container was killed at its memory limit.",
        "Raise `spec.resources.limits.memory`, or `spec.server.resources.limits.memory`; or use less data.",
    ),
    "DeadlineExceeded": Reason(
        "act", "The Job took longer than its deadline.", "Raise the deadline, or give the Job more CPU."
    ),
    "Evicted": Reason("act", "The node evicted the Pod.", "The message quotes the kubelet; often local disk ran out."),
    "Crashed": Reason(
        "act", "A container ended without telling why.", "The message quotes its last words; see the Job's log."
    ),
    "CrashLoop": Reason("act", "The server keeps ending after its start.", "The message quotes its last words."),
    "ProgressDeadlineExceeded": Reason(
        "act",
        "New servers run, but none has become ready in time.",
        "Look at the Pod's log. Raise `spec.server.startupDeadline` where a server needs longer; of another server's "
        "image check `spec.server.port` and `spec.server.readiness`.",
    ),
    "Forbidden": Reason("act", "The API server refused a write of the operator.", "The message quotes the refusal."),
    "Invalid": Reason("act", "The API server found a child's manifest invalid.", "The message names the field."),
    "NameTaken": Reason(
        "act",
        "An object of the name that a child needs exists already and is another's.",
        "Rename or delete that object, or rename this one.",
    ),
    "InvalidSpec": Reason("act", "The spec does not hold together.", "The message names the field and what to write."),
    "InvalidConfiguration": Reason(
        "act",
        "The namespace's ConfigMap `modelwright` cannot be read.",
        "The message names the field and what to write.",
    ),
    "ResourcesAboveCeiling": Reason(
        "act", "The spec asks for more than the platform allows.", "Ask for at most what the message names."
    ),
    # Data
    "SourceNotFound": Reason("act", "There is no file at `spec.source.uri`.", "Put the file there or correct the URI."),
    "SourceForbidden": Reason("act", "The store refuses to read the source.", "Check `spec.source.secretRef`."),
    "SourceUnreadable": Reason("act", "The file is broken.", "Repair the line that the message names."),
    "SourceEmpty": Reason("act", "The source has no rows.", "Put rows into it."),
    "ColumnNotFound": Reason("act", "A declared column is not in the source.", "Correct `spec.columns[].name`."),
    "TargetNotFound": Reason("act", "The target is not in the source.", "Correct the column of role `target`."),
    "ColumnTypeMismatch": Reason("act", "A value does not fit its column's type.", "Correct the type or the data."),
    "ExpressionInvalid": Reason("act", "An expression cannot be evaluated.", "The message says what to write."),
    "CheckFailed": Reason("act", "A check of severity `error` does not hold.", "Repair the data or the check."),
    "SplitEmpty": Reason("act", "A split has no rows.", "Give more rows, or another `spec.split`."),
    "StoreUnreachable": Reason("moving", "The artifact store does not answer.", "Check the store and its endpoint."),
    "StoreForbidden": Reason("act", "The artifact store refuses the keys.", "Check the Secret with the store's keys."),
    "StoreNotFound": Reason("act", "The artifact store's bucket does not exist.", "Create the bucket."),
    # Training
    "DatasetNotFound": Reason(
        "act", "The dataset version is not in the store.", "Name another digest, or read the Dataset again."
    ),
    "EstimatorNotAllowed": Reason(
        "act", "The class is not on the allow-list.", "Use one of the classes that the message proposes."
    ),
    "EstimatorNotFound": Reason("act", "There is no such class.", "Use one of the classes that the message proposes."),
    "EstimatorParameterInvalid": Reason(
        "act", "The class does not take this parameter or value.", "Use one of the parameters that the message lists."
    ),
    "EstimatorFailed": Reason("act", "Fitting raised an error.", "The message quotes the library."),
    "TargetSingleClass": Reason("act", "The target has one class only.", "Give data with at least two classes."),
    "TargetMissing": Reason("act", "The dataset has no target.", "Declare a column of role `target` in the Dataset."),
    "MetricNotApplicable": Reason("act", "The metric does not fit the task.", "Use one that the message lists."),
    "GatesFailed": Reason("act", "A gate does not hold on the test split.", "Train a better model, or lower the gate."),
    "ChampionNotComparable": Reason(
        "act",
        "The model that a gate compares with can't be asked about the new rows. It serves on.",
        "The message says why; often a column that it needs is gone. Keep it in the Dataset with `role: id`, or take "
        "the gate away for one run.",
    ),
    "RunFailed": Reason("act", "The run ended without a model.", "See the condition Ready."),
    "NotFinished": Reason("moving", "The run has not ended.", "Wait."),
    # Packaging
    "NotPackaged": Reason("moving", "There is no image yet.", "See the condition Ready."),
    "NotGated": Reason(
        "moving",
        "The named TrainingRun does not list this digest as passed.",
        "Correct `spec.source`, or train again.",
    ),
    "ModelNotFound": Reason("act", "The model artifact is not in the store.", "Correct `spec.source.digest`."),
    "ModelCheckFailed": Reason(
        "act", "The model does not answer as it did when it was trained.", "Train again with this release."
    ),
    "ImagePushForbidden": Reason(
        "act", "The registry refuses the push.", "Check `spec.package.pushSecretRef` and the repository's name."
    ),
    "RegistryUnreachable": Reason("moving", "The registry does not answer.", "Check the registry."),
    "BaseImageNotFound": Reason("act", "The server image cannot be read.", "Check the operator's configuration."),
    "RepositoryMissing": Reason(
        "act", "No repository for the image is named.", "Write `spec.package.image`, or configure one for all."
    ),
    # Approval
    "Approved": Reason("good", "A person has approved this image.", "Nothing."),
    "ApprovedByPolicy": Reason("good", "The namespace's policy asks no person; a person may still say no.", "Nothing."),
    "AwaitingApproval": Reason(
        "act",
        "The namespace's policy asks for a person's approval, and there is none.",
        "The message ends in the command that approves; it needs the verb `approve` on modelversions.",
    ),
    "ApprovalRevoked": Reason(
        "act",
        "A person has said no to the version, or has removed its approval.",
        "Approve it, or another version of the model; name another one in `spec.model.version`. A Deployment goes back "
        "to the last approved version that it served; with none, its servers are ended.",
    ),
    "ApprovalOutdated": Reason(
        "act",
        "The approval is of another image than the one in `status.image`.",
        "Approve the image that is there; the message ends in the command.",
    ),
    "NotAllowedByPolicy": Reason(
        "act",
        "The namespace's policy asks for approval, and the server's image or environment is not on its list.",
        "Write what the message names, or ask the platform's administrators to add it to `policy`.",
    ),
    # Serving
    "NoVersion": Reason("moving", "No version of the model is Ready.", "Wait for a ModelVersion, or make one."),
    "RolloutRejected": Reason(
        "act",
        "The version that is wished for was tried, taken back, and is not tried again. What served before serves on.",
        "The message says what spoke against it. Make a better version; or, if the fault lay elsewhere, write the "
        "digest from `status.quarantined` into `spec.rollout.release`.",
    ),
    "SignatureIncompatible": Reason(
        "act",
        "Requests to the version that serves would fail with the one that is wished for. What served before serves on.",
        "Train with the columns of before; or write `spec.rollout.allowIncompatible: true` once callers are ready.",
    ),
    "StepsInvalid": Reason(
        "act", "The steps of `spec.rollout` make no sense together.", "The message names the step and what to write."
    ),
    "FiguresUnreachable": Reason(
        "act",
        "Servers do not tell the operator their figures. A canary is neither promoted nor taken back on a guess, and "
        "nobody knows whether the input has drifted.",
        "Let the operator reach port 8082 of the servers: look at NetworkPolicies, and at `serving.networkPolicy` in "
        "the chart.",
    ),
    "ServersNotReady": Reason(
        "moving", "All servers are up to date, but not ready again yet.", "Wait, or look at the Pods' logs."
    ),
    "RoutePending": Reason(
        "act",
        "Nobody has taken the route yet.",
        "Check that the Gateway of `spec.route.gatewayRef` exists, or that a controller of "
        "`spec.route.ingressClassName` runs. Of an Ingress it does not decide on Ready, because some controllers never "
        "tell.",
    ),
    "RouteRejected": Reason(
        "act", "The Gateway does not take the route.", "The message quotes its controller; it names what to change."
    ),
    "RouteKindMissing": Reason(
        "act",
        "The cluster has no HTTPRoute.",
        "Install the CRDs of the Gateway API, or write `spec.route.ingressClassName` instead of `gatewayRef`.",
    ),
    "AutoscalerActive": Reason("good", "The number of servers follows their load.", "Nothing."),
    "AutoscalerPending": Reason(
        "moving",
        "The autoscaler has no measurement of the servers yet; they stay as many as they are.",
        "Wait: a new server is measured after about a minute. Where it lasts, look at metrics-server's log.",
    ),
    "MetricsMissing": Reason(
        "act",
        "The cluster's metrics API does not answer the autoscaler. The servers serve, and stay as many as they are.",
        "Install metrics-server; `kubectl top pods` shows whether it works.",
    ),
    "RequestMissing": Reason(
        "act",
        "The autoscaler's target is in percent of a request that the server does not make.",
        "Write `spec.server.resources.requests` for what `spec.scaling.metric` measures.",
    ),
    "CapacityMissing": Reason(
        "act",
        "The load asks for more servers than can be started; `minReplicas` of them run.",
        "Add nodes or quota, as the message says, or lower `spec.scaling.maxReplicas`.",
    ),
    "AutoscalerFailed": Reason(
        "act",
        "The autoscaler leaves the servers as many as they are.",
        "The message quotes it; often another HorizontalPodAutoscaler is for the same servers: delete that.",
    ),
    "MinimumReplicasUnavailable": Reason("moving", "No replica answers requests.", "See the condition Ready."),
    # Retraining
    "RetrainingUnderWay": Reason(
        "moving", "A TrainingRun trains the model anew, or what came of it is on its way to be served.", "Wait."
    ),
    "NothingToDo": Reason("good", "Nothing asks for a new model.", "Nothing."),
    "NothingNew": Reason(
        "good",
        "The dataset has no version that was not trained on; the same data would give the same model.",
        "Nothing: a run begins once the Dataset has a new version, by its `spec.refresh` or by hand.",
    ),
    "CoolingDown": Reason("moving", "A run waits for `spec.retraining.cooldown`, or for a rollout to end.", "Wait."),
    "AttemptsExhausted": Reason(
        "act",
        "`spec.retraining.maxAttempts` runs in a row led to no promoted version. What serves goes on serving.",
        "`status.retraining.records` says why each failed. Mend the data or the run, and change the Deployment's spec.",
    ),
    "TemplateMissing": Reason(
        "act",
        "The TrainingRun that `spec.retraining.template` names does not exist.",
        "Apply it, or correct the name. What serves goes on serving.",
    ),
    "TemplateUnfit": Reason(
        "act",
        "The TrainingRun that `spec.retraining.template` names makes versions of another model.",
        "Correct its `spec.output.model`, or name another TrainingRun.",
    ),
    "VersionIsNamed": Reason(
        "act",
        "`spec.model.version` names one version, so that what a retraining made would never be served.",
        "Write `version: latest`, or remove `spec.retraining`.",
    ),
    "ScheduleInvalid": Reason(
        "act", "A schedule can't be read, or is never due.", "The message says what to write instead."
    ),
    # Batches
    "Scoring": Reason("moving", "A Job asks the model about the rows of a dataset version.", "Wait."),
    "Scored": Reason("good", "The file of the last batch that was due is written.", "Nothing."),
    "DatasetUnfit": Reason(
        "act",
        "The dataset lacks a column that the model reads, has it in another type, or has an `id` of a name that the "
        "output needs.",
        "The message names the column. Declare it in the Dataset as it was when the model was trained.",
    ),
    "RowsRefused": Reason(
        "act",
        "The model refuses rows of the dataset.",
        "The message quotes its server. Repair the rows, or declare a check in the Dataset that stops them.",
    ),
    "ModelServerFailed": Reason(
        "act",
        "The model's server, which a batch starts beside its Job, does not answer as it must.",
        "The log of the container `server` in the Job's Pod says why. Where it needs longer to start, raise "
        "`spec.server.startupDeadline`.",
    ),
    # Drift
    "NoDrift": Reason("good", "Rows that the model is asked are like those that it was trained on.", "Nothing."),
    "Drifted": Reason(
        "act",
        "Features of the rows that the model is asked are not spread as in its training data, in two of three windows.",
        "`status.drift` has the features. Train on newer data, by hand or by `spec.retraining`; or repair what sends "
        "the rows.",
    ),
    "PredictionDrifted": Reason(
        "act",
        "Answers are not spread as after training, in two of three windows, though no feature differs so much by "
        "itself.",
        "Several features may have moved together: compare live rows with the training data, and train on newer data.",
    ),
    "FirstWindow": Reason("moving", "No window has ended since the version took over.", "Wait."),
    "TooFewRequests": Reason(
        "moving",
        "The last window had too few rows to be judged.",
        "Wait; or write a longer `spec.monitoring.drift.window`, or fewer `minSamples`.",
    ),
    "NoProfile": Reason(
        "act",
        "The model has no training profile to compare with, and `spec.monitoring.drift` or "
        "`spec.retraining.triggers.drift` asks for it.",
        "Serve a version that was trained by a TrainingRun of this release, with its own server; or remove the field.",
    ),
    "InternalError": Reason("act", "The step met an error of its own.", "Report it with the message."),
}  # fmt: skip


def outlook(reason: str) -> Outlook:
    """What a reason asks of its reader; one that is not in the table is for a person."""
    known = REASONS.get(reason)
    return known.outlook if known else "act"
