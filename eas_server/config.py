"""The configuration: a TOML file, read into typed settings. `docs/configuration.md` describes every key.

Each error names the file and the key and says what would be right. Relative paths are relative to the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from eas_server.backends.audit_file import AuditSettings
from eas_server.backends.ldap.settings import LdapSettings
from eas_server.backends.revocation.settings import RevocationSettings
from eas_server.backends.shares.settings import ShareSettings
from eas_server.commands.policy_rules import check_policy
from eas_server.config_include import included, merged, of_config, parsed
from eas_server.config_reading import Wrong, read, suggestion
from eas_server.config_rights import check_rights
from eas_server.errors import ConfigError
from eas_server.model.certificates import HarvestSettings, ServedCertificates
from eas_server.model.documents import folded
from eas_server.model.ids import UserId
from eas_server.model.rights import RightsSettings
from eas_server.model.settings import (
    MailSettings,
    PolicySettings,
    RecipientSettings,
    Settings,
    SmimeSettings,
    SyncSettings,
    ValidationSettings,
)
from eas_server.submission.settings import LmtpSettings, SmtpSettings
from eas_server.web.settings import (
    AuthSettings,
    Certificate,
    Listener,
    Network,
    SlowDown,
    Timing,
    WebLimits,
    WebSettings,
)
from protocol.quirks import QUIRKS, Switch
from protocol.versions import SUPPORTED

DEFAULT_POLICY = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSection:
    """`[server]`: what the server is to the world."""

    external_url: str = ""
    domains: tuple[str, ...] = ()
    require_tls: bool = False
    trusted_proxies: tuple[str, ...] = ()
    default_policy: str = DEFAULT_POLICY


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSection:
    """`[store]`: the embedded store."""

    path: Path = Path("eas-server.db")


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectorySection:
    """`[directory]`: where people and groups come from."""

    kind: Literal["embedded", "ldap"] = "embedded"
    remember_seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationSection:
    """`[authentication]`: who may sign in, and what wrong passwords cost."""

    kind: Literal["local", "ldap"] = "local"
    realm: str = AuthSettings().realm
    cache_seconds: float = AuthSettings().cache_seconds
    slow_down: SlowDown = field(default_factory=SlowDown)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsSection:
    """`[limits]`: of requests, answers and lists."""

    http: WebLimits = field(default_factory=WebLimits)
    connections: Timing = field(default_factory=Timing)
    sync: SyncSettings = field(default_factory=SyncSettings)
    recipients: RecipientSettings = field(default_factory=RecipientSettings)
    validation: ValidationSettings = field(default_factory=ValidationSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySection:
    """`[policies.NAME]`: a policy and whom it is for."""

    strict: bool = False
    refresh_hours: int = 0
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    settings: Mapping[str, bool | int | str | tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdministrationSection:
    """`[administration]`: where the administration API is; it is there as soon as there is a token."""

    address: str = "127.0.0.1"
    port: int = 8081
    tls: bool = False
    tokens: Path = Path("administration.tokens")

    @property
    def listener(self) -> Listener:
        """What is listened on."""
        return Listener(address=self.address, port=self.port, tls=self.tls)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingSection:
    """`[logging]`: what is written, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabSection:
    """`[lab]`: the lab PKI, for trials and tests; its files are beside the store."""

    url: str = ""
    """Scheme, host and port under which the server answers for it; "": it is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file."""

    server: ServerSection = field(default_factory=ServerSection)
    listeners: tuple[Listener, ...] = (Listener(address="127.0.0.1", port=8080),)
    tls: Certificate | None = None
    store: StoreSection = field(default_factory=StoreSection)
    directory: DirectorySection = field(default_factory=DirectorySection)
    authentication: AuthenticationSection = field(default_factory=AuthenticationSection)
    ldap: LdapSettings | None = None
    limits: LimitsSection = field(default_factory=LimitsSection)
    policies: Mapping[str, PolicySection] = field(default_factory=dict)
    rights: RightsSettings = field(default_factory=RightsSettings)
    mail: MailSettings = field(default_factory=MailSettings)
    recipients: ServedCertificates = field(default_factory=ServedCertificates)
    harvest: HarvestSettings = field(default_factory=HarvestSettings)
    smime: SmimeSettings = field(default_factory=SmimeSettings)
    smtp: SmtpSettings = field(default_factory=SmtpSettings)
    lmtp: LmtpSettings = field(default_factory=LmtpSettings)
    shares: tuple[ShareSettings, ...] = ()
    revocation: RevocationSettings = field(default_factory=RevocationSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    logging: LoggingSection = field(default_factory=LoggingSection)
    administration: AdministrationSection = field(default_factory=AdministrationSection)
    quirks: Mapping[str, Switch] = field(default_factory=dict)
    lab: LabSection = field(default_factory=LabSection)

    @property
    def settings(self) -> Settings:
        """What handlers may ask for."""
        policies = {
            name: PolicySettings(
                name=name, strict=each.strict, refresh_hours=each.refresh_hours, settings=each.settings
            )
            for name, each in self.policies.items()
        }
        policies.setdefault(DEFAULT_POLICY, PolicySettings())
        return Settings(
            external_url=self.server.external_url.rstrip("/"),
            domains=tuple(domain.lower() for domain in self.server.domains),
            sync=self.limits.sync,
            recipients=self.limits.recipients,
            validation=self.limits.validation,
            served=self.recipients,
            harvest=self.harvest,
            rights=self.rights,
            mail=self.mail,
            smime=self.smime,
            policies=policies,
            default_policy=self.server.default_policy,
            policy_of_user={UserId(user.lower()): name for name, each in self.policies.items() for user in each.users},
            policy_of_group={group.lower(): name for name, each in self.policies.items() for group in each.groups},
            policy_of_domain={each.lower(): name for name, policy in self.policies.items() for each in policy.domains},
            audit_log=self.audit.log,
            quirks=self.quirks,
        )

    @property
    def web(self) -> WebSettings:
        """What the HTTP side asks for."""
        auth = self.authentication
        # the embedded store remembers passwords itself, and knows when one is changed
        cached = auth.cache_seconds if auth.kind == "ldap" else 0.0
        return WebSettings(
            settings=self.settings,
            auth=AuthSettings(realm=auth.realm, cache_seconds=cached, slow_down=auth.slow_down),
            limits=self.limits.http,
            require_tls=self.server.require_tls,
            trusted_proxies=_networks(self.server.trusted_proxies),
        )


def load(path: Path) -> Config:
    """Read and check a configuration file. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    return parse(text, path)


def parse(text: str, path: Path) -> Config:
    """Read and check the text of a configuration file that stands at `path`. Raises ConfigError."""
    found = parsed(text, path)
    try:
        tables = of_config(found)
        config = _read(tables, path)
        for file, others in included(found, path):
            config = _with_file(config, file, of_config(others), tables)
        for check in (_check_server, _check_listeners, _check_ldap, _check_policies, _check_shares, _check_limits):
            check(config)
        _check_administration(config)
        _check_quirks(config)
        check_rights(config.rights)
    except Wrong as wrong:
        raise ConfigError(f"{path}: {wrong.key}: {wrong.reason}") from None
    return config


def _read(tables: dict[str, Any], path: Path) -> Config:
    _read_password(tables, path.parent)
    config: Config = read(tables, Config, path.parent)
    return config


def _with_file(config: Config, file: Path, tables: dict[str, Any], base: dict[str, Any]) -> Config:
    """The configuration with what an included file says; `base` grows by it."""
    try:
        config = merged(config, _read(tables, file), tables, base)
    except Wrong as wrong:
        raise ConfigError(f"{file}: {wrong.key}: {wrong.reason}") from None
    for name, value in tables.items():
        known = base.get(name)
        base[name] = {**known, **value} if isinstance(known, dict) else value
    return config


def _read_password(found: dict[str, Any], base: Path) -> None:
    """`smtp.password_file` stands for `smtp.password`, so that the file can be shown to others."""
    smtp = found.get("smtp")
    if not isinstance(smtp, dict) or "password_file" not in smtp:
        return
    name = smtp.pop("password_file")
    if not isinstance(name, str) or "password" in smtp:
        raise Wrong("smtp.password_file", "must be the path of a file, and stands instead of password")
    try:
        smtp["password"] = (base / name).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Wrong("smtp.password_file", f"cannot be read: {error}") from None


def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(text, strict=False) for text in texts)


def _check_server(config: Config) -> None:
    server = config.server
    for text in server.trusted_proxies:
        try:
            ip_network(text, strict=False)
        except ValueError:
            raise Wrong("server.trusted_proxies", f'"{text}" must be an address or a network: "10.0.0.0/8"') from None
    for domain in server.domains:
        if "@" in domain or "." not in domain or domain != domain.strip():
            raise Wrong("server.domains", f'"{domain}" must be a mail domain: "example.com"')
    for key, url in (("server.external_url", server.external_url), ("lab.url", config.lab.url)):
        if url and not _is_origin(url):
            raise Wrong(key, 'must be scheme and host alone: "https://mail.example.com"')
    realm = config.authentication.realm
    if not (realm.isascii() and realm.isprintable()) or '"' in realm or "\\" in realm:
        raise Wrong("authentication.realm", "must be plain ASCII without quotes and backslashes")
    if server.default_policy not in {*config.policies, DEFAULT_POLICY}:
        raise Wrong("server.default_policy", f"no section [policies.{server.default_policy}] is there")


def _is_origin(url: str) -> bool:
    parts = urlsplit(url)
    more = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not more


def _check_listeners(config: Config) -> None:
    if not config.listeners:
        raise Wrong("listeners", "at least one [[listeners]] is needed")
    seen = set()
    for number, listener in enumerate(config.listeners):
        key = f"listeners[{number}]"
        loopback = _is_loopback(listener.address, f"{key}.address")
        if not 0 <= listener.port <= MAX_PORT:
            raise Wrong(f"{key}.port", f"must be between 0 (any free one) and {MAX_PORT}")
        if listener.port and (listener.address, listener.port) in seen:
            raise Wrong(f"{key}.port", f"{listener.port} on {listener.address} is there twice")
        seen.add((listener.address, listener.port))
        if listener.tls and config.tls is None:
            raise Wrong(f"{key}.tls", "needs a section [tls] with certificate and key")
        if not (listener.tls or loopback or config.server.trusted_proxies):
            raise Wrong(
                f"{key}.tls",
                f"plain HTTP on {listener.address} would send passwords in the clear: set tls = true, "
                'listen on "127.0.0.1", or name your proxy in server.trusted_proxies',
            )


MAX_PORT = 65535


def _is_loopback(address: str, key: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        raise Wrong(key, f'"{address}" must be an IP address: "127.0.0.1", "0.0.0.0" or "::"') from None


def _check_ldap(config: Config) -> None:
    for section, kind in (("directory", config.directory.kind), ("authentication", config.authentication.kind)):
        if kind == "ldap" and config.ldap is None:
            raise Wrong(f"{section}.kind", '"ldap" needs a section [ldap]')


def _check_policies(config: Config) -> None:
    assigned: dict[str, dict[str, str]] = {"users": {}, "groups": {}, "domains": {}}
    for name, policy in config.policies.items():
        for domain in policy.domains:
            if "@" in domain or not domain or domain != domain.strip(" ."):
                raise Wrong(f"policies.{name}.domains", f'"{domain}" must be a mail domain: "example.com"')
        for key, whom in (("groups", policy.groups), ("domains", policy.domains), ("users", policy.users)):
            for each in whom:
                other = assigned[key].setdefault(each.lower(), name)
                if other != name:
                    raise Wrong(f"policies.{name}.{key}", f'"{each}" is in policies.{other} already')
        for setting, value in policy.settings.items():
            problems = check_policy(name, {setting: value})
            if problems:
                raise Wrong(f"policies.{name}.settings.{setting}", problems[0].partition(f"{setting} ")[2])


def _check_shares(config: Config) -> None:
    seen: set[tuple[str, str]] = set()
    for number, share in enumerate(config.shares):
        for host in share.hosts:
            name = (folded(host), folded(share.name))
            if name in seen:
                raise Wrong(f"shares[{number}].name", f'"{share.name}" on "{host}" is there twice')
            seen.add(name)


def _check_administration(config: Config) -> None:
    section = config.administration
    loopback = _is_loopback(section.address, "administration.address")
    if not 0 <= section.port <= MAX_PORT:
        raise Wrong("administration.port", f"must be between 0 (any free one) and {MAX_PORT}")
    if section.tls and config.tls is None:
        raise Wrong("administration.tls", "needs a section [tls] with certificate and key")
    if not (section.tls or loopback):
        raise Wrong("administration.tls", f"tokens would go to {section.address} in the clear: set tls = true")
    if any((each.address, each.port) == (section.address, section.port) for each in config.listeners if each.port):
        raise Wrong("administration.port", f"{section.port} on {section.address} is one of [[listeners]]")


def _check_quirks(config: Config) -> None:
    for name, switch in config.quirks.items():
        if name not in QUIRKS:
            raise Wrong(f"quirks.{name}", f"is no quirk; {suggestion(name, list(QUIRKS))}")
        for version in switch.versions:
            if version not in _SPOKEN:
                raise Wrong(f"quirks.{name}.versions", f'"{version}" must be one of {", ".join(_SPOKEN)}')


_SPOKEN = tuple(map(str, SUPPORTED))


def _check_limits(config: Config) -> None:
    sync = config.limits.sync
    if sync.min_heartbeat > sync.max_heartbeat:
        raise Wrong("limits.sync.min_heartbeat", f"must not be more than max_heartbeat ({sync.max_heartbeat})")
    if not 1 <= sync.default_window_size <= sync.max_window_size:
        raise Wrong(
            "limits.sync.default_window_size", f"must be between 1 and max_window_size ({sync.max_window_size})"
        )
    if config.limits.validation.deadline_seconds <= 0:
        raise Wrong("limits.validation.deadline_seconds", "must be more than 0")
