"""The properties of a contact ([MS-ASCNTC] 2.2.2; namespaces Contacts, Contacts2, AirSyncBase).

`Contact` is what ApplicationData holds for a contact, in both directions. A field that is None is absent; an empty
element is "", b"", () or EMPTY and clears the property.
"""

from datetime import datetime
from typing import Final

from protocol.items.airsyncbase import Body
from protocol.schema import Empty, el, element

MAX_CATEGORIES: Final = 300
"""MS-ASCNTC_R183."""
MAX_CHILDREN: Final = 300
"""MS-ASCNTC_R194."""
MAX_PICTURE: Final = 48 * 1024
"""Characters of base64 in a Picture (MS-ASCNTC_R381): 36 kB of image (R1021)."""


@element("AirSync:ApplicationData")
class Contact:
    """A contact, [MS-ASCNTC] 2.2.2. `alias` and `weighted_rank` are of the recipient information cache only
    (MS-ASCNTC_R415)."""

    anniversary: datetime | Empty | None = el("Contacts:Anniversary", default=None)
    assistant_name: str | None = el("Contacts:AssistantName", default=None)
    assistant_phone_number: str | None = el("Contacts:AssistantPhoneNumber", default=None)
    birthday: datetime | Empty | None = el("Contacts:Birthday", default=None)
    business2_phone_number: str | None = el("Contacts:Business2PhoneNumber", default=None)
    business_address_city: str | None = el("Contacts:BusinessAddressCity", default=None)
    business_phone_number: str | None = el("Contacts:BusinessPhoneNumber", default=None)
    web_page: str | None = el("Contacts:WebPage", default=None)
    business_address_country: str | None = el("Contacts:BusinessAddressCountry", default=None)
    department: str | None = el("Contacts:Department", default=None)
    email1_address: str | None = el("Contacts:Email1Address", default=None)
    email2_address: str | None = el("Contacts:Email2Address", default=None)
    email3_address: str | None = el("Contacts:Email3Address", default=None)
    business_fax_number: str | None = el("Contacts:BusinessFaxNumber", default=None)
    file_as: str | None = el("Contacts:FileAs", default=None)
    alias: str | None = el("Contacts:Alias", default=None)
    weighted_rank: int | None = el("Contacts:WeightedRank", default=None)
    first_name: str | None = el("Contacts:FirstName", default=None)
    middle_name: str | None = el("Contacts:MiddleName", default=None)
    home_address_city: str | None = el("Contacts:HomeAddressCity", default=None)
    home_address_country: str | None = el("Contacts:HomeAddressCountry", default=None)
    home_fax_number: str | None = el("Contacts:HomeFaxNumber", default=None)
    home_phone_number: str | None = el("Contacts:HomePhoneNumber", default=None)
    home2_phone_number: str | None = el("Contacts:Home2PhoneNumber", default=None)
    home_address_postal_code: str | None = el("Contacts:HomeAddressPostalCode", default=None)
    home_address_state: str | None = el("Contacts:HomeAddressState", default=None)
    home_address_street: str | None = el("Contacts:HomeAddressStreet", default=None)
    mobile_phone_number: str | None = el("Contacts:MobilePhoneNumber", default=None)
    suffix: str | None = el("Contacts:Suffix", default=None)
    company_name: str | None = el("Contacts:CompanyName", default=None)
    other_address_city: str | None = el("Contacts:OtherAddressCity", default=None)
    other_address_country: str | None = el("Contacts:OtherAddressCountry", default=None)
    car_phone_number: str | None = el("Contacts:CarPhoneNumber", default=None)
    other_address_postal_code: str | None = el("Contacts:OtherAddressPostalCode", default=None)
    other_address_state: str | None = el("Contacts:OtherAddressState", default=None)
    other_address_street: str | None = el("Contacts:OtherAddressStreet", default=None)
    pager_number: str | None = el("Contacts:PagerNumber", default=None)
    title: str | None = el("Contacts:Title", default=None)
    business_address_postal_code: str | None = el("Contacts:BusinessAddressPostalCode", default=None)
    last_name: str | None = el("Contacts:LastName", default=None)
    spouse: str | None = el("Contacts:Spouse", default=None)
    business_address_state: str | None = el("Contacts:BusinessAddressState", default=None)
    business_address_street: str | None = el("Contacts:BusinessAddressStreet", default=None)
    job_title: str | None = el("Contacts:JobTitle", default=None)
    yomi_first_name: str | None = el("Contacts:YomiFirstName", default=None)
    yomi_last_name: str | None = el("Contacts:YomiLastName", default=None)
    yomi_company_name: str | None = el("Contacts:YomiCompanyName", default=None)
    office_location: str | None = el("Contacts:OfficeLocation", default=None)
    radio_phone_number: str | None = el("Contacts:RadioPhoneNumber", default=None)
    picture: bytes | None = el("Contacts:Picture", default=None)
    categories: tuple[str, ...] | None = el("Contacts:Categories", item="Contacts:Category", default=None)
    children: tuple[str, ...] | None = el("Contacts:Children", item="Contacts:Child", default=None)
    customer_id: str | None = el("Contacts2:CustomerId", default=None)
    government_id: str | None = el("Contacts2:GovernmentId", default=None)
    im_address: str | None = el("Contacts2:IMAddress", default=None)
    im_address2: str | None = el("Contacts2:IMAddress2", default=None)
    im_address3: str | None = el("Contacts2:IMAddress3", default=None)
    manager_name: str | None = el("Contacts2:ManagerName", default=None)
    company_main_phone: str | None = el("Contacts2:CompanyMainPhone", default=None)
    account_name: str | None = el("Contacts2:AccountName", default=None)
    nick_name: str | None = el("Contacts2:NickName", default=None)
    mms: str | None = el("Contacts2:MMS", default=None)
    body: Body | None = el(default=None)
