"""The chart without a cluster: what it renders, what it refuses, and what it may do."""

import pytest
import yaml

from modelwright.config import Config
from modelwright.reconcilers.serving import REMOVABLE
from modelwright.resources import APPS_DEPLOYMENTS, CHILDREN, JOBS

from .rendering import CHART, IMAGES, HelmRefused, JsonObject, helm, of_kind, pod_specs, render, values
from .restricted import violations

ROOT = CHART.parents[1]
OURS = ["datasets", "trainingruns", "modelversions", "modeldeployments"]
ADMISSION = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
OUR_VERBS = {"approve", "approve-as", "restore-status"}
MONITORING = ("--api-versions=monitoring.coreos.com/v1",)
SETS = [
    pytest.param((), id="defaults"),
    pytest.param(("dev.enabled=true",), id="development store and registry"),
    pytest.param(("dev.enabled=true", "dev.s3.persistent=false", 'dev.namespaces=["ana","ben"]'), id="without volumes"),
    pytest.param(
        ('watchNamespaces=["ana","ben"]', "rbac.clusterRoles=false", "crds.install=false", "admission.install=false"),
        id="namespaced",
    ),
    pytest.param(
        ("operator.replicas=3", "networkPolicy.enabled=true", "metrics.podMonitor.enabled=true"), id="replicas"
    ),
    pytest.param(
        ("serviceAccount.create=false", "serviceAccount.name=given", 'imagePullSecrets=["a"]'), id="given names"
    ),
]


@pytest.mark.parametrize("settings", SETS)
def test_lints(settings: tuple[str, ...]) -> None:
    helm("lint", "--strict", str(CHART), *values(*settings))


@pytest.mark.parametrize("settings", SETS)
def test_every_pod_is_restricted(settings: tuple[str, ...]) -> None:
    specs = list(pod_specs(render(*settings, more=MONITORING)))
    assert len(specs) >= 2
    assert {name: broken for name, spec in specs if (broken := list(violations(spec)))} == {}


@pytest.mark.parametrize("settings", SETS)
def test_names_are_unique(settings: tuple[str, ...]) -> None:
    objects = render(*settings, more=MONITORING)
    names = [(obj["kind"], obj["metadata"].get("namespace"), obj["metadata"]["name"]) for obj in objects]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("settings", SETS)
def test_operator_reads_the_configuration(settings: tuple[str, ...]) -> None:
    config = _config(render(*settings))
    assert config.images.server.endswith("a" * 64)
    assert config.store.secret_name == "modelwright-store"


@pytest.mark.parametrize("settings", SETS)
def test_roles_hold_no_secret_no_wildcard_no_exec(settings: tuple[str, ...]) -> None:
    for rule in _rules(render(*settings)):
        for words in (rule["apiGroups"], rule["resources"], rule["verbs"]):
            assert "*" not in words
        assert not {"secrets", "pods/exec", "pods/attach", "pods/portforward", "serviceaccounts/token"} & set(
            rule["resources"]
        )
        assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])


def test_defaults_of_chart_and_operator_agree() -> None:
    config = _config(render())
    operator = {"operator": Config().serving.network_policy.operator}
    policy = config.serving.network_policy.model_copy(update=operator)
    serving = config.serving.model_copy(update={"network_policy": policy})
    assert config.model_copy(update={"images": Config().images, "ceilings": {}, "serving": serving}) == Config()


def test_servers_are_told_which_pods_are_the_operators() -> None:
    objects = render()
    operator = next(obj for obj in of_kind(objects, "Deployment") if obj["metadata"]["name"] == "modelwright")
    peer = _config(objects).serving.network_policy.operator
    assert peer.namespace_selector is not None
    assert peer.namespace_selector.match_labels == {"kubernetes.io/metadata.name": "modelwright-system"}
    assert peer.pod_selector is not None
    assert peer.pod_selector.match_labels == operator["spec"]["selector"]["matchLabels"]


def test_operator_may_do_what_its_children_need_and_no_more() -> None:
    verbs = {(group, name): set(rule["verbs"]) for rule in _rules(render()) for group in rule["apiGroups"]
             for name in rule["resources"]}  # fmt: skip
    reading = {"get", "list", "watch"}
    for type_ in CHILDREN:
        making = {"create"} if type_ == JOBS else {"create", "patch"}
        # Of what serves, what was revoked is ended.
        deleting = {"delete"} if type_.kind in {*REMOVABLE, JOBS.kind, APPS_DEPLOYMENTS.kind} else set()
        assert verbs[type_.group, type_.plural] == reading | making | deleting, type_.plural


def test_operator_writes_status_and_creates_versions_and_runs_only() -> None:
    role = next(obj for obj in of_kind(render(), "ClusterRole") if obj["metadata"]["name"] == "modelwright")
    verbs: dict[str, set[str]] = {}
    for rule in role["rules"]:
        if rule["apiGroups"] == ["modelwright.dev"]:
            for resource in rule["resources"]:
                verbs.setdefault(resource, set()).update(rule["verbs"])
    reading = {"get", "list", "watch"}
    expected = dict.fromkeys(OURS, reading) | {f"{name}/status": {"patch"} for name in OURS}
    assert verbs == expected | dict.fromkeys(("modelversions", "trainingruns"), reading | {"create"})


def test_namespaced_release_has_no_right_in_the_cluster() -> None:
    half = ("rbac.clusterRoles=false", "crds.install=false", "admission.install=false")
    objects = render('watchNamespaces=["ana","ben"]', *half)
    assert not of_kind(objects, "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", *ADMISSION)
    assert sorted(obj["metadata"]["namespace"] for obj in of_kind(objects, "Role")) == [
        "ana",
        "ben",
        "modelwright-system",
    ]
    assert _operator(objects)["containers"][0]["args"][1:] == ["--namespace=ana", "--namespace=ben"]


def test_users_never_get_status() -> None:
    roles = {obj["metadata"]["name"]: obj for obj in of_kind(render(), "ClusterRole")}
    for name, label in (("modelwright-view", "aggregate-to-view"), ("modelwright-edit", "aggregate-to-edit")):
        assert roles[name]["metadata"]["labels"][f"rbac.authorization.k8s.io/{label}"] == "true"
        assert [rule["resources"] for rule in roles[name]["rules"]] == [OURS]


@pytest.mark.parametrize("settings", SETS)
def test_only_the_approvers_role_may_approve_and_it_is_in_no_other(settings: tuple[str, ...]) -> None:
    holders = {
        obj["metadata"]["name"]: obj["metadata"]["labels"]
        for obj in of_kind(render(*settings), "Role", "ClusterRole")
        if any(OUR_VERBS & set(rule["verbs"]) for rule in obj["rules"])
    }
    assert list(holders) == (["modelwright-approver"] if "rbac.clusterRoles=false" not in settings else [])
    assert not [label for labels in holders.values() for label in labels if "aggregate" in label]


def test_policies_are_bound_and_refuse_what_they_cannot_judge() -> None:
    objects = render()
    policies, bindings = (of_kind(objects, kind) for kind in ADMISSION)
    names = ["approval.modelwright.dev", "status.modelwright.dev"]
    assert [obj["metadata"]["name"] for obj in policies] == names
    assert [obj["spec"]["failurePolicy"] for obj in policies] == ["Fail", "Fail"]
    assert [obj["spec"]["policyName"] for obj in bindings] == names
    assert [obj["spec"]["validationActions"] for obj in bindings] == [["Deny"], ["Deny"]]
    (rule,) = policies[1]["spec"]["matchConstraints"]["resourceRules"]
    assert rule["resources"] == [f"{name}/status" for name in OURS]


def test_status_is_written_by_this_releases_operator_and_those_that_are_named() -> None:
    def writers(*settings: str) -> str:
        policy = of_kind(render(*settings), "ValidatingAdmissionPolicy")[1]
        expression: str = policy["spec"]["validations"][0]["expression"]
        return expression.partition(" ||")[0]

    own = '"system:serviceaccount:modelwright-system:modelwright"'
    assert writers() == f"request.userInfo.username in [{own}]"
    assert writers("serviceAccount.name=given") == f'request.userInfo.username in [{own[:-12]}given"]'
    others = writers('admission.operators=[{"namespace":"ana","name":"modelwright"}]')
    assert others == f'request.userInfo.username in [{own},"system:serviceaccount:ana:modelwright"]'


def test_crds_are_those_of_the_api_and_stay() -> None:
    rendered = {obj["metadata"]["name"]: obj for obj in of_kind(render(), "CustomResourceDefinition")}
    for obj in rendered.values():
        assert obj["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    written = [yaml.safe_load(path.read_text()) for path in (ROOT / "crds").glob("*.yaml")]
    assert rendered == {obj["metadata"]["name"]: obj for obj in written}
    assert len(rendered) == len(OURS)


def test_configuration_rolls_the_operator() -> None:
    def checksum(*settings: str) -> str:
        deployment = next(
            obj for obj in of_kind(render(*settings), "Deployment") if obj["metadata"]["name"] == "modelwright"
        )
        found: str = deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        return found

    assert checksum() == checksum("operator.replicas=2")
    assert checksum() != checksum("retry.max=6m")


def test_secrets_exist_in_development_only() -> None:
    assert not of_kind(render(), "Secret")
    made = of_kind(render("dev.enabled=true", 'dev.namespaces=["ana"]'), "Secret")
    assert [obj["metadata"]["namespace"] for obj in made] == ["modelwright-system", "ana"]
    assert len({obj["stringData"]["AWS_SECRET_ACCESS_KEY"] for obj in made}) == 1


def test_development_store_and_registry_are_used_unless_others_are_named() -> None:
    config = _config(render("dev.enabled=true"))
    assert config.store.endpoint == "http://modelwright-s3.modelwright-system.svc.cluster.local:7070"
    assert config.registry.repository == "modelwright-registry.modelwright-system.svc.cluster.local:5000/models"
    assert config.registry.insecure
    named = _config(render("dev.enabled=true", "registry.repository=registry.example.org/models"))
    assert (named.registry.repository, named.registry.insecure) == ("registry.example.org/models", False)


def test_pod_monitor_needs_its_kind() -> None:
    assert not of_kind(render("metrics.podMonitor.enabled=true"), "PodMonitor")
    assert of_kind(render("metrics.podMonitor.enabled=true", more=MONITORING), "PodMonitor")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        pytest.param("operator.replicaz=1", "'replicaz' not allowed", id="unknown name"),
        pytest.param("operator.replicas=-1", "/operator/replicas", id="negative replicas"),
        pytest.param("images.pullPolicy=Sometimes", "/images/pullPolicy", id="unknown policy"),
        pytest.param("store.uri=http://bucket", "/store/uri", id="store of an unknown kind"),
        pytest.param("registry.repository=https://registry.example.org/m", "/registry/repository", id="scheme"),
        pytest.param("retry.max=5 minutes", "/retry/max", id="no duration"),
        pytest.param("serving.modelVolume=volume", "/serving/modelVolume", id="unknown way of a model"),
        pytest.param('serving.networkPolicy.callers=[{"pods":{}}]', "/serving/networkPolicy/callers/0", id="no peer"),
        pytest.param("ceilings.memory=64GB", "/ceilings/memory", id="no quantity"),
        pytest.param("policy.default.approval=sometimes", "/policy/default/approval", id="unknown policy of approval"),
        pytest.param(
            'policy.namespaces.ana.serverImages=["registry.example.org/triton:1"]',
            "/policy/namespaces/ana/serverImages/0",
            id="an image that may be served, by tag",
        ),
        pytest.param('admission.operators=["ana"]', "/admission/operators/0", id="no service account"),
        pytest.param('watchNamespaces=["Ana"]', "/watchNamespaces/0", id="no name"),
        pytest.param("rbac.clusterRoles=false", "in watchNamespaces", id="no rights at all"),
        pytest.param("serviceAccount.create=false", "serviceAccount.name", id="no service account"),
    ],
)
def test_wrong_value_is_refused(setting: str, said: str) -> None:
    with pytest.raises(HelmRefused, match=said):
        render(setting)


def test_images_must_be_named() -> None:
    with pytest.raises(HelmRefused, match=r"images\.operator: write the operator's image"):
        render(images=False)
    assert render(*IMAGES, images=False)


def test_every_value_is_documented() -> None:
    documented = yaml.safe_load((CHART / "values.yaml").read_text())
    schema: JsonObject = yaml.safe_load((CHART / "values.schema.json").read_text())
    assert set(schema["properties"]) - {"global"} == set(documented)
    lines = (CHART / "values.yaml").read_text().splitlines()
    bare = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if line and line[0].isalpha() and not before.startswith("#") and line.split(":")[0] not in _SECTIONS
    ]
    assert bare == []


_SECTIONS = {"rbac", "serviceAccount", "metrics", "networkPolicy", "serving", "admission"}
"""Keys whose own values carry the sentence."""


def _config(objects: list[JsonObject]) -> Config:
    text = next(obj for obj in of_kind(objects, "ConfigMap"))["data"]["config.yaml"]
    return Config.model_validate(yaml.safe_load(text))


def _rules(objects: list[JsonObject]) -> list[JsonObject]:
    return [rule for obj in of_kind(objects, "Role", "ClusterRole") for rule in obj["rules"]]


def _operator(objects: list[JsonObject]) -> JsonObject:
    return dict(pod_specs(objects))["modelwright"]
