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

/// One of the sixteen values `0x0a0a`, `0x1a1a` … `0xfafa` that RFC 8701 reserves so that nobody relies on unknown values being absent.
pub(crate) const fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

#[cfg(test)]
mod tests {
    use super::*;

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
