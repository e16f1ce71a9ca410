//! Code points as newtypes over the wire integer, with the names IANA gives them.
//!
//! Every value that can stand on the wire can be held: unknown and GREASE values (RFC 8701) survive to the report, where they print as
//! hexadecimal. A name is never invented.

mod alert;
mod cipher;
mod cipher_rows;
mod extension;
mod group;
mod key_exchange;
mod message;
mod openssl;
mod signature;
mod srtp;
mod version;

pub use alert::AlertDescription;
pub use cipher::{CipherSuite, Weakness, sslv2_cipher_name};
pub use cipher_rows::Registered;
pub use extension::ExtensionType;
pub use group::NamedGroup;
pub use key_exchange::KeyExchange;
pub use message::{CompressionAlgorithm, ContentType, HandshakeType};
pub use signature::{SignatureKey, SignatureScheme};
pub use srtp::SrtpProfile;
pub use version::{ProtocolVersion, Spoken};

/// A newtype with its named values: `Constant = value => "name"`.
macro_rules! code_point {
    ($(#[$doc:meta])* $name:ident($int:ty), $width:literal { $($konst:ident = $value:literal => $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);

        impl $name {
            $(
                #[doc = concat!("`", $text, "`.")]
                pub const $konst: Self = Self($value);
            )*

            /// The registered name; `None` for values without one, GREASE among them.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }

            /// The value that prints so: a registered name, or what [`Display`](std::fmt::Display) makes of a value without one.
            pub fn from_text(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self($value)),)*
                    _ => $crate::tls::registry::number(text).and_then(|value| <$int>::try_from(value).ok()).map(Self),
                }
            }
        }

        /// The name, or the value in hexadecimal (alerts: in decimal, as everybody knows them).
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.pad(name),
                    None => write!(f, concat!("{:", $width, "}"), self.0),
                }
            }
        }
    };
}
pub(crate) use code_point;

/// A value without a name as it prints: hexadecimal behind `0x`, else decimal.
fn number(text: &str) -> Option<u32> {
    text.strip_prefix("0x").map_or_else(|| text.parse(), |digits| u32::from_str_radix(digits, 16)).ok()
}

/// One of the sixteen values `0x0a0a`, `0x1a1a` … `0xfafa` that RFC 8701 reserves so that nobody relies on unknown values being absent.
pub(crate) const fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_prints_can_be_read_again() {
        for value in (0..=u16::MAX).step_by(3).chain([0x1301, 0x11ec, 0xfefd, 0x0303, 0x0002]) {
            assert_eq!(NamedGroup::from_text(&NamedGroup(value).to_string()), Some(NamedGroup(value)));
            assert_eq!(SignatureScheme::from_text(&SignatureScheme(value).to_string()), Some(SignatureScheme(value)));
            let suite = CipherSuite(value).to_string();
            assert_eq!(CipherSuite::from_text(&suite).map(|read| read.to_string()), Some(suite));
            let version = ProtocolVersion(value);
            assert_eq!(ProtocolVersion::from_text(&version.to_string()).map(ProtocolVersion::as_tls), Some(version.as_tls()), "{version}");
        }
        assert_eq!((NamedGroup::from_text("x25518"), CipherSuite::from_text("0x12345"), NamedGroup::from_text("")), (None, None, None));
    }

    #[test]
    fn grease_has_two_equal_bytes() {
        let all: Vec<u16> = (0..=u16::MAX).filter(|value| is_grease(*value)).collect();
        assert_eq!(all.len(), 16);
        assert_eq!((all[0], all[1], all[15]), (0x0a0a, 0x1a1a, 0xfafa));
        assert!(!is_grease(0x0a1a));
    }

    #[test]
    fn unknown_values_print_as_numbers() {
        assert_eq!(CipherSuite(0x0a0a).to_string(), "0x0a0a");
        assert_eq!(AlertDescription(0x07).to_string(), "7");
        assert_eq!(NamedGroup(0x11ec).to_string(), "X25519MLKEM768");
        assert_eq!(format!("{:>8}|", ContentType::ALERT), "   alert|");
    }
}
