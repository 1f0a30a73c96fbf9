"""Who may approve, revoke and write status, on a real API server: every role × action × path, and what is said."""

import uuid
from collections.abc import Callable, Iterator

import pytest
from kubernetes import client

from api.approval_place import DIGEST, IMAGE, OTHER, Place, no, place, version, yes
from api.policies import APPLY, JSON, JSON_PATCH, MERGE, Answer, Person, expect, installed
from chart.rendering import JsonObject

Do = Callable[[Place, Person], Answer]
BY = "somebody@example.org"


def create(spec: Callable[[str], JsonObject]) -> Do:
    """Makes a version; `spec` gets the writer's user name."""

    def do(there: Place, person: Person) -> Answer:
        return person.ask("POST", there.path(), version("new", **spec(person.user)), dry_run=True)

    return do


def merge(name: str, spec: Callable[[str], JsonObject]) -> Do:
    """A merge patch of a version's spec."""

    def do(there: Place, person: Person) -> Answer:
        return person.ask("PATCH", there.path(name), {"spec": spec(person.user)}, MERGE, dry_run=True)

    return do


def put(name: str, edit: Callable[[JsonObject, str], object]) -> Do:
    """The whole object, read by the administrator and edited."""

    def do(there: Place, person: Person) -> Answer:
        found = expect(Person(there.api).ask("GET", there.path(name)))
        edit(found, person.user)
        return person.ask("PUT", there.path(name), found, dry_run=True)

    return do


def json_patch(name: str, approval: Callable[[str], JsonObject]) -> Do:
    """A JSON patch that adds the approval."""

    def do(there: Place, person: Person) -> Answer:
        steps = [{"op": "add", "path": "/spec/approval", "value": approval(person.user)}]
        return person.ask("PATCH", there.path(name), steps, JSON_PATCH, dry_run=True)

    return do


def apply(name: str, approval: Callable[[str], JsonObject]) -> Do:
    """Server-side apply of the approval alone."""

    def do(there: Place, person: Person) -> Answer:
        whole = {**version(name), "spec": {"approval": approval(person.user)}}
        return person.ask("PATCH", there.path(name), whole, APPLY, dry_run=True)

    return do


def delete(name: str) -> Do:
    """Deletes a version."""
    return lambda there, person: person.ask("DELETE", there.path(name), dry_run=True)


def status(plural: str, name: str, method: str = "PATCH", content: str = MERGE) -> Do:
    """Writes a status."""

    def do(there: Place, person: Person) -> Answer:
        path = there.path(name, plural)
        body = expect(Person(there.api).ask("GET", path))
        if method == "PATCH":
            body = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": {"name": name}}
        body["status"] = {"observedGeneration": 1}
        return person.ask(method, f"{path}/status", body, content, dry_run=True)

    return do


def approving(approval: Callable[[str], JsonObject]) -> Callable[[str], JsonObject]:
    """The part of a spec that carries an approval."""
    return lambda user: {"approval": approval(user)}


def relabel(found: JsonObject, _: str) -> None:
    """A label beside an approval that stays."""
    found["metadata"]["labels"] = {"by": "hand"}


def approve_forged(found: JsonObject, user: str) -> None:
    """An approval of the image that the same write claims to be the packaged one."""
    found["spec"]["approval"] = yes(user, OTHER)
    found["status"]["image"] = IMAGE.replace(DIGEST, OTHER)


def no_digest(user: str) -> JsonObject:
    """An approval that does not say of what."""
    return {"approved": True, "approvedBy": user}


ACTIONS: dict[str, Do] = {
    "create": create(lambda _: {}),
    "create, approved": create(approving(yes)),
    "create, approved by another": create(approving(lambda _: yes(BY))),
    "create, refused": create(approving(no)),
    "approve by PUT": put("packaged", lambda found, user: found["spec"].update(approval=yes(user))),
    "approve by merge patch": merge("packaged", approving(yes)),
    "approve by JSON patch": json_patch("packaged", yes),
    "approve by apply": apply("packaged", yes),
    "approve for another": merge("packaged", approving(lambda _: yes(BY))),
    "approve another image": merge("packaged", approving(lambda user: yes(user, OTHER))),
    "approve no image": merge("packaged", approving(no_digest)),
    "approve a forged image": put("packaged", approve_forged),
    "approve too early": merge("unpackaged", approving(yes)),
    "refuse early": merge("unpackaged", approving(no)),
    "revoke": merge("approved", approving(no)),
    "revoke by PUT": put("approved", lambda found, user: found["spec"].update(approval=no(user))),
    "revoke under Ana's name": merge("approved", approving(lambda _: {"approved": False})),
    "remove": merge("approved", lambda _: {"approval": None}),
    "remove by PUT": put("approved", lambda found, _: found["spec"].pop("approval")),
    "take over": merge("approved", approving(yes)),
    "comment under Ana's name": merge("approved", approving(lambda _: {"comment": "checked twice"})),
    "relabel": put("approved", relabel),
    "edit": merge("approved", lambda _: {"model": "other"}),
    "edit and approve": merge("packaged", lambda user: {"model": "other", "approval": yes(user)}),
    "delete": delete("approved"),
    "status": status("modelversions", "packaged"),
    "status by PUT": status("modelversions", "packaged", "PUT", JSON),
    "status by apply": status("modelversions", "packaged", "PATCH", APPLY),
    "status of a Dataset": status("datasets", "other"),
    "status of a TrainingRun": status("trainingruns", "other"),
    "status of a Deployment": status("modeldeployments", "other"),
}

TABLE = """
                             viewer editor admin approver second own ci gitops operator meddler restorer root
create                       rbac   ok     ok    rbac     ok     ok  rbac ok   ok       ok      ok       ok
create, approved             rbac   verb   verb  rbac     new    own rbac ok   verb     verb    verb     ok
create, approved by another  rbac   verb   verb  rbac     new    own rbac ok   verb     verb    verb     ok
create, refused              rbac   verb   verb  rbac     new    own rbac ok   verb     verb    verb     ok
approve by PUT               rbac   verb   verb  ok       ok     own ok   ok   rbac     verb    verb     ok
approve by merge patch       rbac   verb   verb  ok       ok     own ok   ok   rbac     verb    verb     ok
approve by JSON patch        rbac   verb   verb  ok       ok     own ok   ok   rbac     verb    verb     ok
approve by apply             rbac   verb   verb  ok       ok     own ok   ok   rbac     verb    verb     ok
approve for another          rbac   verb   verb  name     name   own name ok   rbac     verb    verb     ok
approve another image        rbac   verb   verb  image    image  own image image rbac   verb    verb     image
approve no image             rbac   schema schema schema  schema schema schema schema rbac schema schema schema
approve a forged image       rbac   verb   verb  image    image  own image image rbac   verb    verb     image
approve too early            rbac   verb   verb  early    early  own early ok  rbac     verb    verb     ok
refuse early                 rbac   verb   verb  ok       ok     own ok   ok   rbac     verb    verb     ok
revoke                       rbac   verb   verb  ok       ok     own ok   ok   rbac     verb    verb     ok
revoke by PUT                rbac   verb   verb  ok       ok     own ok   ok   rbac     verb    verb     ok
revoke under Ana's name      rbac   verb   verb  ok       ana    own ana  ok   rbac     verb    verb     ok
remove                       rbac   verb   verb  ok       ok     own ok   ok   rbac     verb    verb     ok
remove by PUT                rbac   verb   verb  ok       ok     own ok   ok   rbac     verb    verb     ok
take over                    rbac   verb   verb  ok       ok     own ok   ok   rbac     verb    verb     ok
comment under Ana's name     rbac   verb   verb  ok       ana    own ana  ok   rbac     verb    verb     ok
relabel                      rbac   ok     ok    ok       ok     ok  ok   ok   rbac     ok      ok       ok
edit                         rbac   fact   fact  fact     fact   fact fact fact rbac    fact    fact     fact
edit and approve             rbac   fact   fact  fact     fact   fact fact fact rbac    fact    fact     fact
delete                       rbac   ok     ok    rbac     ok     ok  rbac ok   rbac     ok      ok       ok
status                       rbac   rbac   rbac  rbac     rbac   rbac rbac rbac ok      status  ok       ok
status by PUT                rbac   rbac   rbac  rbac     rbac   rbac rbac rbac rbac    status  ok       ok
status by apply              rbac   rbac   rbac  rbac     rbac   rbac rbac rbac ok      status  ok       ok
status of a Dataset          rbac   rbac   rbac  rbac     rbac   rbac rbac rbac ok      status  ok       ok
status of a TrainingRun      rbac   rbac   rbac  rbac     rbac   rbac rbac rbac ok      status  ok       ok
status of a Deployment       rbac   rbac   rbac  rbac     rbac   rbac rbac rbac ok      status  ok       ok
"""
_ALSO = '(the verb "approve-as" lifts this rule)'
SAID = {
    "ok": "",
    "rbac": 'User "{user}" cannot ',
    "verb": 'user "{user}" may not write spec.approval: approving and revoking in namespace "{namespace}" needs the '
    'verb "approve" on modelversions of modelwright.dev; ask for a role that has it',
    "own": 'service accounts of namespace "{namespace}" may not approve its own model versions, because whoever makes '
    "Pods there can use them; approve as a person, or from another namespace",
    "new": "a new ModelVersion cannot carry an approval: it has no image yet; leave spec.approval out, and approve "
    f"once status.image is there {_ALSO}",
    "name": f'spec.approval.approvedBy is "{BY}", must be your own user name: "{{user}}" {_ALSO}',
    "ana": f'spec.approval.approvedBy is "ana", must be your own user name: "{{user}}" {_ALSO}',
    "early": f"there is no image yet that could be approved; wait until status.image is there {_ALSO}",
    "image": f'spec.approval.imageDigest is "{OTHER}", must be the digest of status.image: "{DIGEST}"',
    "schema": "an approval is of one image; write the digest of status.image in imageDigest",
    "fact": "a ModelVersion is a fact, of which only the approval can be changed; create one of another name",
    "status": 'user "{user}" may not write the status of {plural}: it says what the operator has seen; write spec '
    'instead (the verb "restore-status" lets a backup be restored)',
}
"""What must be said; of `rbac`, `schema` and `fact` the API server says more around it."""


def rows() -> Iterator[tuple[str, dict[str, str]]]:
    """Each action of the table, with the outcome for each role."""
    header, *lines = TABLE.strip("\n").splitlines()
    for line in lines:
        action, outcomes = line[:29].strip(), line[29:].split()
        yield action, dict(zip(header.split(), outcomes, strict=True))


@pytest.fixture(scope="module")
def there(api_server: client.ApiClient) -> Iterator[Place]:
    administrator = Person(api_server)
    with installed(administrator), place(administrator, f"approval-{uuid.uuid4().hex[:8]}") as made:
        yield made


def test_every_action_has_its_row() -> None:
    assert [action for action, _ in rows()] == list(ACTIONS)


@pytest.mark.parametrize(("action", "outcomes"), [pytest.param(*row, id=row[0]) for row in rows()])
def test_who_may_do_what_and_what_is_said(there: Place, action: str, outcomes: dict[str, str]) -> None:
    plural = {"Dataset": "datasets", "TrainingRun": "trainingruns", "Deployment": "modeldeployments"}
    of = plural.get(action.rpartition(" ")[2], "modelversions")
    wrong = {}
    for role, outcome in outcomes.items():
        person = there.person(role)
        answer = ACTIONS[action](there, person)
        wanted = SAID[outcome].format(user=person.user, namespace=there.namespace, plural=of)
        around = outcome in ("rbac", "schema", "fact")
        if not (wanted in answer.message if around else answer.message == wanted):
            wrong[role] = (answer.code, answer.message, wanted)
    assert wrong == {}
