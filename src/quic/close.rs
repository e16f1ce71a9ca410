//! Codes of CONNECTION_CLOSE (RFC 9000 section 20.1, RFC 9001 section 4.8).

use std::borrow::Cow;

/// The TLS alert that a transport code stands for: `CRYPTO_ERROR` is 0x0100 plus the alert's description.
pub const fn alert(code: u64) -> Option<u8> {
    if code >> 8 == 1 { Some((code & 0xff) as u8) } else { None }
}

/// The name of a transport code: `CONNECTION_REFUSED`, `CRYPTO_ERROR 0x128`, else hexadecimal.
pub fn name(code: u64) -> Cow<'static, str> {
    Cow::Borrowed(match code {
        NO_ERROR => "NO_ERROR",
        0x01 => "INTERNAL_ERROR",
        CONNECTION_REFUSED => "CONNECTION_REFUSED",
        0x03 => "FLOW_CONTROL_ERROR",
        0x04 => "STREAM_LIMIT_ERROR",
        0x05 => "STREAM_STATE_ERROR",
        0x06 => "FINAL_SIZE_ERROR",
        0x07 => "FRAME_ENCODING_ERROR",
        0x08 => "TRANSPORT_PARAMETER_ERROR",
        0x09 => "CONNECTION_ID_LIMIT_ERROR",
        0x0a => "PROTOCOL_VIOLATION",
        INVALID_TOKEN => "INVALID_TOKEN",
        APPLICATION_ERROR => "APPLICATION_ERROR",
        0x0d => "CRYPTO_BUFFER_EXCEEDED",
        0x0e => "KEY_UPDATE_ERROR",
        0x0f => "AEAD_LIMIT_REACHED",
        0x10 => "NO_VIABLE_PATH",
        0x11 => "VERSION_NEGOTIATION_ERROR",
        _ if alert(code).is_some() => return Cow::Owned(format!("CRYPTO_ERROR 0x{code:x}")),
        _ => return Cow::Owned(format!("0x{code:x}")),
    })
}

/// Closed without an error.
pub const NO_ERROR: u64 = 0x00;
/// The server refuses new connections.
pub const CONNECTION_REFUSED: u64 = 0x02;
/// The token of an Initial packet is not valid.
pub const INVALID_TOKEN: u64 = 0x0b;
/// The application closed, and its code must not be shown in an Initial or Handshake packet.
pub const APPLICATION_ERROR: u64 = 0x0c;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crypto_error_carries_an_alert() {
        assert_eq!(alert(0x178), Some(120));
        assert_eq!(alert(0x0b), None);
        assert_eq!(alert(0x228), None);
        assert_eq!(name(0x128), "CRYPTO_ERROR 0x128");
        assert_eq!(name(0x0b), "INVALID_TOKEN");
    }
}
