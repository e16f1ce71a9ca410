//! The pcapng format: sections of blocks, each section in its own byte order and with its own interfaces.
//!
//! Layout after draft-ietf-opsawg-pcapng: section 3 (blocks and options), 4 (block types). Blocks of other types are passed over.

use std::net::IpAddr;

use super::Interface;
use super::format::{Context, Cut, Order, Step};
use crate::condensate::{self, Place};
use crate::count::Count;
use crate::frame::LinkType;
use crate::limits;
use crate::pcapng::{
    BYTE_ORDER_MAGIC, DECRYPTION_SECRETS, ENHANCED_PACKET, IF_DESCRIPTION, IF_FILTER, IF_NAME, IF_TSOFFSET, IF_TSRESOL,
    INTERFACE_DESCRIPTION, INTERFACE_STATISTICS, ISB_ENDTIME, ISB_IFDROP, ISB_IFRECV, ISB_OSDROP, NAME_RESOLUTION, NRB_IPV4, NRB_IPV6,
    OPT_COMMENT, OPT_END, PACKET, SECTION_HEADER, SHB_USERAPPL, SIMPLE_PACKET, TLS_KEY_LOG,
};
use crate::time::Timestamp;

/// Cuts a pcapng file into blocks.
#[derive(Debug, Default)]
pub(super) struct Pcapng {
    section: Option<Section>,
    /// The latest frame's time, which a Simple Packet Block takes over for lack of its own.
    time: Timestamp,
}

/// What holds until the next Section Header Block.
#[derive(Debug)]
struct Section {
    order: Order,
    interfaces: Vec<Described>,
    /// It is a slice: what its original held besides does not belong to it.
    slice: bool,
    /// Its writer condenses captures.
    condenser: bool,
    /// It is a condensate, whose head was read.
    condensed: bool,
}

/// What an Interface Description Block says that frames need.
#[derive(Debug, Clone, Copy)]
struct Described {
    link: LinkType,
    snaplen: u32,
    clock: Clock,
    /// Its place in the inventory.
    index: u32,
}

/// The unit and the beginning of an interface's timestamps: `if_tsresol` and `if_tsoffset`.
#[derive(Debug, Clone, Copy)]
struct Clock {
    unit: Unit,
    offset_nanos: i64,
}

#[derive(Debug, Clone, Copy)]
enum Unit {
    /// So many nanoseconds.
    Nanos(u64),
    /// So many to the nanosecond.
    PerNano(u64),
    /// Two to the minus this, in seconds.
    Binary(u32),
}

impl Pcapng {
    /// What the bytes begin with.
    pub(super) fn next(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Step {
        if Order::Little.u32(bytes) == Some(SECTION_HEADER) {
            return self.section_header(bytes, cx);
        }
        let Some(section) = &mut self.section else { return Step::Damage("there is no section header".to_owned()) };
        let order = section.order;
        let (Some(kind), Some(len)) = (order.u32(bytes), bytes.get(4..).and_then(|rest| order.u32(rest))) else {
            return Step::Need(BLOCK_MIN);
        };
        let total = match extent(len) {
            Ok(total) => total,
            Err(why) => return Step::Damage(why),
        };
        let long = total > limits::BLOCK_LEN as usize;
        match kind {
            INTERFACE_DESCRIPTION | PACKET | SIMPLE_PACKET | ENHANCED_PACKET if long => {
                return Step::Damage(format!("a block claims a length of {len} bytes"));
            }
            INTERFACE_DESCRIPTION | PACKET | SIMPLE_PACKET | ENHANCED_PACKET => {}
            INTERFACE_STATISTICS | DECRYPTION_SECRETS | NAME_RESOLUTION if !long => {}
            condensate::BLOCK if !long && section.condenser => {}
            _ => return Step::Skip(total as u64),
        }
        let body = match body(order, bytes, len, total) {
            Ok(body) => body,
            Err(step) => return step,
        };
        let frame = match kind {
            ENHANCED_PACKET => enhanced_packet(section, body, cx),
            SIMPLE_PACKET => simple_packet(section, body, self.time),
            PACKET => packet(section, body, cx),
            condensate::BLOCK if matches!(order.u32(body), Some(condensate::MARK | condensate::LATE | condensate::TOLD)) => {
                return mark(section, body, total, cx);
            }
            _ => {
                let outcome = match kind {
                    INTERFACE_DESCRIPTION => interface_description(section, body, cx),
                    INTERFACE_STATISTICS => interface_statistics(section, body, cx),
                    condensate::BLOCK => told(section, body, cx),
                    NAME_RESOLUTION => {
                        name_resolution(order, body, cx);
                        Ok(())
                    }
                    _ => {
                        decryption_secrets(order, body, cx);
                        Ok(())
                    }
                };
                return outcome.map_or_else(Step::Damage, |()| Step::Other(total));
            }
        };
        match frame {
            Ok(Found { time, interface, original_len, start, len }) => {
                self.time = time;
                let (link, interface) = (interface.link, interface.index);
                Step::Frame(Cut { time, link, interface, original_len, start: start.saturating_add(BLOCK_HEADER), len, total })
            }
            Err(why) => Step::Damage(why),
        }
    }

    fn section_header(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Step {
        let Some(mark) = bytes.get(8..).and_then(|rest| Order::Little.u32(rest)) else { return Step::Need(SECTION_MIN) };
        let order = match mark {
            BYTE_ORDER_MAGIC => Order::Little,
            mark if mark.swap_bytes() == BYTE_ORDER_MAGIC => Order::Big,
            _ => return Step::Damage("a section header has no valid byte-order magic".to_owned()),
        };
        let len = bytes.get(4..).and_then(|rest| order.u32(rest)).unwrap_or_default();
        let total = match extent(len) {
            Ok(total) if total <= limits::BLOCK_LEN as usize && total >= SECTION_MIN => total,
            _ => return Step::Damage(format!("a section header claims a length of {len} bytes")),
        };
        let body = match body(order, bytes, len, total) {
            Ok(body) => body,
            Err(step) => return step,
        };
        let major = body.get(4..).and_then(|rest| order.u16(rest)).unwrap_or_default();
        if major != 1 {
            return Step::Damage(format!("a section is of pcapng version {major}; version 1 is known"));
        }
        let (mut slice, mut condenser) = (false, false);
        for (code, value) in options(order, body.get(16..).unwrap_or_default()) {
            match code {
                OPT_COMMENT => cx.add_comment(None, text(value)),
                SHB_USERAPPL => {
                    slice = value.starts_with(crate::frame::SLICER.as_bytes());
                    condenser = value.starts_with(condensate::CONDENSER.as_bytes());
                }
                _ => {}
            }
        }
        self.section = Some(Section { order, interfaces: Vec::new(), slice, condenser, condensed: false });
        Step::Other(total)
    }
}

/// Whether a Section Header Block says that this is a condensate.
pub(super) fn is_condensate(bytes: &[u8]) -> bool {
    let body = bytes.get(BLOCK_HEADER..section_header_len(bytes).saturating_sub(4)).unwrap_or_default();
    let mut options = options(Order::Little, body.get(16..).unwrap_or_default());
    options.any(|(code, value)| code == SHB_USERAPPL && value.starts_with(condensate::CONDENSER.as_bytes()))
}

/// Whether the bytes begin with a Section Header Block.
pub(super) fn is_pcapng(bytes: &[u8]) -> bool {
    let mark = bytes.get(8..).and_then(|rest| Order::Little.u32(rest));
    Order::Little.u32(bytes) == Some(SECTION_HEADER)
        && mark.is_none_or(|mark| mark == BYTE_ORDER_MAGIC || mark.swap_bytes() == BYTE_ORDER_MAGIC)
}

/// Bytes of the Section Header Block that the bytes begin with; as many as there are when it claims an absurd length.
pub(super) fn section_header_len(bytes: &[u8]) -> usize {
    let mark = bytes.get(8..).and_then(|rest| Order::Little.u32(rest));
    let order = if mark == Some(BYTE_ORDER_MAGIC) { Order::Little } else { Order::Big };
    let claimed = match (mark, bytes.get(4..).and_then(|rest| order.u32(rest))) {
        (Some(_), Some(len)) => extent(len).ok().filter(|total| *total <= limits::BLOCK_LEN as usize && *total >= SECTION_MIN),
        _ => Some(SECTION_MIN),
    };
    claimed.unwrap_or(bytes.len())
}

/// The options in the rest of a block's body: (code, value) up to the end mark or the first that does not fit.
pub(super) fn options(order: Order, mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (code, len) = (order.u16(bytes)?, order.u16(bytes.get(2..)?)?);
        if code == OPT_END {
            return None;
        }
        let value = bytes.get(4..)?.get(..usize::from(len))?;
        bytes = bytes.get(padded(len)..).unwrap_or_default();
        Some((code, value))
    })
}

/// A frame within a block's body.
struct Found {
    time: Timestamp,
    interface: Described,
    original_len: u32,
    start: usize,
    len: u32,
}

fn enhanced_packet(section: &Section, body: &[u8], cx: &mut Context<'_>) -> Result<Found, String> {
    let order = section.order;
    let (Some(head), Some(original_len)) = (body.first_chunk::<16>(), body.get(16..).and_then(|rest| order.u32(rest))) else {
        return Err(short("an enhanced packet block"));
    };
    let [id, high, low, len] = order.words(head);
    let interface = interface(section, id)?;
    let time = interface.clock.time(high, low);
    if section.condensed {
        cx.told.places.push(place(order, body, len, time));
    }
    frame_options(order, body, 20, len, cx)?;
    Ok(Found { time, interface, original_len, start: 20, len })
}

/// Where a packet of a condensate stands in its file.
fn place(order: Order, body: &[u8], len: u32, time: Timestamp) -> Place {
    let rest = body.get((len as usize).next_multiple_of(4).saturating_add(20)..).unwrap_or_default();
    let value = options(order, rest).find(|(code, _)| *code == condensate::ORIGINAL).map(|(_, value)| value).unwrap_or_default();
    Place {
        own: order.u64(value).unwrap_or_default(),
        key: value.get(8..).and_then(|key| order.u64(key)).map_or_else(|| time.nanos(), u64::cast_signed),
    }
}

/// A frame that was left out, or that others were left out up to.
fn mark(section: &Section, body: &[u8], total: usize, cx: &mut Context<'_>) -> Step {
    let order = section.order;
    let wide = |at: usize| body.get(at..).and_then(|rest| order.u64(rest));
    let word = |at: usize| body.get(at..).and_then(|rest| order.u32(rest));
    let (Some(id), Some(time), Some(own), Some(key), Some(joins)) = (word(4), wide(8), wide(16), wide(24), word(32)) else {
        return Step::Damage(short("a mark of a condensate"));
    };
    let interface = match interface(section, id) {
        Ok(interface) if section.condensed => interface.index,
        Ok(_) => return Step::Damage("a mark comes before the head of its condensate".to_owned()),
        Err(why) => return Step::Damage(why),
    };
    let before = (joins & !condensate::LINKED).checked_sub(1).and_then(|before| section.interfaces.get(before as usize));
    let joins = before.map_or(0, |before| before.index.saturating_add(1) | joins & condensate::LINKED);
    cx.told.places.push(Place { own, key: key.cast_signed() });
    let time = Timestamp::from_nanos(time.cast_signed());
    let link = match word(0) {
        Some(condensate::LATE) => condensate::LATE_PACKETS,
        Some(condensate::TOLD) => condensate::TOLD_ELSEWHERE,
        _ => condensate::LEFT_OUT,
    };
    let more = body.get(MARK_LEN..).filter(|_| link != condensate::LEFT_OUT).and_then(|more| u32::try_from(more.len()).ok());
    let (start, len) = more.map_or((0, 0), |len| (BLOCK_HEADER + MARK_LEN, len));
    Step::Frame(Cut { time, link, interface, original_len: joins, start, len, total })
}

/// Head and tail of a condensate.
fn told(section: &mut Section, body: &[u8], cx: &mut Context<'_>) -> Result<(), String> {
    let (Some(word), Some(json)) = (section.order.u32(body), body.get(4..)) else { return Err(short("a block of a condensate")) };
    let json = json.trim_ascii_end();
    let json = json.get(..json.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1))).unwrap_or_default();
    let wrong = |error: serde_json::Error| format!("the head or tail of its condensate cannot be read ({error})");
    match word {
        condensate::HEAD if !section.condensed => {
            cx.told.head = Some(serde_json::from_slice(json).map_err(wrong)?);
            section.condensed = true;
        }
        condensate::TAIL if section.condensed => cx.told.tail = Some(serde_json::from_slice(json).map_err(wrong)?),
        _ => {}
    }
    Ok(())
}

fn packet(section: &Section, body: &[u8], cx: &mut Context<'_>) -> Result<Found, String> {
    let order = section.order;
    let (Some(id), Some(head)) = (order.u16(body), body.get(4..).and_then(|rest| rest.first_chunk::<16>())) else {
        return Err(short("a packet block"));
    };
    let [high, low, len, original_len] = order.words(head);
    let interface = interface(section, u32::from(id))?;
    frame_options(order, body, 20, len, cx)?;
    Ok(Found { time: interface.clock.time(high, low), interface, original_len, start: 20, len })
}

fn simple_packet(section: &Section, body: &[u8], time: Timestamp) -> Result<Found, String> {
    let original_len = section.order.u32(body).ok_or_else(|| short("a simple packet block"))?;
    let interface = interface(section, 0)?;
    let limit = if interface.snaplen == 0 { u32::MAX } else { interface.snaplen };
    let room = u32::try_from(body.len().saturating_sub(4)).unwrap_or(u32::MAX);
    Ok(Found { time, interface, original_len, start: 4, len: original_len.min(limit).min(room) })
}

/// Checks that a frame of `len` bytes lies in the body at `start`, and reads the options behind it.
fn frame_options(order: Order, body: &[u8], start: usize, len: u32, cx: &mut Context<'_>) -> Result<(), String> {
    if len > limits::FRAME_LEN || start.saturating_add(len as usize) > body.len() {
        return Err(format!("a frame claims a length of {len} bytes in a block of {} bytes", body.len().saturating_add(BLOCK_MIN)));
    }
    let Some(rest @ [_, ..]) = body.get((len as usize).next_multiple_of(4).saturating_add(start)..) else { return Ok(()) };
    for (_, value) in options(order, rest).filter(|&(code, _)| code == OPT_COMMENT) {
        cx.add_comment(Some(cx.number), text(value));
    }
    Ok(())
}

fn interface_description(section: &mut Section, body: &[u8], cx: &mut Context<'_>) -> Result<(), String> {
    let order = section.order;
    let (Some(link), Some(snaplen)) = (order.u16(body), body.get(4..).and_then(|rest| order.u32(rest))) else {
        return Err(short("an interface description"));
    };
    if section.interfaces.len() >= limits::INTERFACES {
        return Err(format!("a section describes more than {} interfaces", limits::INTERFACES));
    }
    let link = LinkType(u32::from(link));
    let (mut name, mut description, mut filter) = (None, None, None);
    let (mut resolution, mut offset) = (6, 0);
    let mut original = (0, 0);
    for (code, value) in options(order, body.get(8..).unwrap_or_default()) {
        match (code, value) {
            (OPT_COMMENT, value) => cx.add_comment(None, text(value)),
            (IF_NAME, value) => name = Some(text(value)),
            (IF_DESCRIPTION, value) => description = Some(text(value)),
            // the first byte says what follows: 0 a string; others are filter machine code
            (IF_FILTER, [0, value @ ..]) => filter = Some(text(value)),
            (IF_TSRESOL, &[value, ..]) => resolution = value,
            (condensate::ORIGINAL, value) if section.condensed => {
                original = (order.u32(value).unwrap_or_default(), value.get(4..).and_then(|rest| order.u32(rest)).unwrap_or_default());
            }
            (IF_TSOFFSET, value) => offset = order.u64(value).map_or(0, u64::cast_signed),
            _ => {}
        }
    }
    let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| cx.name.to_owned());
    let index = cx.add_interface(Interface { input: cx.input, name, description, filter, link, snaplen, received: None, dropped: None });
    if section.condensed {
        cx.told.interfaces.resize((index as usize).saturating_add(1), original);
    }
    section.interfaces.push(Described { link, snaplen, clock: Clock::new(resolution, offset), index });
    Ok(())
}

/// The counters are totals since the capture began, so the last block counts.
fn interface_statistics(section: &Section, body: &[u8], cx: &mut Context<'_>) -> Result<(), String> {
    let order = section.order;
    let id = order.u32(body).ok_or_else(|| short("an interface statistics block"))?;
    let interface = interface(section, id)?;
    let (mut received, mut dropped) = (None, None);
    for (code, value) in options(order, body.get(12..).unwrap_or_default()) {
        match (code, order.u64(value)) {
            (ISB_IFRECV, Some(count)) => received = Some(Count::new(count)),
            (ISB_IFDROP | ISB_OSDROP, Some(count)) => dropped = Some(dropped.unwrap_or(Count::ZERO) + count),
            (ISB_ENDTIME, _) if section.slice => {
                if let (Some(high), Some(low)) = (order.u32(value), value.get(4..).and_then(|rest| order.u32(rest))) {
                    let until = interface.clock.time(high, low);
                    cx.inventory.quiet_until = cx.inventory.quiet_until.max(Some(until));
                }
            }
            _ => {}
        }
    }
    if let Some(entry) = cx.inventory.interfaces.get_mut(interface.index as usize) {
        entry.received = received.or(entry.received);
        entry.dropped = dropped.or(entry.dropped);
    }
    Ok(())
}

fn decryption_secrets(order: Order, body: &[u8], cx: &mut Context<'_>) {
    let (Some(kind), Some(len)) = (order.u32(body), body.get(4..).and_then(|rest| order.u32(rest))) else { return };
    if kind != TLS_KEY_LOG {
        return;
    }
    let secrets = body.get(8..).unwrap_or_default();
    let secrets = secrets.get(..len as usize).unwrap_or(secrets);
    for line in secrets.split(|&byte| byte == b'\n' || byte == b'\r').filter(|line| !line.is_empty()) {
        cx.add_secret(line);
    }
}

/// Records of an address and the names it has, each ended by a zero byte.
fn name_resolution(order: Order, mut body: &[u8], cx: &mut Context<'_>) {
    while let (Some(kind), Some(len)) = (order.u16(body), body.get(2..).and_then(|rest| order.u16(rest))) {
        let Some(value) = body.get(4..).and_then(|rest| rest.get(..usize::from(len))) else { return };
        let (address, names) = match kind {
            NRB_IPV4 => (value.first_chunk::<4>().map(|octets| IpAddr::from(*octets)), value.get(4..)),
            NRB_IPV6 => (value.first_chunk::<16>().map(|octets| IpAddr::from(*octets)), value.get(16..)),
            OPT_END => return,
            _ => (None, None),
        };
        if let (Some(address), Some(names)) = (address, names) {
            for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
                cx.add_name(address, text(name));
            }
        }
        body = body.get(padded(len)..).unwrap_or_default();
    }
}

fn interface(section: &Section, id: u32) -> Result<Described, String> {
    let known = section.interfaces.len();
    section.interfaces.get(id as usize).copied().ok_or_else(|| format!("a block belongs to interface {id}; the section describes {known}"))
}

fn short(what: &str) -> String {
    format!("{what} is too short")
}

/// A block's extent: blocks are padded to four bytes, and some writers forget to count the padding.
fn extent(len: u32) -> Result<usize, String> {
    match (len as usize).checked_next_multiple_of(4) {
        Some(total) if total >= BLOCK_MIN => Ok(total),
        _ => Err(format!("a block claims a length of {len} bytes")),
    }
}

/// The extent of an option or record, its head of four bytes and its padding included.
fn padded(len: u16) -> usize {
    usize::from(len).next_multiple_of(4).saturating_add(4)
}

/// What stands between a block's header and the repetition of its length.
fn body(order: Order, bytes: &[u8], len: u32, total: usize) -> Result<&[u8], Step> {
    let Some((body, repeated)) = bytes.get(BLOCK_HEADER..total).and_then(<[u8]>::split_last_chunk::<4>) else {
        return Err(Step::Need(total));
    };
    match order.u32(repeated) {
        Some(repeated) if repeated == len => Ok(body),
        repeated => {
            Err(Step::Damage(format!("a block's length is {len} at its beginning and {} at its end", repeated.unwrap_or_default())))
        }
    }
}

fn text(value: &[u8]) -> String {
    let value = value.get(..limits::COMMENT_LEN).unwrap_or(value);
    String::from_utf8_lossy(value).trim_end_matches('\0').to_owned()
}

impl Clock {
    /// From `if_tsresol` (a power of ten, or of two with the top bit set) and `if_tsoffset` in seconds.
    fn new(resolution: u8, offset: i64) -> Self {
        let exponent = u32::from(resolution & 0x7f);
        let unit = match exponent {
            _ if resolution & 0x80 != 0 => Unit::Binary(exponent),
            0..=9 => Unit::Nanos(10u64.saturating_pow(9_u32.saturating_sub(exponent))),
            _ => Unit::PerNano(10u64.saturating_pow(exponent.saturating_sub(9))),
        };
        Self { unit, offset_nanos: offset.saturating_mul(1_000_000_000) }
    }

    fn time(self, high: u32, low: u32) -> Timestamp {
        let units = u64::from(high) << 32 | u64::from(low);
        let nanos = match self.unit {
            Unit::Nanos(each) => units.saturating_mul(each),
            Unit::PerNano(number) => units.checked_div(number).unwrap_or_default(),
            Unit::Binary(shift) => {
                u64::try_from(u128::from(units).saturating_mul(1_000_000_000).checked_shr(shift).unwrap_or(0)).unwrap_or(u64::MAX)
            }
        };
        Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX).saturating_add(self.offset_nanos))
    }
}

/// The word of a condensate's block and its mark.
const MARK_LEN: usize = 36;
/// Type and length.
const BLOCK_HEADER: usize = 8;

/// Type, length and length again.
const BLOCK_MIN: usize = 12;

/// A Section Header Block without options.
const SECTION_MIN: usize = 28;

#[cfg(test)]
mod tests;
