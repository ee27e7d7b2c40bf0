"""Settings of the public site: addresses, keys between the roles, access to the ports."""

from dataclasses import dataclass

from mimir.env import parse
from mimir.env.setting import BOTH, setting


@dataclass(frozen=True)
class Web:
    """Settings of the public site: addresses, keys between the roles, access to the ports."""

    environment: str = setting(
        parse.choice("development", "staging", "production"),
        "development",
        "Changes default values and checks of settings, never the code that runs.",
        roles=BOTH,
    )
    log_level: str = setting(
        parse.choice("debug", "info", "warn", "error"),
        "info",
        "Lowest level that is logged.",
        roles=BOTH,
    )
    secret_key: str = setting(
        parse.secret,
        None,
        "Signs cookies. The orchestrator and the frontend have different keys.",
        roles=BOTH,
    )
    public_url: str = setting(
        parse.site_url,
        "http://localhost:3000",
        "URL at which people open the pages. Sets hosts, CSRF and Origin.",
        roles=BOTH,
    )
    trusted_proxies: tuple[str, ...] = setting(
        parse.cidrs,
        "",
        "CIDRs of load balancers whose X-Forwarded-* headers the frontend accepts.",
        roles=("frontend",),
    )
    accept_plain: tuple[str, ...] = setting(
        parse.plain_connections,
        "",
        "Connections without TLS that production accepts: of "
        f"{', '.join(parse.PLAIN_CONNECTIONS)}.",
        roles=BOTH,
    )
    https_redirect: bool = setting(
        parse.switch,
        "true",
        "Redirect http to https if PUBLIC_URL is https. Needs X-Forwarded-Proto.",
        roles=("frontend",),
    )
    frontend_keys: tuple[str, ...] = setting(
        parse.optional_keys,
        "",
        "Signs requests of the frontend to the orchestrator. Same value for both; two to rotate.",
        roles=BOTH,
    )
    direct_sources: tuple[str, ...] = setting(
        parse.cidrs, "", "CIDRs that may sign in and use the admin on the orchestrator's own port."
    )
    metrics_token: str = setting(
        parse.token,
        "",
        "Bearer token for /metrics. Empty: no access by token.",
    )
    metrics_sources: tuple[str, ...] = setting(
        parse.cidrs, "", "CIDRs that may read /metrics without a token."
    )
    api_url: str = setting(
        parse.url("http", "https"),
        "http://127.0.0.1:8080",
        "URL of the orchestrator, as the frontend reaches it.",
        roles=("frontend",),
    )
    pod_ip: str = setting(
        parse.text, "", "Own address, accepted as Host for metrics requests to a pod."
    )
    static_root: str = setting(
        parse.text,
        "",
        "Folder of collected static files, as in the images. Empty: the source folders.",
        roles=BOTH,
    )
    session_hours: int = setting(parse.integer(1, 24 * 365), "12", "Hours that a sign-in lasts.")
    admin_session_hours: float = setting(
        parse.number(0.1, 24 * 14), "8", "Hours that a sign-in to the admin lasts."
    )
    connections_per_client: int = setting(
        parse.integer(16, 10**6),
        "2048",
        "Open connections of one address. TRUSTED_PROXIES have no limit.",
        roles=BOTH,
    )
    requests_per_client: int = setting(
        parse.integer(4, 10**6),
        "256",
        "Concurrent requests of one client. Above it: 429.",
        roles=BOTH,
    )
    sockets_per_client: int = setting(
        parse.integer(4, 10**6), "1024", "Open WebSockets of one client.", roles=("frontend",)
    )
