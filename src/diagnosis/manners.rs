//! What each TLS library says and does when it does not take what the other side presents: the one table that every rule asks before it reads
//! an alert or a silent close.
//!
//! A code means what the library that sends it means. Rows name the source they are taken from: the library's own mapping of verification
//! errors to alerts, or what it was seen to do. [`ANYBODY`] is what a code can mean where the library is not known.

use std::time::Duration;

use super::cause::Cause;
use crate::handshake::stack::{Program, Speaker, Stack};

/// An alert's code, and what it can mean, likeliest first.
type Row = (u8, &'static [Cause]);

/// What a client's alert about the server's certificate can mean, likeliest first; `None`: nothing about a certificate.
pub fn meanings(client: Option<Speaker>, code: u8) -> Option<&'static [Cause]> {
    let known = client.map_or(&[][..], |speaker| rows(speaker.stack));
    let find = |rows: &'static [Row]| rows.iter().find(|row| row.0 == code).map(|row| row.1);
    find(known).or_else(|| find(ANYBODY))
}

/// This library has a code of its own for an authority that it does not know, and this is not it: a private authority then explains nothing.
pub fn speaks_of_unknown_ca_otherwise(client: Option<Speaker>, code: u8) -> bool {
    let Some(speaker) = client else { return false };
    let own = matches!(speaker.stack, Stack::OpenSsl | Stack::Nss | Stack::Rustls | Stack::MbedTls | Stack::WolfSsl | Stack::Erlang);
    own && code != 48
}

/// Programs on this library look at the certificate when the handshake is done, and leave without an alert that could be read.
pub fn checks_afterwards(client: Option<Speaker>) -> bool {
    client.is_some_and(|speaker| speaker.stack == Stack::GnuTls || matches!(speaker.program, Some(Program::Curl | Program::Node)))
}

/// How long this library keeps silent about an error before it closes: s2n-tls does so against timing attacks
/// (`s2n_connection_get_delay`, 10 to 30 s, then `close_notify`).
pub fn blinding(client: Option<Speaker>) -> Option<(Duration, Duration)> {
    client.is_some_and(|speaker| speaker.stack == Stack::S2n).then_some(BLINDING)
}

/// Bounds of s2n-tls's silence, with room for the path.
pub const BLINDING: (Duration, Duration) = (Duration::from_millis(9_900), Duration::from_secs(31));

fn rows(stack: Stack) -> &'static [Row] {
    match stack {
        Stack::OpenSsl => OPENSSL,
        Stack::Nss => NSS,
        Stack::Jsse => JSSE,
        Stack::Rustls => RUSTLS,
        Stack::MbedTls => MBED_TLS,
        Stack::Erlang => ERLANG,
        Stack::GnuTls
        | Stack::Go
        | Stack::BoringSsl
        | Stack::Schannel
        | Stack::Apple
        | Stack::WolfSsl
        | Stack::S2n
        | Stack::Botan
        | Stack::TlsLite => &[],
    }
}

use Cause as C;

/// Whatever can be wrong with a certificate, in the order in which one explains the other.
pub const WHATEVER: &[Cause] = &[
    C::ChainMisordered,
    C::CertificateExpired,
    C::CertificateNotYetValid,
    C::CertificateRevoked,
    C::CertificateWrongUsage,
    C::CertificateConstraints,
    C::CertificateWeakSignature,
    C::CertificateWeakKey,
    C::IntermediateExpired,
    C::DefaultCertificate,
    C::CertificateNameMismatch,
    C::CertificateSelfSigned,
    C::MustStapleMissing,
    C::ChainTooLarge,
    C::CertificateUnsupported,
    C::ChainIncomplete,
    C::CertificateUntrustedCa,
];

/// The same, where a chain is verified before its names are looked at (JSSE, Chromium).
const CHAIN_FIRST: &[Cause] = &[
    C::ChainMisordered,
    C::CertificateExpired,
    C::CertificateNotYetValid,
    C::CertificateRevoked,
    C::CertificateConstraints,
    C::CertificateUnsupported,
    C::CertificateWrongUsage,
    C::CertificateWeakSignature,
    C::CertificateWeakKey,
    C::IntermediateExpired,
    C::DefaultCertificate,
    C::CertificateSelfSigned,
    C::CertificateNameMismatch,
    C::MustStapleMissing,
    C::ChainTooLarge,
    C::ChainIncomplete,
    C::CertificateUntrustedCa,
];

/// What leads to an authority that is not known.
const UNKNOWN_CA: &[Cause] = &[
    C::DefaultCertificate,
    C::ChainMisordered,
    C::CertificateConstraints,
    C::CertificateSelfSigned,
    C::ChainIncomplete,
    C::IntermediateExpired,
    C::CertificateUntrustedCa,
];

/// Every library. Go and GnuTLS say 42 of everything, Chromium and JSSE (TLS 1.3) say 46 of everything.
const ANYBODY: &[Row] = &[
    (10, &[C::ChainTooLarge]),
    (22, &[C::ChainTooLarge]),
    (
        40,
        &[
            C::ChainMisordered,
            C::CertificateExpired,
            C::CertificateNotYetValid,
            C::CertificateWrongUsage,
            C::CertificateConstraints,
            C::CertificateWeakSignature,
            C::CertificateWeakKey,
        ],
    ),
    (42, WHATEVER),
    (
        43,
        &[
            C::CertificateWrongUsage,
            C::CertificateUnsupported,
            C::CertificateWeakKey,
            C::CertificateWeakSignature,
            C::CertificateConstraints,
            C::ChainMisordered,
        ],
    ),
    (44, &[C::CertificateRevoked]),
    (45, &[C::CertificateExpired, C::IntermediateExpired, C::CertificateNotYetValid, C::CertificateRevoked]),
    (46, CHAIN_FIRST),
    (47, &[C::ChainTooLarge]),
    (48, UNKNOWN_CA),
    (49, WHATEVER),
    (50, &[C::ChainTooLarge]),
    (51, &[C::ChainMisordered, C::CertificateWeakKey, C::CertificateWeakSignature]),
    (71, &[C::CertificateWeakKey, C::CertificateWeakSignature]),
    // GnuTLS says so of a key usage that forbids what the key is used for, and programs whose own check says no without a reason.
    (80, &[C::ChainTooLarge, C::CertificateWrongUsage]),
    (113, &[C::CertificateRevoked, C::MustStapleMissing]),
];

/// OpenSSL, by `x509table` in ssl/statem/statem_lib.c. Only what the table names has a code of its own; the rest is 46.
const OPENSSL: &[Row] = &[
    // X509_V_ERR_CERT_NOT_YET_VALID, HOSTNAME_MISMATCH, IP_ADDRESS_MISMATCH, EE_KEY_TOO_SMALL, CA_KEY_TOO_SMALL, CA_MD_TOO_WEAK,
    // EC_KEY_EXPLICIT_PARAMS, CRL_NOT_YET_VALID, DANE_NO_MATCH, CERT_REJECTED. Never an authority that is not known.
    (
        42,
        &[
            C::CertificateNotYetValid,
            C::CertificateWeakSignature,
            C::CertificateWeakKey,
            C::DefaultCertificate,
            C::CertificateNameMismatch,
            C::CertificateUnsupported,
        ],
    ),
    // X509_V_ERR_CERT_HAS_EXPIRED and CRL_HAS_EXPIRED.
    (45, &[C::CertificateExpired, C::IntermediateExpired]),
    // What the table does not name: UNHANDLED_CRITICAL_EXTENSION, PERMITTED_VIOLATION, EXCLUDED_VIOLATION, KEYUSAGE_NO_CERTSIGN,
    // MISSING_AUTHORITY_KEY_IDENTIFIER and the like under X509_V_FLAG_X509_STRICT.
    (46, &[C::CertificateUnsupported, C::CertificateConstraints, C::CertificateWrongUsage, C::ChainMisordered, C::MustStapleMissing]),
    // X509_V_ERR_UNSPECIFIED: the program's own verify callback said no and gave no reason (stunnel's checkHost, IO::Socket::SSL, pins).
    (
        80,
        &[
            C::CertificateExpired,
            C::CertificateNotYetValid,
            C::CertificateWrongUsage,
            C::DefaultCertificate,
            C::CertificateNameMismatch,
            C::ChainTooLarge,
        ],
    ),
];

/// NSS, by `ssl_SetCertVerifyAlert` (`tls13con.c`, `ssl3con.c`: `SSL_ERROR_BAD_CERT_ALERT` by default).
const NSS: &[Row] = &[
    (42, &[C::DefaultCertificate, C::CertificateNameMismatch, C::ChainMisordered, C::CertificateWeakSignature, C::CertificateWeakKey]),
    (46, &[C::CertificateUnsupported, C::CertificateConstraints, C::CertificateWeakKey, C::CertificateWeakSignature]),
];

/// JSSE, by `CertificateMessage.getCertificateAlert`. TLS 1.3 says 46 of what is not listed.
const JSSE: &[Row] = &[
    // INVALID_SIGNATURE and NOT_YET_VALID.
    (42, &[C::CertificateNotYetValid, C::ChainMisordered]),
    // ALGORITHM_CONSTRAINED.
    (
        43,
        &[
            C::CertificateWeakSignature,
            C::CertificateWeakKey,
            C::CertificateWrongUsage,
            C::CertificateUnsupported,
            C::CertificateConstraints,
        ],
    ),
];

/// rustls, by `From<CertificateError> for AlertDescription`.
const RUSTLS: &[Row] = &[
    // NotValidForName, BadEncoding, UnhandledCriticalExtension.
    (42, &[C::DefaultCertificate, C::CertificateNameMismatch, C::CertificateUnsupported, C::CertificateConstraints]),
    // Expired and NotValidYet.
    (45, &[C::CertificateExpired, C::CertificateNotYetValid, C::IntermediateExpired]),
];

/// Mbed TLS, by `mbedtls_ssl_verify_certificate`.
const MBED_TLS: &[Row] = &[
    // MBEDTLS_X509_BADCERT_CN_MISMATCH.
    (42, &[C::DefaultCertificate, C::CertificateNameMismatch]),
    // What has no code of its own, MBEDTLS_X509_BADCERT_FUTURE among it.
    (46, &[C::CertificateNotYetValid, C::CertificateWeakSignature, C::CertificateWeakKey, C::ChainMisordered]),
];

/// Erlang/OTP, by `ssl_handshake:path_validation_alert`.
const ERLANG: &[Row] = &[
    // selfsigned_peer, hostname_check_failed, invalid_issuer, invalid_signature.
    (
        42,
        &[
            C::CertificateSelfSigned,
            C::DefaultCertificate,
            C::CertificateNameMismatch,
            C::ChainMisordered,
            C::CertificateNotYetValid,
            C::CertificateConstraints,
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::stack::Certainty;

    fn means(stack: Option<Stack>, code: u8) -> Vec<Cause> {
        let speaker = stack.map(|stack| Speaker { stack, program: None, certainty: Certainty::Strong });
        meanings(speaker, code).unwrap_or_default().to_vec()
    }

    #[test]
    fn codes_mean_what_the_stacks_that_send_them_mean() {
        assert_eq!(means(None, 45).first(), Some(&C::CertificateExpired));
        assert_eq!(means(None, 44), [C::CertificateRevoked]);
        assert!(!means(None, 48).contains(&C::CertificateExpired) && means(None, 48).last() == Some(&C::CertificateUntrustedCa));
        assert!(
            means(Some(Stack::Go), 42).contains(&C::CertificateUntrustedCa) && means(Some(Stack::Go), 42).contains(&C::CertificateExpired)
        );
        assert!(means(None, 20).is_empty() && means(None, 70).is_empty() && means(None, 112).is_empty());
    }

    #[test]
    fn an_untrusted_authority_is_the_last_thing_to_blame() {
        for code in [42, 46, 48] {
            assert_eq!(means(None, code).last(), Some(&C::CertificateUntrustedCa), "{code}");
        }
    }

    #[test]
    fn openssl_says_nothing_of_authorities_but_by_its_own_code() {
        for code in [42, 45, 46, 80] {
            let list = means(Some(Stack::OpenSsl), code);
            assert!(!list.is_empty() && !list.contains(&C::CertificateUntrustedCa) && !list.contains(&C::ChainIncomplete), "{code}");
        }
        assert!(means(Some(Stack::OpenSsl), 48).contains(&C::CertificateUntrustedCa));
    }
}
