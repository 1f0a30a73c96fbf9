"""`modelwright-server check`: does this model load here, and does it answer as it did where it was trained?"""

from modelwright_server.settings import Settings
from modelwright_server.termination import tell

DONE_MARKER = ".done"


def check(settings: Settings) -> int:
    """0 when the golden rows get their answers (or got them before), else 1 with a sentence as termination message."""
    if (settings.model_dir / DONE_MARKER).exists():
        return 0
    from modelwright_server.loading import load_or_say_why

    outcome = load_or_say_why(settings, all_forms=True)
    if isinstance(outcome, str):
        tell(settings.termination_log, outcome)
        return 1
    print(f"model {outcome.name} answers its golden rows as it did after training")
    return 0
