//! The smaller handshake messages, and alerts.

mod compressed;
mod ocsp;

use super::bytes::{Cursor, extensions, items8, list16, u16s};
use super::registry::{AlertDescription, ExtensionType, KeyExchange, NamedGroup, ProtocolVersion, SignatureScheme};
use crate::limits;

pub use compressed::decompress_certificate;
pub use ocsp::{OcspStaple, OcspStatus};

/// `ServerKeyExchange` of TLS ≤ 1.2 (RFC 5246 section 7.4.3, RFC 8422 section 5.4), as far as readable without knowing the suite beyond its key exchange.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerKeyExchange {
    /// ECDHE: the curve.
    pub group: Option<NamedGroup>,
    /// DHE: bits of the prime.
    pub dh_bits: Option<u32>,
    /// Export-grade RSA: bits of the temporary modulus.
    pub rsa_bits: Option<u32>,
    /// The signature's algorithm (TLS 1.2).
    pub signature_scheme: Option<SignatureScheme>,
    /// PSK identity hint length, if present.
    pub psk_hint: Option<usize>,
    /// The bytes that are signed after `client_random` + `server_random` (the params).
    pub params: Box<[u8]>,
    /// The signature; empty where the key exchange has none.
    pub signature: Box<[u8]>,
}

impl ServerKeyExchange {
    /// Reads a message body for this key exchange and version. `None` when its parameters are not all there, or the key exchange has no such
    /// message.
    pub fn parse(body: &[u8], exchange: KeyExchange, version: ProtocolVersion) -> Option<Self> {
        use KeyExchange as K;
        let mut cursor = Cursor::new(body);
        let mut message = Self::default();
        if matches!(exchange, K::Psk | K::DhePsk | K::EcdhePsk | K::RsaPsk) {
            message.psk_hint = Some(cursor.vec16()?.len());
        }
        let params_at = cursor.rest();
        match exchange {
            K::EcdheRsa | K::EcdheEcdsa | K::EcdhePsk | K::EcdhAnon => {
                match cursor.u8()? {
                    // explicit_prime: p, a, b, base, order, cofactor; explicit_char2 is not read
                    1 => {
                        for _ in 0..6 {
                            cursor.vec8()?;
                        }
                    }
                    3 => message.group = Some(NamedGroup(cursor.u16()?)),
                    _ => return None,
                }
                cursor.vec8()?;
            }
            K::DheRsa | K::DheDss | K::DhePsk | K::DhAnon => {
                message.dh_bits = Some(bits(cursor.vec16()?));
                cursor.vec16()?;
                cursor.vec16()?;
            }
            K::RsaExport => {
                message.rsa_bits = Some(bits(cursor.vec16()?));
                cursor.vec16()?;
            }
            K::Srp => {
                cursor.vec16()?;
                cursor.vec16()?;
                cursor.vec8()?;
                cursor.vec16()?;
            }
            K::Psk | K::RsaPsk => {}
            _ => return None,
        }
        let params_len = params_at.len() - cursor.rest().len();
        message.params = params_at.get(..params_len)?.into();
        let signed = matches!(exchange, K::EcdheRsa | K::EcdheEcdsa | K::DheRsa | K::DheDss | K::RsaExport)
            || exchange == K::Srp && !cursor.is_empty();
        if signed {
            if version.as_tls() == ProtocolVersion::TLS12 {
                message.signature_scheme = Some(SignatureScheme(cursor.u16()?));
            }
            message.signature = cursor.vec16()?.into();
        }
        Some(message)
    }
}

/// `CertificateRequest` (RFC 5246 section 7.4.4; decrypted, RFC 8446 section 4.3.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CertificateRequest {
    /// Client certificate types; empty in TLS 1.3.
    pub certificate_types: Vec<u8>,
    /// Signature algorithms; empty before TLS 1.2.
    pub signature_algorithms: Vec<SignatureScheme>,
    /// Acceptable authorities' names, readable form, up to [`limits::AUTHORITIES`].
    pub authorities: Vec<String>,
    /// How many there were.
    pub authorities_total: usize,
}

impl CertificateRequest {
    /// Reads a message body for this version. `None` when it is cut short.
    pub fn parse(body: &[u8], version: ProtocolVersion) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        let mut message = Self::default();
        let names = if version.is_tls13() {
            cursor.vec8()?;
            let list = cursor.vec16()?;
            let of = |kind: ExtensionType| extensions(list).find(|(found, _)| *found == kind.0).map_or(&[][..], |(_, body)| body);
            message.signature_algorithms = u16s(list16(of(ExtensionType::SIGNATURE_ALGORITHMS))).map(SignatureScheme).collect();
            list16(of(ExtensionType::CERTIFICATE_AUTHORITIES))
        } else {
            message.certificate_types = cursor.vec8()?.to_vec();
            if version.as_tls() == ProtocolVersion::TLS12 {
                message.signature_algorithms = u16s(cursor.vec16()?).map(SignatureScheme).collect();
            }
            cursor.vec16()?
        };
        let mut names = Cursor::new(names);
        while let Some(name) = names.vec16() {
            if message.authorities.len() < limits::AUTHORITIES {
                message.authorities.push(readable_name(name));
            }
            message.authorities_total += 1;
        }
        Some(message)
    }
}

/// An alert in clear (or decrypted).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alert {
    /// The sender gives up. By its level; TLS 1.3 ignores levels: there all but `close_notify` and `user_canceled` are fatal.
    pub fatal: bool,
    /// Level as sent: 1 warning, 2 fatal.
    pub level: u8,
    /// Description.
    pub description: AlertDescription,
}

impl Alert {
    /// Reads an alert record's body. `None` unless it is exactly two bytes: anything else is encrypted or no alert.
    pub const fn parse(body: &[u8]) -> Option<Self> {
        let [level, description] = body else { return None };
        Some(Self { fatal: *level != 1, level: *level, description: AlertDescription(*description) })
    }

    /// The same for TLS 1.3, where the level says nothing (RFC 8446 section 6).
    #[must_use]
    pub const fn in_tls13(self) -> Self {
        let fatal = !matches!(self.description, AlertDescription::CLOSE_NOTIFY | AlertDescription::USER_CANCELED);
        Self { fatal, ..self }
    }
}

/// `NewSessionTicket` in clear (TLS ≤ 1.2, RFC 5077 section 3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionTicket {
    /// Lifetime hint in seconds; zero leaves it to the client.
    pub lifetime_hint: u32,
    /// Bytes of the ticket; zero: the server issues none after all.
    pub len: usize,
    /// The ticket, where it is to be recognised.
    pub kept: Option<Box<[u8]>>,
}

impl SessionTicket {
    /// Reads a message body; keeps the ticket if asked to.
    pub fn parse(body: &[u8], keep: bool) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        let (lifetime_hint, ticket) = (cursor.u32()?, cursor.vec16()?);
        Some(Self { lifetime_hint, len: ticket.len(), kept: (keep && !ticket.is_empty()).then(|| ticket.into()) })
    }
}

/// `EncryptedExtensions`, decrypted (RFC 8446 section 4.3.1): read in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncryptedExtensions<'a> {
    list: &'a [u8],
}

impl<'a> EncryptedExtensions<'a> {
    /// Reads a message body.
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        Some(Self { list: Cursor::new(body).vec16()? })
    }

    /// Type and body of each extension, in order.
    pub fn extensions(&self) -> impl Iterator<Item = (ExtensionType, &'a [u8])> + use<'a> {
        extensions(self.list).map(|(kind, body)| (ExtensionType(kind), body))
    }

    /// The application protocol chosen.
    pub fn alpn(&self) -> Option<&'a [u8]> {
        self.extensions().find(|(kind, _)| *kind == ExtensionType::ALPN).and_then(|(_, body)| items8(list16(body)).next())
    }

    /// The server takes early data.
    pub fn accepts_early_data(&self) -> bool {
        self.extensions().any(|(kind, _)| kind == ExtensionType::EARLY_DATA)
    }
}

/// The certificates of a Certificate message of TLS ≤ 1.2 (RFC 5246 section 7.4.2), DER; ends at the first that is not whole.
pub fn certificate_list(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut outer = Cursor::new(body);
    let len = outer.u24().unwrap_or(0);
    let mut list = Cursor::new(outer.at_most(len));
    std::iter::from_fn(move || list.vec24())
}

/// The entries of a decrypted Certificate message of TLS 1.3 (RFC 8446 section 4.4.2): DER, and the entry's list of extensions without its
/// length (see [`entry_extensions`]).
pub fn certificate_list_13(body: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut outer = Cursor::new(body);
    let len = outer.vec8().and_then(|_| outer.u24()).unwrap_or(0);
    let mut list = Cursor::new(outer.at_most(len));
    std::iter::from_fn(move || Some((list.vec24()?, list.vec16()?)))
}

/// Type and body of the extensions of a certificate entry.
pub fn entry_extensions(list: &[u8]) -> impl Iterator<Item = (ExtensionType, &[u8])> {
    extensions(list).map(|(kind, body)| (ExtensionType(kind), body))
}

/// Significant bits of a big-endian integer.
fn bits(integer: &[u8]) -> u32 {
    let start = integer.iter().position(|byte| *byte != 0).unwrap_or(integer.len());
    let rest = integer.get(start..).unwrap_or(&[]);
    let first = rest.first().map_or(0, |byte| byte.leading_zeros());
    u32::try_from(rest.len()).unwrap_or(0).saturating_mul(8).saturating_sub(first)
}

/// A distinguished name as text: `C=US, O=Example, CN=Example Root`; the hexadecimal DER when it does not parse.
fn readable_name(der: &[u8]) -> String {
    use x509_parser::prelude::FromDer as _;
    match x509_parser::x509::X509Name::from_der(der) {
        Ok((_, name)) => name.to_string(),
        Err(_) => data_encoding::HEXLOWER.encode(der.get(..der.len().min(32)).unwrap_or(&[])),
    }
}

#[cfg(test)]
mod tests;
