"""What people read of a canary that is under way: where it stands, and what keeps it there."""

from modelwright.api.v1alpha1.rollout import RolloutProgress
from modelwright.children.endpoints import MANAGEMENT_PORT
from modelwright.live import Live
from modelwright.reconcilers.canary_routing import promoting, weight
from modelwright.reconcilers.canary_verdict import so_far


def where_it_stands(progress: RolloutProgress, stable: str) -> str:
    """The sentence on it; `stable` is the name of the version that serves."""
    if promoting(progress):
        return f"{progress.version} takes over from {stable}"
    if not weight(progress):
        return f"{progress.version} starts beside {stable}"
    said = answers(progress)
    figures = so_far(progress.metrics, stable) if progress.requests else ""
    return f"{said}: of {progress.requests} requests {figures}" if figures else said


def answers(progress: RolloutProgress) -> str:
    """Its weight and its step."""
    step = f"step {progress.step + 1} of {progress.steps}"
    return f"{progress.version} answers {weight(progress)} % of the requests, {step}"


def why_passed(progress: RolloutProgress, stable: str, *, few: bool) -> tuple[str, str]:
    """The reason and the sentence with which it is promoted; `few`: it had too few requests to be judged by."""
    if few:
        return "TooFewRequests", f"it had {progress.requests} requests only, too few to judge it by"
    return "NoWorse", f"of {progress.requests} requests {so_far(progress.metrics, stable)}"


def unheard(live: Live | None, stable: str) -> str:
    """Which servers have not told their figures, or have not taken up the weight, and what helps."""
    remedy = f"the operator must reach port {MANAGEMENT_PORT} of the servers"
    if live is not None and live.failure:
        remedy = f"{remedy}; {live.failure}"
    if live is None or not live.reached:
        return f"no server of {stable} tells its figures; {remedy}"
    if live.reached < live.asked:
        return f"{live.reached} of {live.asked} servers of {stable} tell their figures; {remedy}"
    return "not all servers have taken up the canary's weight; look at their Pods and at their nodes' kubelets"
