"""Data types survive the way out and back, and nothing but ValueError comes of garbage."""

import string
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from protocol.datatypes import (
    ConversationIndex,
    Mailbox,
    SystemTime,
    TimeZone,
    decode_base64,
    encode_base64,
    format_compact,
    format_dashed,
    format_mailboxes,
    global_obj_id,
    is_address,
    parse_datetime,
    parse_mailboxes,
    uid_of_global_obj_id,
)

moments = st.datetimes(timezones=st.just(UTC))
longs = st.integers(-(2**31), 2**31 - 1)
names = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=16)
system_times = st.builds(SystemTime, *[st.integers(0, 2**16 - 1)] * 8)
plausible = st.builds(
    SystemTime,
    year=st.just(0),
    month=st.integers(0, 13),
    day_of_week=st.integers(0, 7),
    day=st.integers(0, 6),
    hour=st.integers(0, 24),
)
time_zones = st.builds(
    TimeZone,
    bias=longs,
    standard_name=names,
    standard_date=system_times,
    standard_bias=longs,
    daylight_name=names,
    daylight_date=system_times,
    daylight_bias=longs,
)


@given(moments)
def test_dates(moment):
    assert parse_datetime(format_dashed(moment)) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert parse_datetime(format_compact(moment)) == moment.replace(microsecond=0)


@given(st.text(max_size=30) | st.text(string.digits + "-:.TZ+ ", max_size=26))
def test_garbage_is_no_date(text):
    try:
        found = parse_datetime(text)
    except ValueError:
        return
    assert found.tzinfo is UTC


@given(time_zones)
def test_time_zones(zone):
    assert TimeZone.parse(zone.dump()) == zone


@given(st.binary(max_size=200).map(encode_base64) | st.text(max_size=40))
def test_any_time_zone_can_be_read_and_used(text):
    zone = TimeZone.read(text)
    assert len(decode_base64(zone.dump())) == 172
    zone.utc_offset(datetime(2026, 7, 1, tzinfo=UTC))


@given(
    st.builds(
        TimeZone,
        bias=st.integers(-900, 900),
        standard_bias=st.integers(-900, 900) | longs,
        daylight_bias=st.integers(-900, 900) | longs,
        standard_date=plausible,
        daylight_date=plausible,
    ),
    moments,
)
def test_offsets_are_one_of_two_or_none(zone, moment):
    assert abs(zone.utc_offset(moment)) < timedelta(days=1)
    assert zone.utc_offset(moment) in (
        timedelta(),
        timedelta(minutes=-zone.bias - zone.standard_bias),
        timedelta(minutes=-zone.bias - zone.daylight_bias),
    )


@given(st.text(max_size=60).filter(lambda uid: not uid.upper().startswith("04000000")), st.none() | st.dates())
def test_global_obj_ids(uid, instance):
    assert uid_of_global_obj_id(global_obj_id(uid, instance=instance)) == uid


@given(st.binary(max_size=60).map(encode_base64) | st.text(max_size=40))
def test_garbage_has_a_uid_or_none(text):
    try:
        assert uid_of_global_obj_id(text) is not None
    except ValueError:
        return


years = st.datetimes(datetime(1830, 1, 1), datetime(2056, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- bounds


@given(years, st.lists(st.tuples(st.timedeltas(timedelta(), timedelta(days=9000)), st.integers(0)), max_size=4))
def test_conversation_indices(moment, replies):
    index = ConversationIndex.begin(moment)
    for distance, random in replies:
        index = index.reply(moment + distance, random=random)
    assert ConversationIndex.parse(index.octets) == index
    assert ConversationIndex.from_thread_index(index.to_thread_index(bytes(16))) == (index, bytes(16))
    for time, (distance, _) in zip(index.replied, replies, strict=True):
        assert abs(time - moment - distance) < timedelta(seconds=1)


@given(st.binary(max_size=40))
def test_garbage_is_an_index_or_none(octets):
    for read in (ConversationIndex.parse, lambda raw: ConversationIndex.from_thread_index(raw)[0]):
        try:
            index = read(octets)
        except ValueError:
            continue
        assert index.began.tzinfo is UTC
        assert len(index.replied) == len(index.levels)


words = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=12)
shown_names = st.lists(words, max_size=3).map(" ".join)
addresses = st.from_regex(r"[a-z.]{1,9}@[a-z]{1,9}\.com", fullmatch=True)


@given(st.lists(st.builds(Mailbox, shown_names, addresses), max_size=4), st.sampled_from([", ", ";"]))
def test_mailboxes(mailboxes, separator):
    assert parse_mailboxes(format_mailboxes(mailboxes, separator)) == mailboxes


@given(st.text(max_size=60) | st.text('"<>,;\\ a@', max_size=60))
def test_any_text_is_a_list_of_mailboxes(text):
    for mailbox in parse_mailboxes(text):
        assert mailbox.name or mailbox.address
        is_address(mailbox.address)
        assert "\n" not in str(mailbox)
