//! Protocol versions, drafts and DTLS included.

use std::fmt;

/// Protocol version. Its order is that of the wire value; for old and new use [`ProtocolVersion::rank`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtocolVersion(pub u16);

impl ProtocolVersion {
    /// SSL 2.0.
    pub const SSL2: Self = Self(0x0002);
    /// SSL 3.0.
    pub const SSL3: Self = Self(0x0300);
    /// TLS 1.0.
    pub const TLS10: Self = Self(0x0301);
    /// TLS 1.1.
    pub const TLS11: Self = Self(0x0302);
    /// TLS 1.2.
    pub const TLS12: Self = Self(0x0303);
    /// TLS 1.3.
    pub const TLS13: Self = Self(0x0304);
    /// TLCP 1.1 (GB/T 38636, GM/T 0024): TLS 1.1 with the algorithms of China, and with two certificates, one to sign and one to encrypt.
    pub const TLCP: Self = Self(0x0101);
    /// DTLS before its standard, as OpenSSL had it until 0.9.8f and the AnyConnect protocol still has it.
    pub const DTLS09: Self = Self(0x0100);
    /// DTLS 1.0, which is TLS 1.1 over datagrams.
    pub const DTLS10: Self = Self(0xfeff);
    /// DTLS 1.2.
    pub const DTLS12: Self = Self(0xfefd);
    /// DTLS 1.3.
    pub const DTLS13: Self = Self(0xfefc);

    /// The version number in reports: `ssl2`, `ssl3`, `1.0` … `1.3`, the same for DTLS, `0.9` and `tlcp`; `None` for drafts and unknown values.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::SSL2 => Some("ssl2"),
            Self::SSL3 => Some("ssl3"),
            Self::DTLS09 => Some("0.9"),
            Self::TLCP => Some("tlcp"),
            Self::TLS10 | Self::DTLS10 => Some("1.0"),
            Self::TLS11 => Some("1.1"),
            Self::TLS12 | Self::DTLS12 => Some("1.2"),
            Self::TLS13 | Self::DTLS13 => Some("1.3"),
            _ => None,
        }
    }

    /// The version that prints so. DTLS is told apart by nothing: it is the TLS version that it follows.
    pub fn from_text(text: &str) -> Option<Self> {
        Some(match text {
            "ssl2" => Self::SSL2,
            "ssl3" => Self::SSL3,
            "tlcp" => Self::TLCP,
            "0.9" => Self::DTLS09,
            "1.0" => Self::TLS10,
            "1.1" => Self::TLS11,
            "1.2" => Self::TLS12,
            "1.3" => Self::TLS13,
            _ => match text.strip_prefix("1.3-draft") {
                Some(number) => Self(0x7f00 | u16::from(number.parse::<u8>().ok()?)),
                None => Self(u16::try_from(super::number(text)?).ok()?),
            },
        })
    }

    /// A GREASE value (RFC 8701).
    pub const fn is_grease(self) -> bool {
        super::is_grease(self.0)
    }

    /// The number of a TLS 1.3 draft (`0x7f00` and the number).
    pub const fn draft(self) -> Option<u8> {
        if self.0 >> 8 == 0x7f { Some((self.0 & 0xff) as u8) } else { None }
    }

    /// A DTLS version.
    pub const fn is_dtls(self) -> bool {
        self.0 >> 8 == 0xfe || self.0 == Self::DTLS09.0
    }

    /// TLS 1.3 or DTLS 1.3, one of their drafts, or one of the experiments that browsers made with them (`0x7e01` to `0x7e03`): what follows the `ServerHello` is encrypted.
    pub const fn is_tls13(self) -> bool {
        matches!(self, Self::TLS13 | Self::DTLS13) || self.draft().is_some() || matches!(self.0 >> 8, 0xfb | 0x7e)
    }

    /// The TLS version whose rules apply: DTLS 1.2 is TLS 1.2, every draft of 1.3 is TLS 1.3.
    #[must_use]
    pub const fn as_tls(self) -> Self {
        match self {
            Self::DTLS09 => Self::TLS10,
            // Its messages have the form of TLS 1.1.
            Self::DTLS10 | Self::TLCP => Self::TLS11,
            Self::DTLS12 => Self::TLS12,
            _ if self.is_tls13() => Self::TLS13,
            other => other,
        }
    }

    /// From old to new: drafts of 1.3 lie between 1.2 and 1.3 in their order, DTLS beside its TLS version, unknown values lowest. TLCP is no older
    /// than TLS 1.2, whose place it takes.
    pub const fn rank(self) -> u32 {
        match self.draft() {
            Some(number) => ((Self::TLS12.0 as u32) << 8) + 1 + number as u32 / 2,
            None if self.0 == Self::TLCP.0 => (Self::TLS12.0 as u32) << 8,
            None if self.name().is_some() => (self.as_tls().0 as u32) << 8,
            None if self.is_tls13() => ((Self::TLS12.0 as u32) << 8) + 0xff,
            None => 0,
        }
    }

    /// A name for sentences: `TLS 1.2`, `DTLS 1.2`, `SSL 3.0`, `TLS 1.3-draft23`, `version 0x0505`.
    pub const fn spoken(self) -> Spoken {
        Spoken(self)
    }
}

/// The schema's forms: `1.2`, `ssl3`, `1.3-draft23`, else hexadecimal.
impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name(), self.draft()) {
            (Some(name), _) => f.pad(name),
            (None, Some(number)) => write!(f, "1.3-draft{number}"),
            (None, None) => write!(f, "0x{:04x}", self.0),
        }
    }
}

/// A version as sentences name it; see [`ProtocolVersion::spoken`].
#[derive(Debug, Clone, Copy)]
pub struct Spoken(ProtocolVersion);

impl Spoken {
    /// The name of a version that is neither a draft nor unknown.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            ProtocolVersion::SSL2 => "SSL 2.0",
            ProtocolVersion::SSL3 => "SSL 3.0",
            ProtocolVersion::TLS10 => "TLS 1.0",
            ProtocolVersion::TLS11 => "TLS 1.1",
            ProtocolVersion::TLS12 => "TLS 1.2",
            ProtocolVersion::TLS13 => "TLS 1.3",
            ProtocolVersion::TLCP => "TLCP 1.1",
            ProtocolVersion::DTLS09 => "DTLS 0.9 (before the standard)",
            ProtocolVersion::DTLS10 => "DTLS 1.0",
            ProtocolVersion::DTLS12 => "DTLS 1.2",
            ProtocolVersion::DTLS13 => "DTLS 1.3",
            _ => return None,
        })
    }
}

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None if self.0.draft().is_some() => write!(f, "TLS {}", self.0),
            None => write!(f, "version {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_the_forms_of_the_schema() {
        let forms = [
            (0x0002, "ssl2"),
            (0x0300, "ssl3"),
            (0x0301, "1.0"),
            (0x0304, "1.3"),
            (0x7f17, "1.3-draft23"),
            (0xfb17, "0xfb17"),
            (0xfefd, "1.2"),
            (0x0100, "0.9"),
            (0x0101, "tlcp"),
            (0x0a0a, "0x0a0a"),
        ];
        for (value, form) in forms {
            assert_eq!(ProtocolVersion(value).to_string(), form);
        }
        assert_eq!(ProtocolVersion::SSL3.spoken().to_string(), "SSL 3.0");
        assert_eq!(ProtocolVersion::DTLS12.spoken().to_string(), "DTLS 1.2");
        assert_eq!(ProtocolVersion(0x0505).spoken().to_string(), "version 0x0505");
    }

    #[test]
    fn drafts_and_experiments_follow_tls_1_3_and_unknown_versions_nothing() {
        for version in [0x7f12, 0x7e01, 0x7e02, 0xfb17].map(ProtocolVersion) {
            assert!(version.is_tls13() && version.as_tls() == ProtocolVersion::TLS13 && version.rank() > ProtocolVersion::TLS12.rank());
        }
        for version in [0x0505, 0x0a0a, 0x7d01].map(ProtocolVersion) {
            assert!(!version.is_tls13() && version.as_tls() == version && version.rank() == 0);
        }
    }

    #[test]
    fn ranks_old_before_new() {
        let order = [0x0a0a, 0x0002, 0x0300, 0x0302, 0x0303, 0x7f12, 0x7f17, 0xfb17, 0x0304].map(|value| ProtocolVersion(value).rank());
        assert!(order.is_sorted_by(|a, b| a < b), "{order:x?}");
        assert!(ProtocolVersion::DTLS12.rank() > ProtocolVersion::DTLS10.rank());
    }

    #[test]
    fn datagram_versions_follow_their_tls_version() {
        assert!(!ProtocolVersion::DTLS12.is_tls13() && ProtocolVersion::DTLS13.is_tls13());
        assert_eq!(ProtocolVersion(0x7f1c).as_tls(), ProtocolVersion::TLS13);
        assert_eq!(ProtocolVersion::DTLS10.as_tls(), ProtocolVersion::TLS11);
    }
}
