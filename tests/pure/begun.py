"""Worlds in which a step has just begun."""

from pure import samples
from pure.world import World

DATA = ("Dataset", "flights")
RUN = ("TrainingRun", "late-flights")


def reading() -> World:
    """A world with a Dataset whose Job is there."""
    world = World()
    world.apply(samples.dataset())
    world.settle()
    return world


def training(**spec: object) -> World:
    """A world with a TrainingRun whose Job is there."""
    world = reading()
    world.succeed(world.the_job(DATA))
    world.apply(samples.training_run(**spec))
    world.settle()
    return world


def attempt(world: World, owner: tuple[str, str] = DATA) -> dict[str, object]:
    """What status remembers of failed tries."""
    status = world.objects[owner]["status"]
    assert isinstance(status, dict)
    found = status.get("attempt", {})
    assert isinstance(found, dict)
    return found
