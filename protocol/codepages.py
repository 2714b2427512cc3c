"""The 26 WBXML code pages, [MS-ASWBXML] 2.1.2.1, as data: every tag with its token and the versions that have it.

Names are spelled as the protocol documents spell them. Page 16 is called `Gal` in the list of pages and `GAL` in its
own table, in the schemas and in [MS-ASCMD]; the namespace here is `GAL`, and `tag()` knows both. Page 3 (AirNotify) is
no longer in use and has no tags.
"""

import difflib
from typing import NamedTuple

from protocol.elements import Tag
from protocol.versions import ProtocolVersion

CONTENT = 0x40
"""The bit of a tag token that says that content follows, [WBXML1.2] 5.8.2."""

FIRST_TOKEN = 0x05
"""The tokens below are global ones."""

_PAGE_NUMBERS = 256
_BYTES = 256

# A page starts with [number namespace]. A tag is token=Name, where the token is hexadecimal; the versions follow where
# they are not all: @12.1+ is 12.1 and later, @-14.1 up to 14.1, @12.0-16.0 from 12.0 to 16.0.
_TABLE = """
[0 AirSync]
05=Sync 06=Responses 07=Add 08=Change 09=Delete 0A=Fetch 0B=SyncKey 0C=ClientId 0D=ServerId 0E=Status 0F=Collection
10=Class 12=CollectionId 13=GetChanges 14=MoreAvailable 15=WindowSize 16=Commands 17=Options 18=FilterType
1B=Conflict 1C=Collections 1D=ApplicationData 1E=DeletesAsMoves 20=Supported 21=SoftDelete 22=MIMESupport
23=MIMETruncation 24=Wait@12.1+ 25=Limit@12.1+ 26=Partial@12.1+ 27=ConversationMode@14.0+ 28=MaxItems@14.0+
29=HeartbeatInterval@14.0+
[1 Contacts]
05=Anniversary 06=AssistantName 07=AssistantPhoneNumber 08=Birthday 0C=Business2PhoneNumber 0D=BusinessAddressCity
0E=BusinessAddressCountry 0F=BusinessAddressPostalCode 10=BusinessAddressState 11=BusinessAddressStreet
12=BusinessFaxNumber 13=BusinessPhoneNumber 14=CarPhoneNumber 15=Categories 16=Category 17=Children 18=Child
19=CompanyName 1A=Department 1B=Email1Address 1C=Email2Address 1D=Email3Address 1E=FileAs 1F=FirstName
20=Home2PhoneNumber 21=HomeAddressCity 22=HomeAddressCountry 23=HomeAddressPostalCode 24=HomeAddressState
25=HomeAddressStreet 26=HomeFaxNumber 27=HomePhoneNumber 28=JobTitle 29=LastName 2A=MiddleName 2B=MobilePhoneNumber
2C=OfficeLocation 2D=OtherAddressCity 2E=OtherAddressCountry 2F=OtherAddressPostalCode 30=OtherAddressState
31=OtherAddressStreet 32=PagerNumber 33=RadioPhoneNumber 34=Spouse 35=Suffix 36=Title 37=WebPage 38=YomiCompanyName
39=YomiFirstName 3A=YomiLastName 3C=Picture 3D=Alias@14.0+ 3E=WeightedRank@14.0+
[2 Email]
0F=DateReceived 11=DisplayTo 12=Importance 13=MessageClass 14=Subject 15=Read 16=To 17=Cc 18=From 19=ReplyTo
1A=AllDayEvent 1B=Categories@14.0+ 1C=Category@14.0+ 1D=DtStamp 1E=EndTime 1F=InstanceType 20=BusyStatus
21=Location@-14.1 22=MeetingRequest 23=Organizer 24=RecurrenceId 25=Reminder 26=ResponseRequested 27=Recurrences
28=Recurrence 29=Type 2A=Until 2B=Occurrences 2C=Interval 2D=DayOfWeek 2E=DayOfMonth 2F=WeekOfMonth 30=MonthOfYear
31=StartTime 32=Sensitivity 33=TimeZone 34=GlobalObjId@-14.1 35=ThreadTopic 39=InternetCPID 3A=Flag@12.0+
3B=Status@12.0+ 3C=ContentClass@12.0+ 3D=FlagType@12.0+ 3E=CompleteTime@12.0+ 3F=DisallowNewTimeProposal@14.0+
[3 AirNotify]
[4 Calendar]
05=Timezone 06=AllDayEvent 07=Attendees 08=Attendee 09=Email 0A=Name 0D=BusyStatus 0E=Categories 0F=Category
11=DtStamp 12=EndTime 13=Exception 14=Exceptions 15=Deleted 16=ExceptionStartTime@-14.1 17=Location@-14.1
18=MeetingStatus 19=OrganizerEmail 1A=OrganizerName 1B=Recurrence 1C=Type 1D=Until 1E=Occurrences 1F=Interval
20=DayOfWeek 21=DayOfMonth 22=WeekOfMonth 23=MonthOfYear 24=Reminder 25=Sensitivity 26=Subject 27=StartTime 28=UID
29=AttendeeStatus@12.0+ 2A=AttendeeType@12.0+ 33=DisallowNewTimeProposal@14.0+ 34=ResponseRequested@14.0+
35=AppointmentReplyTime@14.0+ 36=ResponseType@14.0+ 37=CalendarType@14.0+ 38=IsLeapMonth@14.0+
39=FirstDayOfWeek@14.1+ 3A=OnlineMeetingConfLink@14.1+ 3B=OnlineMeetingExternalLink@14.1+ 3C=ClientUid@16.0+
[5 Move]
05=MoveItems 06=Move 07=SrcMsgId 08=SrcFldId 09=DstFldId 0A=Response 0B=Status 0C=DstMsgId
[6 GetItemEstimate]
05=GetItemEstimate 07=Collections 08=Collection 09=Class@-12.1 0A=CollectionId 0C=Estimate 0D=Response 0E=Status
[7 FolderHierarchy]
05=Folders@-12.1 06=Folder@-12.1 07=DisplayName 08=ServerId 09=ParentId 0A=Type 0C=Status 0E=Changes 0F=Add
10=Delete 11=Update 12=SyncKey 13=FolderCreate 14=FolderDelete 15=FolderUpdate 16=FolderSync 17=Count
[8 MeetingResponse]
05=CalendarId 06=CollectionId 07=MeetingResponse 08=RequestId 09=Request 0A=Result 0B=Status 0C=UserResponse
0E=InstanceId@14.1+ 10=ProposedStartTime@16.1+ 11=ProposedEndTime@16.1+ 12=SendResponse@16.0+
[9 Tasks]
08=Categories 09=Category 0A=Complete 0B=DateCompleted 0C=DueDate 0D=UtcDueDate 0E=Importance 0F=Recurrence 10=Type
11=Start 12=Until 13=Occurrences 14=Interval 15=DayOfMonth 16=DayOfWeek 17=WeekOfMonth 18=MonthOfYear 19=Regenerate
1A=DeadOccur 1B=ReminderSet 1C=ReminderTime 1D=Sensitivity 1E=StartDate 1F=UtcStartDate 20=Subject
22=OrdinalDate@12.0+ 23=SubOrdinalDate@12.0+ 24=CalendarType@14.0+ 25=IsLeapMonth@14.0+ 26=FirstDayOfWeek@14.1+
[10 ResolveRecipients]
05=ResolveRecipients 06=Response 07=Status 08=Type 09=Recipient 0A=DisplayName 0B=EmailAddress 0C=Certificates
0D=Certificate 0E=MiniCertificate 0F=Options 10=To 11=CertificateRetrieval 12=RecipientCount 13=MaxCertificates
14=MaxAmbiguousRecipients 15=CertificateCount 16=Availability@14.0+ 17=StartTime@14.0+ 18=EndTime@14.0+
19=MergedFreeBusy@14.0+ 1A=Picture@14.1+ 1B=MaxSize@14.1+ 1C=Data@14.1+ 1D=MaxPictures@14.1+
[11 ValidateCert]
05=ValidateCert 06=Certificates 07=Certificate 08=CertificateChain 09=CheckCRL 0A=Status
[12 Contacts2]
05=CustomerId 06=GovernmentId 07=IMAddress 08=IMAddress2 09=IMAddress3 0A=ManagerName 0B=CompanyMainPhone
0C=AccountName 0D=NickName 0E=MMS
[13 Ping]
05=Ping 07=Status 08=HeartbeatInterval 09=Folders 0A=Folder 0B=Id 0C=Class 0D=MaxFolders
[14 Provision]
05=Provision 06=Policies 07=Policy 08=PolicyType 09=PolicyKey 0A=Data 0B=Status 0C=RemoteWipe
0D=EASProvisionDoc@12.0+ 0E=DevicePasswordEnabled@12.0+ 0F=AlphanumericDevicePasswordRequired@12.0+
10=RequireStorageCardEncryption@12.1+ 11=PasswordRecoveryEnabled@12.0+ 13=AttachmentsEnabled@12.0+
14=MinDevicePasswordLength@12.0+ 15=MaxInactivityTimeDeviceLock@12.0+ 16=MaxDevicePasswordFailedAttempts@12.0-16.0
17=MaxAttachmentSize@12.0+ 18=AllowSimpleDevicePassword@12.0+ 19=DevicePasswordExpiration@12.0+
1A=DevicePasswordHistory@12.0+ 1B=AllowStorageCard@12.1+ 1C=AllowCamera@12.1+ 1D=RequireDeviceEncryption@12.1+
1E=AllowUnsignedApplications@12.1+ 1F=AllowUnsignedInstallationPackages@12.1+
20=MinDevicePasswordComplexCharacters@12.1+ 21=AllowWiFi@12.1+ 22=AllowTextMessaging@12.1+
23=AllowPOPIMAPEmail@12.1+ 24=AllowBluetooth@12.1+ 25=AllowIrDA@12.1+ 26=RequireManualSyncWhenRoaming@12.1+
27=AllowDesktopSync@12.1+ 28=MaxCalendarAgeFilter@12.1-16.0 29=AllowHTMLEmail@12.1+ 2A=MaxEmailAgeFilter@12.1+
2B=MaxEmailBodyTruncationSize@12.1+ 2C=MaxEmailHTMLBodyTruncationSize@12.1+ 2D=RequireSignedSMIMEMessages@12.1+
2E=RequireEncryptedSMIMEMessages@12.1+ 2F=RequireSignedSMIMEAlgorithm@12.1+ 30=RequireEncryptionSMIMEAlgorithm@12.1+
31=AllowSMIMEEncryptionAlgorithmNegotiation@12.1+ 32=AllowSMIMESoftCerts@12.1+ 33=AllowBrowser@12.1+
34=AllowConsumerEmail@12.1+ 35=AllowRemoteDesktop@12.1+ 36=AllowInternetSharing@12.1+
37=UnapprovedInROMApplicationList@12.1+ 38=ApplicationName@12.1+ 39=ApprovedApplicationList@12.1+ 3A=Hash@12.1+
3B=AccountOnlyRemoteWipe@16.1+
[15 Search]
05=Search 07=Store 08=Name 09=Query 0A=Options 0B=Range 0C=Status 0D=Response 0E=Result 0F=Properties 10=Total
11=EqualTo@12.0+ 12=Value@12.0+ 13=And@12.0+ 14=Or@12.0+ 15=FreeText@12.0+ 17=DeepTraversal@12.0+ 18=LongId@12.0+
19=RebuildResults@12.0+ 1A=LessThan@12.0+ 1B=GreaterThan@12.0+ 1E=UserName@12.1+ 1F=Password@12.1+
20=ConversationId@14.0+ 21=Picture@14.1+ 22=MaxSize@14.1+ 23=MaxPictures@14.1+
[16 GAL]
05=DisplayName 06=Phone 07=Office 08=Title 09=Company 0A=Alias 0B=FirstName 0C=LastName 0D=HomePhone 0E=MobilePhone
0F=EmailAddress 10=Picture@14.1+ 11=Status@14.1+ 12=Data@14.1+
[17 AirSyncBase]
05=BodyPreference@12.0+ 06=Type@12.0+ 07=TruncationSize@12.0+ 08=AllOrNone@12.0+ 0A=Body@12.0+ 0B=Data@12.0+
0C=EstimatedDataSize@12.0+ 0D=Truncated@12.0+ 0E=Attachments@12.0+ 0F=Attachment@12.0+ 10=DisplayName@12.0+
11=FileReference@12.0+ 12=Method@12.0+ 13=ContentId@12.0+ 14=ContentLocation@12.0+ 15=IsInline@12.0+
16=NativeBodyType@12.0+ 17=ContentType@12.0+ 18=Preview@14.0+ 19=BodyPartPreference@14.1+ 1A=BodyPart@14.1+
1B=Status@14.1+ 1C=Add@16.0+ 1D=Delete@16.0+ 1E=ClientId@16.0+ 1F=Content@16.0+ 20=Location@16.0+
21=Annotation@16.0+ 22=Street@16.0+ 23=City@16.0+ 24=State@16.0+ 25=Country@16.0+ 26=PostalCode@16.0+
27=Latitude@16.0+ 28=Longitude@16.0+ 29=Accuracy@16.0+ 2A=Altitude@16.0+ 2B=AltitudeAccuracy@16.0+
2C=LocationUri@16.0+ 2D=InstanceId@16.0+
[18 Settings]
05=Settings@12.0+ 06=Status@12.0+ 07=Get@12.0+ 08=Set@12.0+ 09=Oof@12.0+ 0A=OofState@12.0+ 0B=StartTime@12.0+
0C=EndTime@12.0+ 0D=OofMessage@12.0+ 0E=AppliesToInternal@12.0+ 0F=AppliesToExternalKnown@12.0+
10=AppliesToExternalUnknown@12.0+ 11=Enabled@12.0+ 12=ReplyMessage@12.0+ 13=BodyType@12.0+ 14=DevicePassword@12.0+
15=Password@12.0+ 16=DeviceInformation@12.0+ 17=Model@12.0+ 18=IMEI@12.0+ 19=FriendlyName@12.0+ 1A=OS@12.0+
1B=OSLanguage@12.0+ 1C=PhoneNumber@12.0+ 1D=UserInformation@12.0+ 1E=EmailAddresses@12.0+ 1F=SMTPAddress@12.0+
20=UserAgent@12.1+ 21=EnableOutboundSMS@14.0+ 22=MobileOperator@14.0+ 23=PrimarySmtpAddress@14.1+ 24=Accounts@14.1+
25=Account@14.1+ 26=AccountId@14.1+ 27=AccountName@14.1+ 28=UserDisplayName@14.1+ 29=SendDisabled@14.1+
2B=RightsManagementInformation@14.1+
[19 DocumentLibrary]
05=LinkId@12.0+ 06=DisplayName@12.0+ 07=IsFolder@12.0+ 08=CreationDate@12.0+ 09=LastModifiedDate@12.0+
0A=IsHidden@12.0+ 0B=ContentLength@12.0+ 0C=ContentType@12.0+
[20 ItemOperations]
05=ItemOperations@12.0+ 06=Fetch@12.0+ 07=Store@12.0+ 08=Options@12.0+ 09=Range@12.0+ 0A=Total@12.0+
0B=Properties@12.0+ 0C=Data@12.0+ 0D=Status@12.0+ 0E=Response@12.0+ 0F=Version@12.0+ 10=Schema@12.0+ 11=Part@12.0+
12=EmptyFolderContents@12.0+ 13=DeleteSubFolders@12.0+ 14=UserName@12.1+ 15=Password@12.1+ 16=Move@14.0+
17=DstFldId@14.0+ 18=ConversationId@14.0+ 19=MoveAlways@14.0+
[21 ComposeMail]
05=SendMail@14.0+ 06=SmartForward@14.0+ 07=SmartReply@14.0+ 08=SaveInSentItems@14.0+ 09=ReplaceMime@14.0+
0B=Source@14.0+ 0C=FolderId@14.0+ 0D=ItemId@14.0+ 0E=LongId@14.0+ 0F=InstanceId@14.0+ 10=Mime@14.0+
11=ClientId@14.0+ 12=Status@14.0+ 13=AccountId@14.1+ 15=Forwardees@16.0+ 16=Forwardee@16.0+ 17=Name@16.0+
18=Email@16.0+
[22 Email2]
05=UmCallerID@14.0+ 06=UmUserNotes@14.0+ 07=UmAttDuration@14.0+ 08=UmAttOrder@14.0+ 09=ConversationId@14.0+
0A=ConversationIndex@14.0+ 0B=LastVerbExecuted@14.0+ 0C=LastVerbExecutionTime@14.0+ 0D=ReceivedAsBcc@14.0+
0E=Sender@14.0+ 0F=CalendarType@14.0+ 10=IsLeapMonth@14.0+ 11=AccountId@14.1+ 12=FirstDayOfWeek@14.1+
13=MeetingMessageType@14.1+ 15=IsDraft@16.0+ 16=Bcc@16.0+ 17=Send@16.0+
[23 Notes]
05=Subject@14.0+ 06=MessageClass@14.0+ 07=LastModifiedDate@14.0+ 08=Categories@14.0+ 09=Category@14.0+
[24 RightsManagement]
05=RightsManagementSupport@14.1+ 06=RightsManagementTemplates@14.1+ 07=RightsManagementTemplate@14.1+
08=RightsManagementLicense@14.1+ 09=EditAllowed@14.1+ 0A=ReplyAllowed@14.1+ 0B=ReplyAllAllowed@14.1+
0C=ForwardAllowed@14.1+ 0D=ModifyRecipientsAllowed@14.1+ 0E=ExtractAllowed@14.1+ 0F=PrintAllowed@14.1+
10=ExportAllowed@14.1+ 11=ProgrammaticAccessAllowed@14.1+ 12=Owner@14.1+ 13=ContentExpiryDate@14.1+
14=TemplateID@14.1+ 15=TemplateName@14.1+ 16=TemplateDescription@14.1+ 17=ContentOwner@14.1+
18=RemoveRightsManagementProtection@14.1+
[25 Find]
05=Find@16.1+ 06=SearchId@16.1+ 07=ExecuteSearch@16.1+ 08=MailBoxSearchCriterion@16.1+ 09=Query@16.1+
0A=Status@16.1+ 0B=FreeText@16.1+ 0C=Options@16.1+ 0D=Range@16.1+ 0E=DeepTraversal@16.1+ 11=Response@16.1+
12=Result@16.1+ 13=Properties@16.1+ 14=Preview@16.1+ 15=HasAttachments@16.1+ 16=Total@16.1+ 17=DisplayCc@16.1+
18=DisplayBcc@16.1+ 19=GalSearchCriterion@16.1+ 20=MaxPictures@16.1+ 21=MaxSize@16.1+ 22=Picture@16.1+"""

_OTHER_SPELLINGS = {"Gal": "GAL"}


class CodePage(NamedTuple):
    """A code page with its tags in the order of their tokens."""

    number: int
    namespace: str
    tags: tuple[Tag, ...]


def _versions(suffix: str) -> frozenset[ProtocolVersion]:
    """Read what stands behind the `@` of the table; nothing there means all versions."""
    first, last = min(ProtocolVersion), max(ProtocolVersion)
    if suffix.endswith("+"):
        first = ProtocolVersion.parse(suffix[:-1])
    elif suffix:
        low, _, high = suffix.partition("-")
        first = ProtocolVersion.parse(low) if low else first
        last = ProtocolVersion.parse(high)
    return frozenset(version for version in ProtocolVersion if first <= version <= last)


def _read_table() -> tuple[CodePage, ...]:
    pages: list[CodePage] = []
    ranges = {suffix: _versions(suffix) for suffix in {"", *_suffixes()}}
    for section in _TABLE.strip().removeprefix("[").split("\n["):
        head, _, body = section.partition("]")
        number, namespace = head.split()
        page = int(number)
        tags = []
        for entry in body.split():
            token, _, rest = entry.partition("=")
            name, _, suffix = rest.partition("@")
            tags.append(Tag(page, int(token, 16), namespace, name, ranges[suffix]))
        pages.append(CodePage(page, namespace, tuple(tags)))
    return tuple(pages)


def _suffixes() -> set[str]:
    return {entry.partition("@")[2] for entry in _TABLE.split()}


def _tokens_of(tags: tuple[Tag, ...]) -> tuple[Tag | None, ...]:
    """The tag for every byte that can stand where a tag is expected: with and without the content bit."""
    table: list[Tag | None] = [None] * _BYTES
    for entry in tags:
        table[entry.token] = table[entry.token | CONTENT] = entry
    return tuple(table)


PAGES: tuple[CodePage, ...] = _read_table()
"""All pages; `PAGES[n]` is page n."""

_NO_TAGS = _tokens_of(())
TAG_OF_BYTE: tuple[tuple[Tag | None, ...], ...] = tuple(
    _tokens_of(PAGES[number].tags) if number < len(PAGES) else _NO_TAGS for number in range(_PAGE_NUMBERS)
)
"""`TAG_OF_BYTE[page][byte]`: the tag that a byte of a document stands for, for any page and any byte; None for bytes
that are no known tag of the page. A byte with the content bit and one without it give the same tag."""

_BY_NAME: dict[str, Tag] = {str(entry): entry for page in PAGES for entry in page.tags}


def tag(name: str) -> Tag:
    """The tag called `name`, namespace and all: `tag("AirSync:SyncKey")`. Raises KeyError, with a hint, for a typo."""
    found = _BY_NAME.get(name)
    if found is not None:
        return found
    namespace, _, local = name.partition(":")
    found = _BY_NAME.get(f"{_OTHER_SPELLINGS.get(namespace, namespace)}:{local}")
    if found is not None:
        return found
    near = difflib.get_close_matches(name, _BY_NAME, n=1)
    raise KeyError(f"{name} is no tag of the code pages" + (f"; did you mean {near[0]}?" if near else ""))
