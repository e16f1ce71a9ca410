//! The numbers of the pcapng format (draft-ietf-opsawg-pcapng), which its reader and its writer share.

// Types of blocks (section 4).

/// A section begins.
pub(crate) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
/// An interface.
pub(crate) const INTERFACE_DESCRIPTION: u32 = 0x0000_0001;
/// A packet, as the first writers told it.
pub(crate) const PACKET: u32 = 0x0000_0002;
/// A packet without a time.
pub(crate) const SIMPLE_PACKET: u32 = 0x0000_0003;
/// Names of addresses.
pub(crate) const NAME_RESOLUTION: u32 = 0x0000_0004;
/// What an interface counted.
pub(crate) const INTERFACE_STATISTICS: u32 = 0x0000_0005;
/// A packet.
pub(crate) const ENHANCED_PACKET: u32 = 0x0000_0006;
/// Keys.
pub(crate) const DECRYPTION_SECRETS: u32 = 0x0000_000a;

// Words in their bodies.

/// Stands in a section in the byte order of that section.
pub(crate) const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Keys in the format of `SSLKEYLOGFILE`: "TLSK".
pub(crate) const TLS_KEY_LOG: u32 = 0x544c_534b;

// Options (section 3.5), and records of names.

/// No option follows.
pub(crate) const OPT_END: u16 = 0;
/// A comment on whatever the block holds.
pub(crate) const OPT_COMMENT: u16 = 1;
/// Of a section: who wrote it.
pub(crate) const SHB_USERAPPL: u16 = 4;
/// Of an interface: its name.
pub(crate) const IF_NAME: u16 = 2;
/// Of an interface: what it is.
pub(crate) const IF_DESCRIPTION: u16 = 3;
/// Of an interface: the unit of its times.
pub(crate) const IF_TSRESOL: u16 = 9;
/// Of an interface: what was captured.
pub(crate) const IF_FILTER: u16 = 11;
/// Of an interface: seconds to add to its times.
pub(crate) const IF_TSOFFSET: u16 = 14;
/// A record of names: of an IPv4 address.
pub(crate) const NRB_IPV4: u16 = 1;
/// A record of names: of an IPv6 address.
pub(crate) const NRB_IPV6: u16 = 2;
/// Of statistics: when the capture ended.
pub(crate) const ISB_ENDTIME: u16 = 3;
/// Of statistics: packets that came.
pub(crate) const ISB_IFRECV: u16 = 4;
/// Of statistics: packets that the interface dropped.
pub(crate) const ISB_IFDROP: u16 = 5;
/// Of statistics: packets that the system dropped.
pub(crate) const ISB_OSDROP: u16 = 7;
