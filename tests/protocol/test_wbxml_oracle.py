"""The codec against libwbxml, a reader and writer that shares nothing with ours (wbxml2xml and xml2wbxml).

libwbxml has no page 25 and lacks three tags; some others it calls by names of its own.
"""

import shutil
import subprocess
from pathlib import Path

import pytest
from lxml import etree

from protocol.codepages import PAGES, tag
from protocol.elements import Element, Opaque, Tag
from protocol.wbxml import decode, encode

FIXTURES = Path(__file__).parents[2] / "fixtures" / "wbxml"
# Not among them: what they read in other ways, text that is not UTF-8, and the page that they do not have.
DOCUMENTS = [
    path
    for path in sorted(FIXTURES.glob("*/*.wbxml"))
    if not path.stem.startswith(("raw", "response_mime", "request_bare")) and path.parent.name != "Find"
]
NAMES = [f"{path.parent.name}/{path.stem}" for path in DOCUMENTS]
SECONDS = 20
FIND_PAGE = 25
LACKING = {"MeetingResponse:ProposedStartTime", "MeetingResponse:ProposedEndTime", "Provision:AccountOnlyRemoteWipe"}
THEIR_NAMES = {
    "Contacts:AssistantPhoneNumber": "AssistantTelephoneNumber",
    "Provision:RequireStorageCardEncryption": "DeviceEncryptionEnabled",
    "Settings:RightsManagementInformation": "ihsManagementInformation",
    "RightsManagement:RemoveRightsManagementProtection": "RemoveRightsManagementDistribution",
}

pytestmark = pytest.mark.integration("wbxml2xml")
needs_reader = pytest.mark.skipif(shutil.which("wbxml2xml") is None, reason="wbxml2xml is not installed")
needs_writer = pytest.mark.skipif(shutil.which("xml2wbxml") is None, reason="xml2wbxml is not installed")


def convert(program: str, source: bytes, folder: Path, *options: str) -> bytes:
    """Run one of libwbxml's programs on `source`."""
    given, made = folder / "given", folder / "made"
    given.write_bytes(source)
    subprocess.run([program, *options, "-o", made, given], check=True, capture_output=True, timeout=SECONDS)
    return made.read_bytes()


def read_with_libwbxml(document: bytes, folder: Path) -> etree._Element:
    xml = convert("wbxml2xml", document, folder, "-l", "ACTIVESYNC", "-m", "2")
    return etree.fromstring(xml, etree.XMLParser(no_network=True, load_dtd=False, huge_tree=True))


def assert_same_tag(found: etree._Element, entry: Tag) -> None:
    """Theirs is ours, but for case, hyphens, and a prefix that tells the same name of several elements apart."""
    name = etree.QName(found)
    theirs = name.localname.replace("_", "").replace("-", "").casefold()
    expected = THEIR_NAMES.get(str(entry), entry.name).casefold()
    assert (name.namespace or "").casefold() == f"{entry.namespace}:".casefold()
    assert theirs.endswith(expected) or theirs == expected.replace("address", ""), f"{entry} is {theirs} there"


@needs_reader
@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_our_documents_read_there_as_here(path: Path, tmp_path: Path) -> None:
    ours = decode(path.read_bytes())
    theirs = read_with_libwbxml(path.read_bytes(), tmp_path)
    for element, found in zip(ours.walk(), theirs.iter(), strict=True):
        assert_same_tag(found, element.tag)
        if not element.children and not isinstance(element.content, Opaque):
            assert (found.text or "") == element.text


@needs_reader
def test_every_tag_is_the_same_there(tmp_path: Path) -> None:
    tags = [entry for page in PAGES if page.number != FIND_PAGE for entry in page.tags if str(entry) not in LACKING]
    document = encode(Element(tag("AirSync:Sync"), [Element(entry) for entry in tags])).join()
    for entry, found in zip(tags, read_with_libwbxml(document, tmp_path), strict=True):
        assert_same_tag(found, entry)


@needs_reader
@needs_writer
@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_their_documents_read_here(path: Path, tmp_path: Path) -> None:
    """Through their XML and back: with a public identifier, and with a string table where a text repeats."""
    document = path.read_bytes()
    xml = convert("wbxml2xml", document, tmp_path, "-l", "ACTIVESYNC", "-m", "2")
    theirs = convert("xml2wbxml", xml, tmp_path, "-k")
    assert theirs != document
    assert decode(theirs) == decode(document)
