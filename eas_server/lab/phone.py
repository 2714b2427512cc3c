"""What to type into a telephone, and how to start the demonstration so that one can reach it."""

from ipaddress import ip_address

from eas_server.lab.folder import Demo
from eas_server.lab.keys import PKCS12_PASSWORD_FILE
from eas_server.lab.people import PEOPLE as ACCOUNTS
from eas_server.web.lab_pki import PATH, PEOPLE

TLS_PORT = 8443


def instructions(demo: Demo, root_url: str | None) -> str:
    """Text for a person; `root_url` is where the root certificate can be had, None without TLS."""
    rows = [("Account", "Exchange, Microsoft Exchange or Exchange ActiveSync; choose manual set-up")]
    names = " or ".join(person.address for person in ACCOUNTS)
    rows += [
        ("E-mail, user", names),
        ("Password", demo.password),
        ("Domain", "(leave empty)"),
        ("Server", demo.place.authority),
        ("SSL/TLS", "on" if demo.place.tls else "off"),
    ]
    lines = ["What to type into a phone or another client:", ""]
    lines += [f"  {name + ':':<14} {value}" for name, value in rows]
    lines += ["", *_certificates(demo, root_url), "", *_reach(demo)]
    return "\n".join(lines)


def _certificates(demo: Demo, root_url: str | None) -> list[str]:
    lines = []
    if root_url is not None:
        lines += [
            f"  Trust the lab first: open {root_url} in the phone's browser and install it",
            "  (iOS: also Settings > General > About > Certificate Trust Settings).",
        ]
    return [
        *lines,
        '  S/MIME: open the message "Your key and certificate" and import the attached .p12; its password is',
        f"  {demo.keys.pkcs12_password} (kept in {demo.folder / PKCS12_PASSWORD_FILE}; all keys are in that folder).",
        "  Certificates that are expired, revoked, untrusted and more, to see what a client makes of them: .p12 files",
        f"  there, people in the directory, {demo.place.lab_origin}{PATH}/{PEOPLE}.json (docs/lab-pki.md).",
    ]


def _reach(demo: Demo) -> list[str]:
    address = ip_address(demo.place.host)
    if address.is_loopback:
        return [
            f"A phone cannot reach {demo.place.host}. To let one in, stop this with Ctrl-C and start it with TLS, for",
            "the whole network (accounts, mail and keys stay as they are):",
            "",
            f"  make demo HOST=0.0.0.0 PORT={TLS_PORT} TLS=1 DATA={demo.folder}",
        ]
    return ["The phone has to be in the same network, and a firewall has to let it through to this port."]
