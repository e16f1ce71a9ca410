//! QUIC versions: 1 (RFC 9000), 2 (RFC 9369), the IETF drafts that were deployed, and those of mvfst and Google.

use std::fmt;

/// A version number. Unknown values are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u32);

impl Version {
    /// The value that marks a Version Negotiation packet.
    pub const NEGOTIATION: Self = Self(0);
    /// QUIC version 1.
    pub const V1: Self = Self(0x0000_0001);
    /// QUIC version 2.
    pub const V2: Self = Self(0x6b33_43cf);

    /// The IETF draft whose wire image and keys it has, for drafts and what was built on them.
    pub const fn draft(self) -> Option<u8> {
        match self.0 {
            0xff00_0016..=0xff00_0022 => Some((self.0 & 0xff) as u8),
            0xface_b001 => Some(22),
            // T050 and T051 differ from draft 27 by their salt and frame types.
            0xface_b002..=0xface_b00f | T050 | T051 => Some(27),
            _ => None,
        }
    }

    /// A version with TLS in CRYPTO frames whose Initial packets can be opened.
    pub const fn is_known(self) -> bool {
        self.0 == Self::V1.0 || self.0 == Self::V2.0 || self.draft().is_some()
    }

    /// Google's versions with its own crypto handshake instead of TLS (`Q043`, `Q046`, `Q050`).
    pub const fn is_google(self) -> bool {
        let [letter, zero, tens, ones] = self.0.to_be_bytes();
        letter == b'Q' && zero == b'0' && tens.is_ascii_digit() && ones.is_ascii_digit()
    }

    /// Reserved to exercise version negotiation (RFC 9000 section 15): chosen by nobody.
    pub const fn is_grease(self) -> bool {
        self.0 & 0x0f0f_0f0f == 0x0a0a_0a0a
    }

    /// The packet types have version 2's code points (RFC 9369 section 3.2).
    pub const fn has_v2_types(self) -> bool {
        self.0 == Self::V2.0
    }

    /// Google's versions with TLS (`T050`, `T051`), whose frames have types of their own.
    pub const fn has_google_frames(self) -> bool {
        matches!(self.0, T050 | T051)
    }

    /// The salt of the Initial secrets; `None` for versions that are not known.
    pub const fn initial_salt(self) -> Option<&'static [u8; 20]> {
        match (self, self.draft()) {
            (Self::V1, _) | (_, Some(33..=34)) => Some(&SALT_V1),
            (Self::V2, _) => Some(&SALT_V2),
            (Self(T050), _) => Some(&SALT_T050),
            (Self(T051), _) => Some(&SALT_T051),
            (_, Some(29..=32)) => Some(&SALT_29),
            (_, Some(23..=28)) => Some(&SALT_23),
            (_, Some(_)) => Some(&SALT_22),
            (_, None) => None,
        }
    }
}

/// `1`, `2`, `draft-29`, `Q046`, `T051`, `mvfst-1`, else hexadecimal.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.to_be_bytes();
        match *self {
            Self::V1 => f.write_str("1"),
            Self::V2 => f.write_str("2"),
            Self(0xff00_0001..=0xff00_00ff) => write!(f, "draft-{:02}", self.0 & 0xff),
            Self(0xface_b000..=0xface_b0ff) => write!(f, "mvfst-{:x}", self.0 & 0xff),
            _ if matches!(bytes, [b'Q' | b'T', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9']) => {
                bytes.iter().try_for_each(|byte| write!(f, "{}", char::from(*byte)))
            }
            _ => write!(f, "0x{:08x}", self.0),
        }
    }
}

const T050: u32 = u32::from_be_bytes(*b"T050");
const T051: u32 = u32::from_be_bytes(*b"T051");

/// RFC 9001 section 5.2, also drafts 33 and 34.
const SALT_V1: [u8; 20] =
    [0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a];
/// RFC 9369 section 3.3.1.
const SALT_V2: [u8; 20] =
    [0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9];
/// draft-ietf-quic-tls-29 to 32.
const SALT_29: [u8; 20] =
    [0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99];
/// draft-ietf-quic-tls-23 to 28.
const SALT_23: [u8; 20] =
    [0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02];
/// draft-ietf-quic-tls-22.
const SALT_22: [u8; 20] =
    [0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a, 0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd, 0x7a, 0x02, 0x64, 0x4a];
/// Google's QUIC with TLS.
const SALT_T050: [u8; 20] =
    [0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80, 0x30, 0x4c, 0x43, 0xa2, 0x36, 0x7c, 0x60, 0x48, 0x83, 0x10];
/// Google's QUIC with TLS.
const SALT_T051: [u8; 20] =
    [0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50, 0x6c, 0x19, 0x12, 0x4f, 0xc8, 0xcc, 0xda, 0x6e, 0x03, 0x3d];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_in_use() {
        let names = [
            (0x0000_0001, "1"),
            (0x6b33_43cf, "2"),
            (0xff00_001d, "draft-29"),
            (0xface_b002, "mvfst-2"),
            (0x5130_3436, "Q046"),
            (0x5430_3531, "T051"),
            (0x1a2a_3a4a, "0x1a2a3a4a"),
        ];
        for (value, name) in names {
            assert_eq!(Version(value).to_string(), name);
        }
        assert!(Version(0x1a2a_3a4a).is_grease() && !Version::V1.is_grease());
        assert!(Version(0x5130_3436).is_google() && !Version(0x5130_3436).is_known());
    }

    #[test]
    fn drafts_have_the_salts_of_their_time() {
        assert_eq!(Version(0xff00_0016).initial_salt(), Some(&SALT_22));
        assert_eq!(Version(0xff00_001c).initial_salt(), Some(&SALT_23));
        assert_eq!(Version(0xff00_001d).initial_salt(), Some(&SALT_29));
        assert_eq!(Version(0xff00_0022).initial_salt(), Some(&SALT_V1));
        assert_eq!(Version(0xff00_0015).initial_salt(), None);
    }
}
