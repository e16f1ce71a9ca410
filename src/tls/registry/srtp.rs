//! SRTP protection profiles.

use super::code_point;

code_point! {
    /// SRTP protection profile (RFC 5764 section 4.1.2; IANA registry "DTLS-SRTP Protection Profiles").
    SrtpProfile(u16), "#06x" {
        AES128_CM_HMAC_SHA1_80 = 0x0001 => "SRTP_AES128_CM_HMAC_SHA1_80",
        AES128_CM_HMAC_SHA1_32 = 0x0002 => "SRTP_AES128_CM_HMAC_SHA1_32",
        NULL_HMAC_SHA1_80 = 0x0005 => "SRTP_NULL_HMAC_SHA1_80",
        NULL_HMAC_SHA1_32 = 0x0006 => "SRTP_NULL_HMAC_SHA1_32",
        AEAD_AES_128_GCM = 0x0007 => "SRTP_AEAD_AES_128_GCM",
        AEAD_AES_256_GCM = 0x0008 => "SRTP_AEAD_AES_256_GCM",
    }
}
