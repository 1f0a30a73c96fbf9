"""Model versions that people approve, in the world of the pure tests."""

from pure import samples
from pure.served import LIVE, ME, version
from pure.world import World


def asking(**policy: object) -> World:
    """A world in which a person must approve what is served."""
    return World(samples.config(policy={"namespaces": {samples.NAMESPACE: {"approval": "required", **policy}}}))


def packaged(world: World, *names: str) -> None:
    """Versions with an image, that nobody has approved."""
    for name in names:
        version(world, name, digest=samples.digest(name))


def approve(world: World, name: str, *, by: str = "ana", digest: str | None = None, **more: object) -> None:
    """A person approves the version's image."""
    word = {"approved": True, "approvedBy": by, "imageDigest": digest or samples.digest(name), **more}
    world.edit("ModelVersion", name, approval=word)
    world.pass_time(seconds=1)


def say_no(world: World, name: str, *, by: str = "ana", comment: str = "") -> None:
    """A person says no, or takes an approval back."""
    world.edit("ModelVersion", name, approval={"approved": False, "approvedBy": by, "comment": comment})
    world.pass_time(seconds=1)


def remove(world: World, name: str) -> None:
    """The approval is taken out of the spec."""
    spec = world.objects["ModelVersion", name]["spec"]
    kept = {field: value for field, value in spec.items() if field != "approval"}
    world.apply({**world.objects["ModelVersion", name], "spec": kept})
    world.pass_time(seconds=1)


def served_in_turn(*names: str, wanted: str = "latest") -> World:
    """A world that asks, in which these versions were approved and served one after the other."""
    world = asking()
    world.apply(samples.deployment(version=wanted if wanted == "latest" else names[0]))
    for name in names:
        packaged(world, name)
        approve(world, name)
        if wanted != "latest":
            world.edit(*ME, model={"name": "late-flights", "version": name})
        world.chain()
    assert world.ready(*ME) == ("True", "Serving")
    return world


def history(world: World) -> list[tuple[str, str, bool]]:
    """Version and reason of the history, newest first, and whether it is said to answer still."""
    records = world.objects[ME]["status"]["history"]
    return [(one["version"], one["reason"], "until" not in one) for one in records]


def command(name: str) -> str:
    """How the messages say that a version can be approved."""
    patch = (
        f'{{"spec":{{"approval":{{"approved":true,"approvedBy":"YOUR USER NAME","imageDigest":"{samples.digest(name)}"'
    )
    return f"to approve it: kubectl patch modelversion {name} --namespace team --type merge --patch '{patch}}}}}}}'"


def image(name: str) -> str:
    """The image of a version."""
    return f"r.test/{name}@{samples.digest(name)}"


def running(world: World) -> str:
    """The image that the servers' template is of; empty where there are none."""
    live = world.objects.get(LIVE)
    return str(live["spec"]["template"]["spec"]["containers"][0]["image"]) if live is not None else ""
