"""A Deployment whose servers count rows: windows close one after the other, and each is judged in a pass of its own."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from modelwright.api.v1alpha1 import Deployment, DeploymentStatus
from modelwright.api.v1alpha1.deployment import ServedRecord, StableVersion
from modelwright.api.v1alpha1.monitoring import DriftFigures
from modelwright.conditions import Report, timestamp
from modelwright.live import FeatureWindow, Live
from modelwright.plan import Event
from modelwright.reconcilers.drift import Drift, drift
from modelwright_contract.profile import Column, Profile, Ranges, Values
from pure import samples

START = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
Counts = Mapping[str, tuple[int, ...]]


def profile(*features: str) -> Profile:
    """Ten bins with a thousand rows each for every feature, a category of three, and two classes."""
    bins = Ranges(tuple(float(edge) for edge in range(1, 10)))
    columns = [Column(name, "number", bins, (1000,) * 10 + (0,)) for name in features]
    carrier = Column("carrier", "string", Values((0, 1, 2), ("AA", "DL", "UA")), (5000, 3000, 2000, 0, 0))
    label = Column("label", "boolean", Values((0, 1), (False, True)), (1400, 600, 0, 0))
    return Profile((*columns, carrier), (label,), "validation")


PROFILE = profile("distance", "hour")
CALM: Counts = {"distance": (50,) * 10 + (0,), "hour": (50,) * 10 + (0,), "carrier": (250, 150, 100, 0, 0)}
MOVED: Counts = {**CALM, "distance": (10, 15, 20, 30, 40, 55, 65, 75, 90, 100, 0)}
LABELS: Counts = {"label": (350, 150, 0, 0)}
OTHER_LABELS: Counts = {"label": (150, 350, 0, 0)}


class Watched:
    """What the operator keeps of the Deployment between two passes is its status, and nothing else."""

    def __init__(self, version: str = "v1", **spec: object) -> None:
        self.now = START
        self.spec: dict[str, object] = {"monitoring": {"drift": {}}, **spec}
        self.status = DeploymentStatus()
        self.events: list[Event] = []
        self.live: Live | None = Live(at=START, asked=1, reached=1)
        self.serve(version)

    def serve(self, version: str, digest: str = "p1", known: Profile = PROFILE) -> None:
        """This version serves from now on; its profile has this digest."""
        stable = StableVersion(model="late-flights", version=version, image=f"r.test/{version}@sha256:1")
        record = ServedRecord(version=version, since=timestamp(self.now))
        self.status = self.status.model_copy(update={"stable": stable, "history": (record,)})
        self.digest = digest
        assert self.live is not None
        self.live = replace(self.live, profiled={version: digest}, profiles={digest: known})

    def close(self, features: Counts = CALM, outputs: Counts = LABELS, rows: int = 500, hours: int = 1) -> Drift:
        """The next window closes with these counts, and a pass judges it."""
        assert self.live is not None
        assert self.status.stable is not None
        version = self.status.stable.version
        window = FeatureWindow(version, self.digest, self.now, hours * 3600.0, rows, features, outputs)
        self.now += timedelta(hours=hours)
        self.live = replace(self.live, at=self.now, windows=(*self.live.windows, window)[-3:])
        return self.look()

    def look(self) -> Drift:
        """One pass; a second one over the same finds nothing more."""
        found = self._pass()
        again = self._pass()
        assert again == replace(found, events=())
        return found

    def restart(self) -> Drift:
        """Another operator begins, and has asked nobody yet."""
        live, self.live = self.live, None
        found = self.look()
        self.live = live
        return found

    @property
    def resource(self) -> Deployment:
        manifest = samples.deployment(**self.spec)
        status = self.status.model_dump(mode="json", by_alias=True, exclude_none=True)
        return Deployment.parse({**manifest, "status": status})

    @property
    def figures(self) -> DriftFigures:
        """What status says."""
        assert self.status.drift is not None
        return self.status.drift

    def _pass(self) -> Drift:
        resource = self.resource
        found = drift(resource, resource.status, self.live, self.now)
        report = Report(resource.status.conditions, resource.metadata.generation, self.now)
        report.ready("Serving", "as ever")
        found.tell(report)
        self.events += found.events
        told = {"drift": found.status, "conditions": report.conditions()}
        self.status = resource.status.model_copy(update=told)
        return found
