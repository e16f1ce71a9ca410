//! 802.11 data frames (IEEE 802.11-2020 section 9.3.2) and the headers that drivers put before them: radiotap, Prism, AVS, PPI.

use crate::frame::LinkType;
use crate::packet::Skip;
use crate::packet::state::{LinkHeader, Next, Unread, Walk};

pub(super) fn ieee80211(walk: &mut Walk<'_>) -> Result<Next, Skip> {
    data_frame(walk, false)
}

/// Radiotap: length, then which fields are present; one of them says whether the header is padded.
pub(super) fn radiotap(walk: &mut Walk<'_>) -> Result<Next, Skip> {
    const DATA_PAD: u8 = 0x20;
    let &[version, _, l0, l1] = walk.rest.take::<4>()?;
    let len = usize::from(u16::from_le_bytes([l0, l1])).checked_sub(4).filter(|len| *len >= 4 && version == 0).ok_or(Skip::Malformed)?;
    let fields = walk.rest.take_slice(len)?;
    let flags = radiotap_flags(fields).unwrap_or(0);
    data_frame(walk, flags & DATA_PAD != 0)
}

/// The flags field. It follows all presence words and the 64-bit timestamp, which is aligned from the header's start.
fn radiotap_flags(fields: &[u8]) -> Option<u8> {
    let (first, _) = fields.split_first_chunk::<4>()?;
    let present = u32::from_le_bytes(*first);
    if present & 0x2 == 0 {
        return None;
    }
    let more = fields.chunks_exact(4).take_while(|word| word.last().is_some_and(|byte| byte & 0x80 != 0)).count();
    let mut at = more.saturating_add(2).saturating_mul(4);
    if present & 0x1 != 0 {
        at = at.checked_next_multiple_of(8)?.saturating_add(8);
    }
    fields.get(at.checked_sub(4)?).copied()
}

/// Prism and AVS share a link type. AVS begins with a magic number; Prism is in the byte order of the machine that wrote it.
pub(super) fn prism(walk: &mut Walk<'_>) -> Result<Next, Skip> {
    let &[m0, m1, m2, _, l0, l1, l2, l3] = walk.rest.take::<8>()?;
    let big = u32::from_be_bytes([l0, l1, l2, l3]);
    let avs = [m0, m1] == [0x80, 0x21] && m2 >> 4 == 1;
    let len = if avs { big } else { big.min(big.swap_bytes()) };
    walk.rest.skip(len.checked_sub(8).ok_or(Skip::Malformed)? as usize)?;
    data_frame(walk, false)
}

/// PPI: a length and the link type of what follows.
pub(super) fn per_packet_information(walk: &mut Walk<'_>) -> Result<Next, Skip> {
    let &[_, _, l0, l1, d0, d1, d2, d3] = walk.rest.take::<8>()?;
    walk.rest.skip(usize::from(u16::from_le_bytes([l0, l1])).checked_sub(8).ok_or(Skip::Malformed)?)?;
    Ok(Next::Link(LinkType(u32::from_le_bytes([d0, d1, d2, d3]))))
}

fn data_frame(walk: &mut Walk<'_>, padded: bool) -> Result<Next, Skip> {
    const SNAP: [u8; 6] = [0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00];
    let before = walk.rest.wire();
    let &[control, flags] = walk.rest.take::<2>()?;
    if control & 0x03 != 0 {
        return Err(Skip::Malformed);
    }
    // type data, and of a subtype that carries some
    if control & 0x4c != 0x08 {
        return Err(Skip::Radio);
    }
    let header = walk.rest.take::<22>()?;
    walk.link = LinkHeader::Radio(header);
    let &[.., sequence, _] = header;
    if sequence & 0x0f != 0 {
        return Err(Skip::Radio); // a later fragment of the frame, without LLC
    }
    if flags & 0x03 == 0x03 {
        walk.rest.skip(6)?; // from access point to access point: a fourth address
    }
    let mut aggregated = false;
    if control & 0x80 != 0 {
        let &[qos, _] = walk.rest.take::<2>()?;
        aggregated = qos & 0x80 != 0;
        if flags & 0x80 != 0 {
            walk.rest.skip(4)?; // HT control
        }
    }
    if padded {
        let taken = before.saturating_sub(walk.rest.wire());
        walk.rest.skip(taken.wrapping_neg() as usize % 4)?;
    }
    // some drivers decrypt the frame and leave the flag
    if flags & 0x40 != 0 && !walk.rest.bytes().starts_with(&SNAP) {
        walk.unread = Unread::Protected;
        return Err(Skip::Radio);
    }
    if aggregated {
        let &[.., l0, l1] = walk.rest.take::<14>()?; // the first of several
        walk.rest.limit(u32::from(u16::from_be_bytes([l0, l1])));
    }
    Ok(Next::Llc)
}
