//! HelloVerifyRequest (RFC 6347 section 4.2.1): the server asks for the hello again, with a cookie, before it spends anything on it.

use crate::tls::registry::ProtocolVersion;

/// A `HelloVerifyRequest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelloVerifyRequest {
    /// `server_version`: DTLS 1.0 whatever will be chosen (RFC 6347 section 4.2.1).
    pub version: ProtocolVersion,
    /// The cookie to return.
    pub cookie: Box<[u8]>,
}

impl HelloVerifyRequest {
    /// Reads a message body. `None` when it is cut short.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let (&[high, low, len], behind) = body.split_first_chunk::<3>()?;
        let cookie = behind.get(..usize::from(len))?;
        Some(Self { version: ProtocolVersion(u16::from_be_bytes([high, low])), cookie: cookie.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_cookie() {
        let message = HelloVerifyRequest::parse(&[0xfe, 0xff, 3, 1, 2, 3]).unwrap();
        assert_eq!((message.version, &*message.cookie), (ProtocolVersion::DTLS10, &[1, 2, 3][..]));
        assert_eq!(HelloVerifyRequest::parse(&[0xfe, 0xff, 4, 1, 2, 3]), None);
    }
}
