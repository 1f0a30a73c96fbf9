"""How to reach the API server: address, TLS and token, as the `kubernetes` package finds them."""

import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from kubernetes import client, config


@dataclass(frozen=True, slots=True)
class Access:
    """`authorization` gives the header's value now; a token that the kubelet renews is read again by itself."""

    server: str
    tls: ssl.SSLContext | bool
    authorization: Callable[[], str | None]


def discover() -> Access:
    """In a Pod its service account, elsewhere the kubeconfig; raises kubernetes' ConfigException with neither."""
    found = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=found)
    except config.ConfigException:
        # The package reads KUBECONFIG when it is imported; what counts is what it says now.
        config.load_kube_config(config_file=os.environ.get("KUBECONFIG"), client_configuration=found)

    def authorization() -> str | None:
        token = found.get_api_key_with_prefix("BearerToken") or found.get_api_key_with_prefix("authorization")
        if token:
            return str(token) if " " in token else f"Bearer {token}"
        return str(found.get_basic_auth_token()) if found.username else None

    return Access(str(found.host).rstrip("/"), _tls(found), authorization)


def _tls(found: client.Configuration) -> ssl.SSLContext | bool:
    if not found.host.startswith("https:"):
        return True
    context = ssl.create_default_context(cafile=found.ssl_ca_cert)
    if not found.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if found.cert_file:
        context.load_cert_chain(found.cert_file, found.key_file)
    return context
