"""Deployments of ours in the world of the pure tests: versions to serve, and a world in which one is served."""

from pure import samples
from pure.world import World

ME = ("Deployment", "late-flights")
LIVE = ("apps/Deployment", "late-flights")


def version(
    world: World,
    name: str,
    *,
    model: str = "late-flights",
    gated: bool = True,
    image: bool = True,
    digest: str = "sha256:1",
) -> None:
    """A ModelVersion as its reconciler would leave it."""
    world.apply(samples.model_version(name, model, source={"trainingRun": "elsewhere", "digest": samples.digest(name)}))
    lineage = {"trainingRun": "elsewhere" if gated else "", "model": samples.digest(name)}
    found = world.objects["ModelVersion", name]
    found["status"] = {"observedGeneration": 1, "lineage": lineage, "image": f"r.test/{name}@{digest}" if image else ""}
    world.reconcile("ModelVersion", name)
    world.pass_time(seconds=1)


def image_of(world: World) -> str:
    """The image that the apps/v1 Deployment is of."""
    return str(world.objects[LIVE]["spec"]["template"]["spec"]["containers"][0]["image"])


def serving(*names: str, **spec: object) -> World:
    """A world in which these versions are there and the newest one is served."""
    world = World()
    for name in names or ("v1",):
        version(world, name)
    world.apply(samples.deployment(**spec))
    world.chain()
    assert world.ready(*ME) == ("True", "Serving")
    return world


def stable(world: World) -> str:
    """The version that status says is served."""
    return str(world.objects[ME]["status"]["stable"]["version"])
