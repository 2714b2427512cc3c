"""What becomes of mail that is not protected as its sender's policy demands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum


class Measure(Enum):
    """What is done about something that should not be; each does what those before it do."""

    IGNORE = "ignore"
    """The message passes; the audit trail names its class, as of any."""
    AUDIT = "audit"
    """It passes, and the audit trail says what was wrong with it."""
    WARN = "warn"
    """It passes, and its sender gets a message about it as well."""
    REFUSE = "refuse"
    """It does not pass (Status 120), and its sender gets a message that says what to do."""

    @property
    def severity(self) -> int:
        """Greater is stricter."""
        return list(Measure).index(self)


def strictest(measures: Iterable[Measure]) -> Measure:
    """The strictest of several; of none, IGNORE."""
    return max(measures, key=lambda each: each.severity, default=Measure.IGNORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnforcementSettings:
    """`[enforcement]`: what the server does about S/MIME in mail that its users send."""

    missing: Measure = Measure.REFUSE
    """Where RequireSignedSMIMEMessages or RequireEncryptedSMIMEMessages is in the policy, and a message is not."""
    domains: Mapping[str, Measure] = field(default_factory=dict)
    """The same for recipients of a mail domain: "partner.example", or ".example" for all below it."""
    weak: Measure = Measure.AUDIT
    """For algorithms and keys that protect little, whatever the policy says."""
    encrypted_counts_as_signed: bool = True
    """A signature inside an envelope cannot be seen: it is taken to be there."""
    signer_address: bool = True
    """A signature counts only where the signer's certificate names an address of the sender."""

    def __post_init__(self) -> None:
        """Refuse what is no domain."""
        for domain in self.domains:
            name = domain.removeprefix(".")
            if not name or "@" in name or name != name.strip() or name != name.lower():
                raise ValueError(f'domains: "{domain}" must be a mail domain in lower case, "example.com"')

    def measure_for(self, domain: str) -> Measure:
        """What is done about a message to a mail domain that lacks something: the longest name that fits counts."""
        found = self.domains.get(domain)
        rest = domain
        while found is None and rest:
            _, _, rest = rest.partition(".")
            found = self.domains.get(f".{rest}") if rest else None
        return self.missing if found is None else found
