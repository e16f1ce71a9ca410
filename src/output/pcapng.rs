//! Captures written: pcapng (draft-ietf-opsawg-pcapng), little-endian, times in nanoseconds.
//!
//! Section 4.1 (section header), 4.2 (interfaces), 4.3 (packets with comments), 4.5 (names), 4.6 (statistics), 4.7 (secrets). Every block is
//! written whole, so that a file cut short is readable up to the cut.

use std::io::{self, Write};
use std::net::IpAddr;

use crate::frame::LinkType;
use crate::time::Timestamp;

/// Writes pcapng.
#[derive(Debug)]
pub struct PcapngWriter<W> {
    out: W,
    block: Vec<u8>,
    interfaces: u32,
}

/// What is said of an interface.
#[derive(Debug, Clone, Copy, Default)]
pub struct InterfaceHead<'a> {
    /// Link type.
    pub link: LinkType,
    /// Snapshot length; 0 = no limit.
    pub snaplen: u32,
    /// `if_name`.
    pub name: &'a str,
    /// `if_description`.
    pub description: Option<&'a str>,
    /// `if_filter`.
    pub filter: Option<&'a str>,
}

/// A packet as captured.
#[derive(Debug, Clone, Copy)]
pub struct PacketHead<'a> {
    /// What [`PcapngWriter::interface`] gave.
    pub interface: u32,
    /// When.
    pub time: Timestamp,
    /// Its length on the wire.
    pub original_len: u32,
    /// What was captured of it.
    pub bytes: &'a [u8],
}

impl<W: Write> PcapngWriter<W> {
    /// Begins a section. `application` names the writer; `comments` stand on the whole section.
    pub fn new(out: W, application: &str, comments: &[String]) -> io::Result<Self> {
        let mut writer = Self { out, block: Vec::new(), interfaces: 0 };
        writer.word(BYTE_ORDER_MAGIC);
        writer.half(1);
        writer.half(0);
        // The section's length is not known beforehand.
        writer.block.extend([0xff; 8]);
        for comment in comments {
            writer.option(OPT_COMMENT, comment.as_bytes());
        }
        writer.option(SHB_USERAPPL, application.as_bytes());
        writer.end_options();
        writer.finish_block(SECTION_HEADER)?;
        Ok(writer)
    }

    /// Describes an interface and gives its number, to be used for its packets.
    pub fn interface(&mut self, head: &InterfaceHead<'_>) -> io::Result<u32> {
        // pcapng has 16 bits for it, and no link type needs more.
        self.half(u16::try_from(head.link.0).unwrap_or(u16::MAX));
        self.half(0);
        self.word(head.snaplen);
        self.option(IF_NAME, head.name.as_bytes());
        if let Some(description) = head.description {
            self.option(IF_DESCRIPTION, description.as_bytes());
        }
        if let Some(filter) = head.filter {
            self.option(IF_FILTER, &[&[0], filter.as_bytes()].concat());
        }
        self.option(IF_TSRESOL, &[9]);
        self.end_options();
        self.finish_block(INTERFACE_DESCRIPTION)?;
        let number = self.interfaces;
        self.interfaces = self.interfaces.saturating_add(1);
        Ok(number)
    }

    /// Writes names of addresses.
    pub fn names<'a>(&mut self, names: impl Iterator<Item = (IpAddr, &'a str)>) -> io::Result<()> {
        for (address, name) in names {
            let mut record = match address {
                IpAddr::V4(v4) => v4.octets().to_vec(),
                IpAddr::V6(v6) => v6.octets().to_vec(),
            };
            record.extend(name.bytes().filter(|byte| *byte != 0).take(NAME_LEN));
            record.push(0);
            self.option(if address.is_ipv4() { NRB_IPV4 } else { NRB_IPV6 }, &record);
        }
        if self.block.is_empty() {
            return Ok(());
        }
        self.end_options();
        self.finish_block(NAME_RESOLUTION)
    }

    /// Writes lines of a TLS key log.
    pub fn secrets<'a>(&mut self, lines: impl Iterator<Item = &'a [u8]>) -> io::Result<()> {
        let mut log = Vec::new();
        for line in lines {
            log.extend_from_slice(line);
            log.push(b'\n');
        }
        if log.is_empty() {
            return Ok(());
        }
        self.word(TLS_KEY_LOG);
        self.word(u32::try_from(log.len()).unwrap_or(u32::MAX));
        self.block.extend_from_slice(&log);
        self.pad();
        self.finish_block(DECRYPTION_SECRETS)
    }

    /// Writes a packet with its comments.
    pub fn packet<'a>(&mut self, head: &PacketHead<'_>, comments: impl Iterator<Item = &'a str>) -> io::Result<()> {
        self.word(head.interface);
        self.time(head.time);
        self.word(u32::try_from(head.bytes.len()).unwrap_or(u32::MAX));
        self.word(head.original_len);
        self.block.extend_from_slice(head.bytes);
        self.pad();
        let before = self.block.len();
        for comment in comments {
            self.option(OPT_COMMENT, comment.as_bytes());
        }
        if self.block.len() > before {
            self.end_options();
        }
        self.finish_block(ENHANCED_PACKET)
    }

    /// Writes an interface's statistics: until when it captured, and what it received and dropped.
    pub fn statistics(&mut self, interface: u32, until: Timestamp, received: Option<u64>, dropped: Option<u64>) -> io::Result<()> {
        self.word(interface);
        self.time(until);
        let (high, low) = halves(until);
        self.option(ISB_ENDTIME, &[high.to_le_bytes(), low.to_le_bytes()].concat());
        for (code, count) in [(ISB_IFRECV, received), (ISB_IFDROP, dropped)] {
            if let Some(count) = count {
                self.option(code, &count.to_le_bytes());
            }
        }
        self.end_options();
        self.finish_block(INTERFACE_STATISTICS)
    }

    /// Sends everything on its way, and gives the stream back.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn word(&mut self, word: u32) {
        self.block.extend(word.to_le_bytes());
    }

    fn half(&mut self, half: u16) {
        self.block.extend(half.to_le_bytes());
    }

    fn time(&mut self, time: Timestamp) {
        let (high, low) = halves(time);
        self.word(high);
        self.word(low);
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        let value = value.get(..OPTION_LEN).unwrap_or(value);
        self.half(code);
        self.half(u16::try_from(value.len()).unwrap_or_default());
        self.block.extend_from_slice(value);
        self.pad();
    }

    fn end_options(&mut self) {
        self.word(0);
    }

    fn pad(&mut self) {
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    fn finish_block(&mut self, kind: u32) -> io::Result<()> {
        let len = u32::try_from(self.block.len().saturating_add(12)).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&len.to_le_bytes())?;
        self.out.write_all(&self.block)?;
        self.out.write_all(&len.to_le_bytes())?;
        self.block.clear();
        Ok(())
    }
}

/// Times before 1970 cannot be written and become it.
fn halves(time: Timestamp) -> (u32, u32) {
    let nanos = u64::try_from(time.nanos()).unwrap_or_default();
    ((nanos >> 32) as u32, (nanos & 0xffff_ffff) as u32)
}

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const NAME_RESOLUTION: u32 = 4;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 10;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// "TLSK".
const TLS_KEY_LOG: u32 = 0x544c_534b;
const OPT_COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_TSRESOL: u16 = 9;
const IF_FILTER: u16 = 11;
const NRB_IPV4: u16 = 1;
const NRB_IPV6: u16 = 2;
const ISB_ENDTIME: u16 = 3;
const ISB_IFRECV: u16 = 4;
const ISB_IFDROP: u16 = 5;
/// Longest option written: an option's length has 16 bits, and its padding must fit as well.
const OPTION_LEN: usize = 65_532;
/// Longest name written.
const NAME_LEN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Types and bodies of the blocks, each checked for its framing.
    fn blocks(mut bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let mut out = Vec::new();
        while !bytes.is_empty() {
            let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            let len = word(4) as usize;
            assert_eq!((len % 4, word(len - 4) as usize), (0, len));
            out.push((word(0), bytes[8..len - 4].to_vec()));
            bytes = &bytes[len..];
        }
        out
    }

    #[test]
    fn blocks_are_framed_and_padded() {
        let mut writer = PcapngWriter::new(Vec::new(), "test", &["a section".into()]).unwrap();
        let head = InterfaceHead { link: LinkType(1), snaplen: 96, name: "eth0", filter: Some("tcp"), ..InterfaceHead::default() };
        let interface = writer.interface(&head).unwrap();
        writer.names([(IpAddr::from([192, 0, 2, 1]), "www.example.test")].into_iter()).unwrap();
        writer.names(std::iter::empty()).unwrap();
        writer.secrets([b"CLIENT_RANDOM 00 11".as_slice()].into_iter()).unwrap();
        let packet = PacketHead { interface, time: Timestamp::from_parts(5, 7), original_len: 60, bytes: &[1, 2, 3] };
        writer.packet(&packet, ["why"].into_iter()).unwrap();
        writer.statistics(interface, Timestamp::from_parts(9, 0), Some(3), None).unwrap();
        let blocks = blocks(&writer.finish().unwrap());
        assert_eq!(blocks.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [SECTION_HEADER, 1, 4, 10, 6, 5]);
        let packet = &blocks[4].1;
        assert_eq!(packet[4..12], [1, 0, 0, 0, 0x07, 0xf2, 0x05, 0x2a], "5,000,000,007 ns");
        assert_eq!(packet[12..24], [3, 0, 0, 0, 60, 0, 0, 0, 1, 2, 3, 0]);
        assert_eq!(packet[24..], [1, 0, 3, 0, b'w', b'h', b'y', 0, 0, 0, 0, 0]);
    }
}
