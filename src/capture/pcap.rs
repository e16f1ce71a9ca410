//! The pcap savefile format: a file header and records, in the byte order of the machine that wrote them.
//!
//! Layout after draft-ietf-opsawg-pcap section 4 and 5; the "modified" magic of Alexey Kuznetzov's libpcap has eight bytes more to a record.

use super::Interface;
use super::format::{Context, Cut, Order, Step};
use crate::frame::LinkType;
use crate::limits;
use crate::time::Timestamp;

/// Cuts a pcap file into records. Asked for the file header first, then for one record at a time.
#[derive(Debug, Default)]
pub(super) struct Pcap {
    header: Option<Header>,
}

/// What the file header settles for all records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    order: Order,
    nanos_per_unit: i64,
    prefix: usize,
    longest: u32,
    link: LinkType,
    interface: u32,
}

impl Header {
    /// The frame that the bytes begin with when nothing is odd about it; all else is for [`Pcap::next`] to judge.
    #[inline]
    pub(super) fn frame(&self, bytes: &[u8]) -> Option<Cut> {
        let words @ [_, _, len, _] = self.order.words(bytes.first_chunk()?);
        let cut = self.cut(words);
        (len > 0 && len <= self.longest && cut.total <= bytes.len()).then_some(cut)
    }

    /// The frame of a record with these four words.
    fn cut(&self, [seconds, fraction, len, original_len]: [u32; 4]) -> Cut {
        // 64 bits hold any of them: the seconds and what is a fraction of them are of 32.
        let nanos = i64::from(seconds).wrapping_mul(1_000_000_000).wrapping_add(i64::from(fraction).wrapping_mul(self.nanos_per_unit));
        Cut {
            time: Timestamp::from_nanos(nanos),
            link: self.link,
            interface: self.interface,
            original_len,
            start: self.prefix,
            len,
            total: self.prefix.saturating_add(len as usize),
        }
    }
}

impl Pcap {
    /// What the bytes begin with.
    pub(super) fn next(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Step {
        let Some(header) = self.header else { return self.file_header(bytes, cx) };
        let Some(record) = bytes.first_chunk::<16>() else { return Step::Need(header.prefix) };
        let [seconds, fraction, len, original_len] = header.order.words(record);
        if len > header.longest {
            return Step::Damage(format!("a record claims a length of {len} bytes"));
        }
        if len == 0 && original_len == 0 {
            if record.iter().all(|&byte| byte == 0) {
                return Step::Damage("there are zero bytes where a record should begin".to_owned());
            }
            // files put together with `cat`: a header's time zone and accuracy are zero where a record has its lengths
            if is_pcap(record) {
                return self.file_header(bytes, cx);
            }
        }
        let cut = header.cut([seconds, fraction, len, original_len]);
        if bytes.len() < cut.total { Step::Need(cut.total) } else { Step::Frame(cut) }
    }

    /// What the file header says, once it was read.
    pub(super) const fn header(&self) -> Option<Header> {
        self.header
    }

    fn file_header(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Step {
        let Some(head) = bytes.first_chunk::<FILE_HEADER>() else { return Step::Need(FILE_HEADER) };
        let Some((order, variant)) = magic(head) else { return Step::Damage("the pcap file header is not valid".to_owned()) };
        let word = |at: usize| head.get(at..).and_then(|rest| order.u32(rest)).unwrap_or_default();
        let (snaplen, link) = (word(16), LinkType(word(20) & LINK_TYPE_MASK));
        let interface = cx.add_interface(Interface {
            input: cx.input,
            name: cx.name.to_owned(),
            description: None,
            filter: None,
            link,
            snaplen,
            received: None,
            dropped: None,
        });
        self.header = Some(Header {
            order,
            nanos_per_unit: if variant == MAGIC_NANOS { 1 } else { 1_000 },
            prefix: if variant == MAGIC_MODIFIED { 24 } else { 16 },
            longest: snaplen.clamp(limits::COMMON_FRAME_LEN, limits::FRAME_LEN),
            link,
            interface,
        });
        Step::Other(FILE_HEADER)
    }
}

/// Whether the bytes begin with one of the magic numbers.
pub(super) fn is_pcap(bytes: &[u8]) -> bool {
    magic(bytes).is_some()
}

fn magic(bytes: &[u8]) -> Option<(Order, u32)> {
    [Order::Little, Order::Big].into_iter().find_map(|order| {
        let value = order.u32(bytes)?;
        [MAGIC_MICROS, MAGIC_NANOS, MAGIC_MODIFIED].contains(&value).then_some((order, value))
    })
}

/// Microseconds.
const MAGIC_MICROS: u32 = 0xa1b2_c3d4;

/// Nanoseconds.
const MAGIC_NANOS: u32 = 0xa1b2_3c4d;

/// Microseconds, and interface index, protocol and packet type after each record's header.
const MAGIC_MODIFIED: u32 = 0xa1b2_cd34;

/// Bytes of the file header.
pub(super) const FILE_HEADER: usize = 24;

/// The link-type field has the length of the frame check sequence and reserved bits in its upper half.
const LINK_TYPE_MASK: u32 = 0xffff;

#[cfg(test)]
mod tests {
    use crate::capture::testing::{PcapFile, read_all};
    use crate::frame::LinkType;

    #[test]
    fn reads_both_byte_orders_and_both_precisions() {
        for big in [false, true] {
            for (magic, fraction, nanos) in [(0xa1b2_c3d4, 7, 7_000), (0xa1b2_3c4d, 7, 7)] {
                let mut file = PcapFile::new(big, magic, 1);
                file.record(1_700_000_000, fraction, b"abc", 60);
                let read = read_all(&file.bytes);
                assert_eq!(read.frames.len(), 1, "{magic:x} {big}");
                let (head, bytes) = &read.frames[0];
                assert_eq!(head.time.nanos(), 1_700_000_000_000_000_000 + nanos);
                assert_eq!((head.original_len, head.link, bytes.as_slice()), (60, LinkType(1), b"abc".as_slice()));
                assert_eq!(read.inventory.inputs[0].damage, None);
            }
        }
    }

    #[test]
    fn modified_records_have_a_longer_header() {
        let mut file = PcapFile::new(false, 0xa1b2_cd34, 113);
        file.record(1, 2, b"abc", 3);
        file.record(3, 4, b"defg", 4);
        let read = read_all(&file.bytes);
        assert_eq!(read.frames.iter().map(|(_, bytes)| bytes.as_slice()).collect::<Vec<_>>(), [b"abc".as_slice(), b"defg"]);
        assert_eq!(read.frames[1].0.time.nanos(), 3_000_004_000);
    }

    #[test]
    fn the_upper_bits_of_the_link_type_field_are_no_link_type() {
        let mut file = PcapFile::new(true, 0xa1b2_c3d4, 0x5400_0001);
        file.record(1, 2, b"abc", 3);
        assert_eq!(read_all(&file.bytes).frames[0].0.link, LinkType(1));
    }

    #[test]
    fn an_absurd_length_is_damage_and_keeps_what_came_before() {
        let mut file = PcapFile::new(false, 0xa1b2_c3d4, 1);
        file.record(1, 2, b"abc", 3);
        file.bytes.extend([0x11; 200]);
        let read = read_all(&file.bytes);
        assert_eq!(read.frames.len(), 1);
        let damage = read.inventory.inputs[0].damage.clone().unwrap();
        assert!(damage.contains("byte 43") && damage.contains("after frame 1") && damage.contains("286331153"), "{damage}");
    }

    #[test]
    fn a_tail_of_zeros_is_no_frame() {
        let mut file = PcapFile::new(false, 0xa1b2_c3d4, 1);
        file.record(1, 2, b"abc", 3);
        file.bytes.extend([0; 4096]);
        let read = read_all(&file.bytes);
        assert_eq!(read.frames.len(), 1);
        assert!(read.inventory.inputs[0].damage.clone().unwrap().contains("zero bytes"));
    }

    #[test]
    fn files_put_together_are_read_on() {
        let mut one = PcapFile::new(false, 0xa1b2_c3d4, 1);
        one.record(1, 2, b"abc", 3);
        let mut two = PcapFile::new(true, 0xa1b2_3c4d, 101);
        two.record(5, 6, b"defg", 4);
        let read = read_all(&[one.bytes, two.bytes].concat());
        let frames: Vec<_> =
            read.frames.iter().map(|(head, bytes)| (head.time.nanos(), head.link.0, head.interface, bytes.as_slice())).collect();
        assert_eq!(frames, [(1_000_002_000, 1, 0, b"abc".as_slice()), (5_000_000_006, 101, 1, b"defg")]);
        assert_eq!(read.inventory.inputs[0].damage, None);
    }

    #[test]
    fn snaplen_in_the_header_allows_longer_frames() {
        let mut file = PcapFile::new(false, 0xa1b2_c3d4, 1);
        file.bytes[16..20].copy_from_slice(&(4u32 << 20).to_le_bytes());
        file.record(1, 2, &vec![7; 3 << 20], 3 << 20);
        file.record(1, 3, b"x", 1);
        let read = read_all(&file.bytes);
        assert_eq!(read.frames.iter().map(|(_, bytes)| bytes.len()).collect::<Vec<_>>(), [3 << 20, 1]);
    }
}
