//! Writes pcapng files (draft-ietf-opsawg-pcapng): sections, interfaces, packets with comments, name resolution and decryption secrets.
//!
//! Little-endian, times in nanoseconds. Every block is written whole, so that a file cut anywhere is readable up to the cut.

use std::io::{self, Write};
use std::net::IpAddr;

use crate::frame::LinkType;
use crate::pcapng::{
    BYTE_ORDER_MAGIC, DECRYPTION_SECRETS, ENHANCED_PACKET, IF_DESCRIPTION, IF_FILTER, IF_NAME, IF_TSRESOL, INTERFACE_DESCRIPTION,
    INTERFACE_STATISTICS, ISB_ENDTIME, ISB_IFDROP, ISB_IFRECV, NAME_RESOLUTION, NRB_IPV4, NRB_IPV6, OPT_COMMENT, SECTION_HEADER,
    SHB_USERAPPL, TLS_KEY_LOG,
};
use crate::time::Timestamp;

/// Writes one section.
#[derive(Debug)]
pub struct PcapngWriter<W> {
    out: W,
    interfaces: u32,
    written: u64,
    block: Vec<u8>,
}

/// An interface to describe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceDescription<'a> {
    /// How its packets begin.
    pub link: LinkType,
    /// Bytes that were taken of each packet; 0 = no limit.
    pub snaplen: u32,
    /// `if_name`; empty for none.
    pub name: &'a str,
    /// `if_description`.
    pub description: Option<&'a str>,
    /// The capture filter in the syntax of pcap-filter(7).
    pub filter: Option<&'a str>,
}

/// A packet to write.
#[derive(Debug, Clone, Copy)]
pub struct PacketRecord<'a> {
    /// Which interface, counted from 0 in the order in which they were described.
    pub interface: u32,
    /// When it was captured.
    pub time: Timestamp,
    /// Its length on the wire in bytes.
    pub original_len: u32,
    /// The captured bytes.
    pub bytes: &'a [u8],
    /// Comments, as Wireshark shows them on the packet.
    pub comments: &'a [String],
}

impl<W: Write> PcapngWriter<W> {
    /// Begins a section. `application` is the program's name and version; `comment` is about the whole file.
    pub fn new(out: W, application: &str, comment: Option<&str>) -> io::Result<Self> {
        let mut writer = Self { out, interfaces: 0, written: 0, block: Vec::new() };
        let mut body = Vec::new();
        body.extend(BYTE_ORDER_MAGIC.to_le_bytes());
        body.extend(1_u16.to_le_bytes());
        body.extend(0_u16.to_le_bytes());
        // The section's length is not known in advance.
        body.extend((-1_i64).to_le_bytes());
        if let Some(comment) = comment {
            option(&mut body, OPT_COMMENT, comment.as_bytes());
        }
        option(&mut body, SHB_USERAPPL, application.as_bytes());
        end_of_options(&mut body);
        writer.write_block(SECTION_HEADER, &body)?;
        Ok(writer)
    }

    /// Describes an interface and gives its number.
    pub fn interface(&mut self, interface: &InterfaceDescription<'_>) -> io::Result<u32> {
        self.interface_with(interface, None)
    }

    /// The same with an option of another kind.
    pub fn interface_with(&mut self, interface: &InterfaceDescription<'_>, more: Option<(u16, &[u8])>) -> io::Result<u32> {
        let mut body = Vec::new();
        body.extend(u16::try_from(interface.link.0).unwrap_or(u16::MAX).to_le_bytes());
        body.extend(0_u16.to_le_bytes());
        body.extend(interface.snaplen.to_le_bytes());
        if !interface.name.is_empty() {
            option(&mut body, IF_NAME, interface.name.as_bytes());
        }
        if let Some(description) = interface.description {
            option(&mut body, IF_DESCRIPTION, description.as_bytes());
        }
        if let Some(filter) = interface.filter {
            // The first octet says what kind of filter it is: 0 is libpcap's.
            option(&mut body, IF_FILTER, &[&[0], filter.as_bytes()].concat());
        }
        option(&mut body, IF_TSRESOL, &[9]);
        if let Some((code, value)) = more {
            option(&mut body, code, value);
        }
        end_of_options(&mut body);
        self.write_block(INTERFACE_DESCRIPTION, &body)?;
        let number = self.interfaces;
        self.interfaces = number.saturating_add(1);
        Ok(number)
    }

    /// Writes a packet.
    pub fn packet(&mut self, packet: &PacketRecord<'_>) -> io::Result<()> {
        self.packet_with(packet, None)
    }

    /// The same with an option of another kind.
    pub fn packet_with(&mut self, packet: &PacketRecord<'_>, more: Option<(u16, &[u8])>) -> io::Result<()> {
        let mut body = std::mem::take(&mut self.block);
        body.clear();
        body.extend(packet.interface.to_le_bytes());
        // The format has no time before 1970.
        let nanos = u64::try_from(packet.time.nanos()).unwrap_or_default();
        body.extend(((nanos >> 32) as u32).to_le_bytes());
        body.extend(((nanos & 0xffff_ffff) as u32).to_le_bytes());
        body.extend(u32::try_from(packet.bytes.len()).map_err(io::Error::other)?.to_le_bytes());
        body.extend(packet.original_len.to_le_bytes());
        body.extend(packet.bytes);
        pad(&mut body);
        for comment in packet.comments {
            option(&mut body, OPT_COMMENT, comment.as_bytes());
        }
        if let Some((code, value)) = more {
            option(&mut body, code, value);
        }
        if more.is_some() || !packet.comments.is_empty() {
            end_of_options(&mut body);
        }
        let result = self.write_block(ENHANCED_PACKET, &body);
        self.block = body;
        result
    }

    /// Writes TLS secrets, in the NSS key log format, for the packets after it.
    pub fn secrets(&mut self, key_log: &[u8]) -> io::Result<()> {
        let mut body = Vec::new();
        body.extend(TLS_KEY_LOG.to_le_bytes());
        body.extend(u32::try_from(key_log.len()).map_err(io::Error::other)?.to_le_bytes());
        body.extend(key_log);
        pad(&mut body);
        self.write_block(DECRYPTION_SECRETS, &body)
    }

    /// Writes names of addresses.
    pub fn names<'a>(&mut self, names: impl IntoIterator<Item = (IpAddr, &'a str)>) -> io::Result<()> {
        let mut body = Vec::new();
        for (address, name) in names {
            let (kind, mut value) = match address {
                IpAddr::V4(v4) => (NRB_IPV4, v4.octets().to_vec()),
                IpAddr::V6(v6) => (NRB_IPV6, v6.octets().to_vec()),
            };
            value.extend(name.as_bytes());
            value.push(0);
            option(&mut body, kind, &value);
        }
        body.extend([0; 4]);
        self.write_block(NAME_RESOLUTION, &body)
    }

    /// Writes an interface's statistics: until when it captured, and the packets it received and dropped, where known.
    pub fn statistics(&mut self, interface: u32, until: Timestamp, received: Option<u64>, dropped: Option<u64>) -> io::Result<()> {
        let nanos = u64::try_from(until.nanos()).unwrap_or_default();
        let time = [((nanos >> 32) as u32).to_le_bytes(), ((nanos & 0xffff_ffff) as u32).to_le_bytes()].concat();
        let mut body = Vec::new();
        body.extend(interface.to_le_bytes());
        body.extend(&time);
        option(&mut body, ISB_ENDTIME, &time);
        for (code, count) in [(ISB_IFRECV, received), (ISB_IFDROP, dropped)] {
            if let Some(count) = count {
                option(&mut body, code, &count.to_le_bytes());
            }
        }
        end_of_options(&mut body);
        self.write_block(INTERFACE_STATISTICS, &body)
    }

    /// Writes a block of a type and with a body taken from another little-endian file: what is passed through unread.
    pub fn raw(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let mut body = body.to_vec();
        pad(&mut body);
        self.write_block(kind, &body)
    }

    /// Bytes written so far.
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// The stream back, flushed.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn write_block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len().saturating_add(12)).map_err(io::Error::other)?;
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(body)?;
        self.out.write_all(&length.to_le_bytes())?;
        self.written = self.written.saturating_add(u64::from(length));
        Ok(())
    }
}

/// Appends an option; text longer than its length field allows is cut at a character.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let mut len = value.len().min(usize::from(u16::MAX));
    while len > 0 && len < value.len() && value.get(len).is_some_and(|byte| byte & 0xc0 == 0x80) {
        len -= 1;
    }
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes());
    body.extend(value.get(..len).unwrap_or_default());
    pad(body);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

/// To the next multiple of four.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_laid_out_as_the_format_says() {
        let mut writer = PcapngWriter::new(Vec::new(), "ab", Some("c")).unwrap();
        let head = writer.written();
        let interface = InterfaceDescription { link: LinkType(1), snaplen: 5, name: "e0", description: None, filter: None };
        assert_eq!(writer.interface(&interface).unwrap(), 0);
        let packet = PacketRecord {
            interface: 0,
            time: Timestamp::from_nanos(0x1_0000_0002),
            original_len: 9,
            bytes: b"hello",
            comments: &["x".to_owned()],
        };
        let before = writer.written();
        writer.packet(&packet).unwrap();
        let bytes = writer.finish().unwrap();
        assert_eq!(bytes[..8], [0x0a, 0x0d, 0x0d, 0x0a, 48, 0, 0, 0]);
        assert_eq!(bytes[24..32], [1, 0, 1, 0, b'c', 0, 0, 0]);
        assert_eq!(head, 48);
        let epb = &bytes[usize::try_from(before).unwrap()..];
        let expected: &[u8] = &[
            6, 0, 0, 0, 52, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 9, 0, 0, 0, b'h', b'e', b'l', b'l', b'o', 0, 0, 0, 1,
            0, 1, 0, b'x', 0, 0, 0, 0, 0, 0, 0, 52, 0, 0, 0,
        ];
        assert_eq!(epb, expected);
    }

    #[test]
    fn what_is_too_long_for_an_option_is_cut_at_a_character() {
        let mut body = Vec::new();
        option(&mut body, OPT_COMMENT, "é".repeat(40_000).as_bytes());
        assert_eq!(body[2..4], 65_534_u16.to_le_bytes());
        assert_eq!(body.len() % 4, 0);
        assert!(std::str::from_utf8(&body[4..4 + 65_534]).is_ok());
    }
}
