"""Meeting messages in the shapes that calendars of this world give them, written by hand after such mail."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from eas_server.render.calendar import Owner
from eas_server.render.meetings import itip
from eas_server.render.meetings.itip import MeetingMessage
from eas_server.render.mime import index_message

ALICE = Owner(name="Alice Example", address="alice@example.com", aliases=frozenset({"al@example.com"}))
BOB = Owner(name="Bob Example", address="bob@example.com", aliases=frozenset({"robert@example.com"}))

OUTLOOK_UID = (
    "040000008200E00074C5B7101A82E00800000000B0F1C5A3E3A1DB010000000000000000100000008A9F7A3C5D2E4B4C9A1B2C3D4E5F6071"
)

PACIFIC = """BEGIN:VTIMEZONE
TZID:Pacific Standard Time
BEGIN:STANDARD
DTSTART:16010101T020000
TZOFFSETFROM:-0700
TZOFFSETTO:-0800
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=1SU;BYMONTH=11
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:-0800
TZOFFSETTO:-0700
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=2SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
"""


def lines(text: str) -> bytes:
    """Content lines with the line ends of iCalendar."""
    return text.replace("\n", "\r\n").encode()


def ics(
    method: str = "REQUEST",
    uid: str = "meeting-1@example.com",
    start: str = "DTSTART:20261201T090000Z",
    end: str = "DTEND:20261201T100000Z",
    sequence: int | None = 0,
    stamp: str | None = "20261123T100000Z",
    summary: str = "Review",
    organizer: str | None = "ORGANIZER;CN=Alice Example:mailto:alice@example.com",
    attendees: Sequence[str] = ("ATTENDEE;CN=Bob Example;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.com",),
    more: Sequence[str] = (),
    zones: str = "",
    others: str = "",
) -> bytes:
    """A plain iTIP object."""
    event = [
        "BEGIN:VEVENT",
        f"UID:{uid}",
        *([f"DTSTAMP:{stamp}"] if stamp else []),
        *([start] if start else []),
        *([end] if end else []),
        *([f"SEQUENCE:{sequence}"] if sequence is not None else []),
        f"SUMMARY:{summary}",
        *([organizer] if organizer else []),
        *attendees,
        *more,
        "END:VEVENT",
    ]
    head = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nMETHOD:{method}\n{zones}"
    return lines(head + "\n".join(event) + f"\n{others}END:VCALENDAR\n")


def answer(status: str, who: str = "bob@example.com", **changes: Any) -> bytes:
    """A REPLY."""
    changes.setdefault("stamp", "20261124T100000Z")
    changes.setdefault("attendees", (f"ATTENDEE;CN=Bob Example;PARTSTAT={status}:mailto:{who}",))
    return ics(**{"method": "REPLY", **changes})


def mail(
    calendar: bytes,
    method: str | None = "REQUEST",
    sender: str = "Alice Example <alice@example.com>",
    to: str = "Bob Example <bob@example.com>",
    subject: str = "Review",
    **headers: str,
) -> bytes:
    """A mail with an iTIP object beside its text."""
    named = f"; method={method}" if method else ""
    more = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
    head = f"""From: {sender}
To: {to}
Subject: {subject}
Date: Mon, 23 Nov 2026 10:00:00 +0000
Message-ID: <{hashlib.sha256(calendar).hexdigest()[:16]}@example.com>
MIME-Version: 1.0
{more}Content-Type: multipart/alternative; boundary="=_b"

--=_b
Content-Type: text/plain; charset=utf-8

See you there.
--=_b
Content-Type: text/calendar; charset=utf-8{named}
Content-Transfer-Encoding: base64

"""
    return lines(head) + base64.encodebytes(calendar).replace(b"\n", b"\r\n") + b"--=_b--\r\n"


def read(octets: bytes) -> MeetingMessage:
    """The meeting message in a mail."""
    index, _ = index_message(octets)
    assert index.calendar is not None, index.message_class
    part = index.calendar
    found = itip.read(octets[part.start : part.end], part, method=itip.method_of(index.message_class))
    assert found is not None
    return found


# ---- as Outlook and Exchange write it: Windows zones, X-MICROSOFT lines, a reminder, base64, Sender for a secretary

OUTLOOK = mail(
    lines(
        "BEGIN:VCALENDAR\nMETHOD:REQUEST\nPRODID:Microsoft Exchange Server 2010\nVERSION:2.0\n"
        + PACIFIC
        + f"""BEGIN:VEVENT
ORGANIZER;CN=Alice Example:mailto:alice@example.com
ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=Bob Exampl
 e:mailto:bob@example.com
ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=Carol:mailto:carol@example.com
DESCRIPTION;LANGUAGE=en-US:Agenda\\:\\n1. numbers\\n2. plans\\n
RRULE:FREQ=WEEKLY;UNTIL=20270301T170000Z;INTERVAL=1;BYDAY=MO;WKST=SU
UID:{OUTLOOK_UID}
SUMMARY;LANGUAGE=en-US:Weekly numbers
DTSTART;TZID=Pacific Standard Time:20261130T090000
DTEND;TZID=Pacific Standard Time:20261130T100000
CLASS:PUBLIC
PRIORITY:5
DTSTAMP:20261123T091500Z
TRANSP:OPAQUE
STATUS:CONFIRMED
SEQUENCE:0
LOCATION;LANGUAGE=en-US:Room 7; second floor
X-MICROSOFT-CDO-APPT-SEQUENCE:0
X-MICROSOFT-CDO-OWNERAPPTID:2120384112
X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE
X-MICROSOFT-CDO-INTENDEDSTATUS:OOF
X-MICROSOFT-CDO-ALLDAYEVENT:FALSE
X-MICROSOFT-CDO-IMPORTANCE:1
X-MICROSOFT-CDO-INSTTYPE:1
X-MICROSOFT-DISALLOW-COUNTER:TRUE
BEGIN:VALARM
DESCRIPTION:REMINDER
TRIGGER;RELATED=START:-PT15M
ACTION:DISPLAY
END:VALARM
END:VEVENT
END:VCALENDAR
"""
    ),
    subject="Weekly numbers",
)

# ---- as Google Calendar writes it: UTC or IANA zones, a Sender of its own, the same once more as invite.ics

GOOGLE_ICS = lines("""BEGIN:VCALENDAR
PRODID:-//Google Inc//Google Calendar 70.9054//EN
VERSION:2.0
CALSCALE:GREGORIAN
METHOD:REQUEST
BEGIN:VEVENT
DTSTART:20261202T140000Z
DTEND:20261202T143000Z
DTSTAMP:20261123T080000Z
ORGANIZER;CN=Alice Example:mailto:alice@example.com
UID:4k2v9s8d7f6g5h4j3k2l1m0n9b@google.com
ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=TRUE
 ;CN=Alice Example;X-NUM-GUESTS=0:mailto:alice@example.com
ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=
 TRUE;CN=bob@example.com;X-NUM-GUESTS=0:mailto:bob@example.com
X-GOOGLE-CONFERENCE:https://meet.google.com/abc-defg-hij
X-MICROSOFT-CDO-OWNERAPPTID:-1234567890
CREATED:20261123T075900Z
DESCRIPTION:Join with Google Meet: https://meet.google.com/abc-defg-hij\\n
LAST-MODIFIED:20261123T075959Z
LOCATION:
SEQUENCE:0
STATUS:CONFIRMED
SUMMARY:Coffee
TRANSP:OPAQUE
END:VEVENT
END:VCALENDAR
""")


def google() -> bytes:
    """A mail of Google Calendar."""
    part = lines(
        """--inner
Content-Type: text/plain; charset="UTF-8"; format=flowed; delsp=yes
Content-Transfer-Encoding: 7bit

Coffee
--inner
Content-Type: text/html; charset="UTF-8"
Content-Transfer-Encoding: quoted-printable

<b>Coffee</b>
--inner
Content-Type: text/calendar; charset="UTF-8"; method=REQUEST
Content-Transfer-Encoding: 7bit

"""
    )
    head = lines(
        """From: Alice Example <alice@example.com>
Sender: Google Calendar <calendar-notification@google.com>
To: bob@example.com
Subject: Invitation: Coffee @ Wed Dec 2, 2026 3pm (CET) (bob@example.com)
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="outer"

--outer
Content-Type: multipart/alternative; boundary="inner"

"""
    )
    attached = lines(
        """
--inner--
--outer
Content-Type: application/ics; name="invite.ics"
Content-Disposition: attachment; filename="invite.ics"
Content-Transfer-Encoding: base64

"""
    )
    encoded = base64.encodebytes(GOOGLE_ICS).replace(b"\n", b"\r\n")
    return head + part + GOOGLE_ICS + attached + encoded + b"--outer--\r\n"


# ---- as iCloud writes it: the organizer is a machine, the person stands in EMAIL; all day

APPLE = mail(
    lines(
        """BEGIN:VCALENDAR
CALSCALE:GREGORIAN
PRODID:-//Apple Inc.//iPhone OS 17.0//EN
VERSION:2.0
METHOD:REQUEST
BEGIN:VEVENT
UID:7D1B2C3E-0000-4A5B-8C9D-0E1F2A3B4C5D
DTSTAMP:20261123T101112Z
CREATED:20261123T101000Z
SEQUENCE:0
SUMMARY:Hike
DTSTART;VALUE=DATE:20261205
DTEND;VALUE=DATE:20261206
TRANSP:TRANSPARENT
ORGANIZER;CN=Alice Example;EMAIL=alice@example.com:mailto:2_GEYDAMBQ@imip.me.com
ATTENDEE;CN=Alice Example;CUTYPE=INDIVIDUAL;EMAIL=alice@example.com;PARTSTAT=ACCEPTED
 ;ROLE=CHAIR:mailto:2_GEYDAMBQ@imip.me.com
ATTENDEE;CN=bob@example.com;CUTYPE=INDIVIDUAL;EMAIL=bob@example.com;PARTSTAT=NEEDS-ACTION
 ;RSVP=TRUE:mailto:bob@example.com
X-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC
END:VEVENT
END:VCALENDAR
"""
    ),
    subject="Hike",
)
