"""Whatever people do, in any order: only what was approved runs, and nothing that was revoked."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from pure import samples
from pure.approving import approve, asking, image, packaged, remove, running, say_no
from pure.served import ME
from pure.world import fork

NAMES = ("v1", "v2", "v3")


class People:
    """What people do to three versions and a Deployment, and what they have said by then."""

    def __init__(self) -> None:
        self.world = asking()
        self.approved: set[str] = set()
        self.revoked: set[str] = set()
        packaged(self.world, *NAMES)
        self.world.apply(samples.deployment())
        self.approve("v1")
        self.roll_out("")

    def approve(self, name: str) -> None:
        if self._is_there(name):
            approve(self.world, name)
            self.approved.add(name)
            self.revoked.discard(name)

    def say_no(self, name: str) -> None:
        if self._is_there(name):
            say_no(self.world, name)
            self.revoked.add(name)

    def remove(self, name: str) -> None:
        if self._is_there(name) and "approval" in self.world.objects["ModelVersion", name]["spec"]:
            remove(self.world, name)
            self.revoked.add(name)

    def delete(self, name: str) -> None:
        if self._is_there(name):
            self.world.delete("ModelVersion", name)

    def make(self, name: str) -> None:
        if not self._is_there(name):
            packaged(self.world, name)

    def wish_for(self, name: str) -> None:
        self.world.edit(*ME, model={"name": "late-flights", "version": name})

    def wish_for_latest(self, _: str) -> None:
        self.wish_for("latest")

    def roll_out(self, _: str) -> None:
        self.world.chain()

    def pass_time(self, _: str) -> None:
        self.world.pass_time(minutes=6)

    def _is_there(self, name: str) -> bool:
        return ("ModelVersion", name) in self.world.objects


ACTS: list[Callable[[People, str], None]] = [
    People.approve,
    People.say_no,
    People.remove,
    People.delete,
    People.make,
    People.wish_for,
    People.wish_for_latest,
    People.roll_out,
    People.pass_time,
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ACTS), st.sampled_from(NAMES), st.booleans()), max_size=25))
def test_whatever_people_do_only_what_was_approved_runs_and_nothing_that_was_revoked(
    acts: list[tuple[Callable[[People, str], None], str, bool]],
) -> None:
    people = People()
    for act, name, restart in acts:
        act(people, name)
        if restart:
            people.world = fork(people.world)
        people.world.settle()
        assert running(people.world) in {"", *(image(name) for name in people.approved - people.revoked)}
