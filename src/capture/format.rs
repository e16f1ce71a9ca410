//! What the two file formats have in common: what they tell the reader, and where they put what they learn.

use std::net::IpAddr;

use super::{Interface, Inventory};
use crate::condensate::{Head, Place, Tail};
use crate::frame::LinkType;
use crate::limits;
use crate::time::Timestamp;

/// What the unread bytes begin with.
pub(super) enum Step {
    /// A frame.
    Frame(Cut),
    /// Something else of this many bytes, dealt with.
    Other(usize),
    /// Something of no interest of this many bytes, which may reach far beyond those at hand.
    Skip(u64),
    /// A record of this many bytes, more than are at hand.
    Need(usize),
    /// Nothing that could be read on from.
    Damage(String),
}

/// A frame in a record of `total` bytes, `start` bytes behind the record's beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) time: Timestamp,
    pub(super) link: LinkType,
    pub(super) interface: u32,
    pub(super) original_len: u32,
    pub(super) start: usize,
    pub(super) len: u32,
    pub(super) total: usize,
}

/// Where a format's parser puts what it learns besides frames.
pub(super) struct Context<'a> {
    pub(super) inventory: &'a mut Inventory,
    pub(super) comments: &'a mut Vec<(Option<u64>, String)>,
    /// The input's name, for interfaces without one, and its index in the inventory.
    pub(super) name: &'a str,
    pub(super) input: usize,
    /// The number of the frame at hand, if it is one.
    pub(super) number: u64,
    /// What a condensate tells besides.
    pub(super) told: &'a mut Told,
}

/// What a condensate tells besides packets.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) head: Option<Head>,
    pub(super) tail: Option<Tail>,
    /// By interface, its file's place in the head and its number among that file's interfaces.
    pub(super) interfaces: Vec<(u32, u32)>,
    /// By frame since the last fill, where it stands in its file.
    pub(super) places: Vec<Place>,
}

impl Context<'_> {
    /// Its index in the inventory; beyond the bound that of the last.
    pub(super) fn add_interface(&mut self, mut interface: Interface) -> u32 {
        let text = [Some(&interface.name), interface.description.as_ref(), interface.filter.as_ref()];
        let bytes = text.into_iter().flatten().fold(self.inventory.interface_bytes, |sum, text| sum.saturating_add(text.len()));
        if bytes <= limits::INTERFACE_TEXT {
            self.inventory.interface_bytes = bytes;
        } else {
            interface.name = interface.name.chars().take(CUT_NAME).collect();
            (interface.description, interface.filter) = (None, None);
            self.inventory.interfaces_cut = self.inventory.interfaces_cut.saturating_add(1);
        }
        if self.inventory.interfaces.len() < limits::INTERFACES {
            self.inventory.interfaces.push(interface);
        }
        u32::try_from(self.inventory.interfaces.len().saturating_sub(1)).unwrap_or_default()
    }

    pub(super) fn add_comment(&mut self, frame: Option<u64>, text: String) {
        let bytes = self.inventory.comment_bytes.saturating_add(text.len());
        if self.inventory.comments.len().saturating_add(self.comments.len()) < limits::COMMENTS && bytes <= limits::COMMENT_BYTES {
            self.inventory.comment_bytes = bytes;
            self.comments.push((frame, text));
        } else {
            self.inventory.comments_left_out = self.inventory.comments_left_out.saturating_add(1);
        }
    }

    pub(super) fn add_name(&mut self, address: IpAddr, name: String) {
        let bytes = self.inventory.name_bytes.saturating_add(name.len());
        if self.inventory.names.len() < limits::RESOLVED_NAMES && bytes <= limits::RESOLVED_NAME_BYTES {
            self.inventory.name_bytes = bytes;
            self.inventory.names.push((address, name));
        }
    }

    pub(super) fn add_secret(&mut self, line: &[u8]) {
        let bytes = self.inventory.secret_bytes.saturating_add(line.len());
        if bytes <= limits::SECRET_BYTES {
            self.inventory.secret_bytes = bytes;
            self.inventory.secrets.push(line.to_owned());
        } else {
            self.inventory.secrets_left_out = self.inventory.secrets_left_out.saturating_add(1);
        }
    }
}

/// The byte order of a file or section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// The first two bytes; none when there are fewer.
    pub(super) fn u16(self, bytes: &[u8]) -> Option<u16> {
        let bytes = *bytes.first_chunk()?;
        Some(if self == Self::Little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    /// The first four bytes; none when there are fewer.
    pub(super) fn u32(self, bytes: &[u8]) -> Option<u32> {
        let bytes = *bytes.first_chunk()?;
        Some(if self == Self::Little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    /// The first eight bytes; none when there are fewer.
    pub(super) fn u64(self, bytes: &[u8]) -> Option<u64> {
        let bytes = *bytes.first_chunk()?;
        Some(if self == Self::Little { u64::from_le_bytes(bytes) } else { u64::from_be_bytes(bytes) })
    }

    /// Sixteen bytes as four numbers.
    pub(super) fn words(self, bytes: &[u8; 16]) -> [u32; 4] {
        let (words, _) = bytes.as_chunks::<4>();
        let mut numbers = [0; 4];
        for (number, &word) in numbers.iter_mut().zip(words) {
            *number = if self == Self::Little { u32::from_le_bytes(word) } else { u32::from_be_bytes(word) };
        }
        numbers
    }
}

/// Characters kept of an interface's name where there is no room for more.
const CUT_NAME: usize = 24;
