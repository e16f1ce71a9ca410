//! What each TLS library says and does when it does not take what the other side presents: the one table that every rule asks before it reads
//! an alert or a silent close.
//!
//! A code means what the library that sends it means. Rows name the source they are taken from: the library's own mapping of verification
//! errors to alerts, or what it was seen to do. [`ANYBODY`] is what a code can mean where the library is not known.

use std::time::Duration;

use super::cause::Cause;
use crate::handshake::stack::{Certainty, Program, Speaker, Stack};
use crate::tls::registry::AlertDescription as A;

/// What an alert about the server's certificate can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// These faults, likeliest first.
    pub first: &'static [Cause],
    /// Whatever else can be wrong with a certificate, behind them in the order in which one explains the other.
    pub or_others: bool,
}

impl Meaning {
    /// Whatever can be wrong with a certificate.
    pub const WHATEVER: Self = Self { first: &[], or_others: true };

    const fn only(faults: &'static [Cause]) -> Self {
        Self { first: faults, or_others: false }
    }
}

/// An alert, and what it can mean.
type Row = (A, Meaning);

/// What a client's alert about the server's certificate can mean; `None`: nothing about a certificate.
pub fn meanings(client: Option<Speaker>, alert: A) -> Option<Meaning> {
    let known = client.map_or(&[][..], |speaker| rows(speaker.stack));
    let find = |rows: &'static [Row]| rows.iter().find(|row| row.0 == alert).map(|row| row.1);
    find(known).or_else(|| find(ANYBODY))
}

/// This library has a code of its own for an authority that it does not know, and this is not it: a private authority then explains nothing.
pub fn speaks_of_unknown_ca_otherwise(client: Option<Speaker>, alert: A) -> bool {
    let Some(speaker) = client else { return false };
    let own = matches!(speaker.stack, Stack::OpenSsl | Stack::Nss | Stack::Rustls | Stack::MbedTls | Stack::WolfSsl | Stack::Erlang);
    own && alert != A::UNKNOWN_CA
}

/// When a client looks at the server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checks {
    /// Within the handshake, which it ends with an alert: a certificate under which it completed is one that it took.
    Within,
    /// When the handshake is done. A client that does not take it then leaves without `close_notify`; with one it leaves what it only looked at.
    Afterwards,
    /// Names when the handshake is done, in some versions all of it, and many say `close_notify` whatever they found.
    NamesAfterwards,
    /// Either, as its program has it.
    Unknown,
}

/// When programs on this library look at the server's certificate, in TLS 1.3 or before.
pub fn checks(client: Option<Speaker>, tls13: bool) -> Checks {
    let Some(Speaker { stack, program, .. }) = client else { return Checks::Unknown };
    match (program, stack) {
        // In TLS 1.3 the socket that Node destroys still holds the client's Finished: one that was sent is a consent.
        (Some(Program::Node), _) if tls13 => Checks::Within,
        // GIO refuses before its Finished, by `accept-certificate`.
        (Some(Program::Python | Program::Gio), _) => Checks::Within,
        // Node destroys the socket of a certificate that it does not take. On GnuTLS programs call `gnutls_certificate_verify_peers3` when the
        // handshake is done (curl, git, wget2, lynx, msmtp); few of them say goodbye as well (aria2, lftp).
        (Some(Program::Node), _) | (_, Stack::GnuTls) => Checks::Afterwards,
        (Some(Program::Curl | Program::Php | Program::Qt), Stack::OpenSsl) => Checks::NamesAfterwards,
        // `crypto/tls`, `X509TrustManager`, `ServerCertVerifier`, `SSL_AuthCertificateHook`, `verify_fun`: each is asked before Finished.
        (_, Stack::Go | Stack::Jsse | Stack::Rustls | Stack::Nss | Stack::Erlang | Stack::Botan | Stack::S2n | Stack::BoringSsl) => {
            Checks::Within
        }
        (_, Stack::OpenSsl | Stack::Schannel | Stack::Apple | Stack::MbedTls | Stack::WolfSsl | Stack::TlsLite) => Checks::Unknown,
    }
}

/// Programs on this library look at the certificate when the handshake is done, and leave without an alert that could be read.
pub fn checks_afterwards(client: Option<Speaker>) -> bool {
    matches!(checks(client, false), Checks::Afterwards | Checks::NamesAfterwards)
}

/// The library itself verifies the chain within the handshake, where it is told to verify: what its programs do on their own, when the handshake is
/// done, is to compare names. One that completes under a bad chain was told not to verify.
pub fn verifies_chains_within(client: Option<Speaker>) -> bool {
    client.is_some_and(|speaker| speaker.stack == Stack::OpenSsl && speaker.certainty == Certainty::Strong)
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

/// Whatever can be wrong, where a chain is verified before its names are looked at (JSSE, Chromium).
const CHAIN_FIRST: Meaning = Meaning {
    first: &[
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
    ],
    or_others: true,
};

/// What leads to an authority that is not known.
const NO_ANCHOR: Meaning = Meaning::only(&[
    C::DefaultCertificate,
    C::ChainMisordered,
    C::CertificateConstraints,
    C::CertificateSelfSigned,
    C::ChainIncomplete,
    C::IntermediateExpired,
    C::CertificateUntrustedCa,
]);

/// Every library. Go and GnuTLS say 42 of everything, Chromium and JSSE (TLS 1.3) say 46 of everything.
const ANYBODY: &[Row] = &[
    (A::UNEXPECTED_MESSAGE, Meaning::only(&[C::ChainTooLarge])),
    (A::RECORD_OVERFLOW, Meaning::only(&[C::ChainTooLarge])),
    (
        A::HANDSHAKE_FAILURE,
        Meaning::only(&[
            C::ChainMisordered,
            C::CertificateExpired,
            C::CertificateNotYetValid,
            C::CertificateWrongUsage,
            C::CertificateConstraints,
            C::CertificateWeakSignature,
            C::CertificateWeakKey,
            // Erlang's `hostname_check_failed`, where it is not 42.
            C::DefaultCertificate,
            C::CertificateNameMismatch,
        ]),
    ),
    (A::BAD_CERTIFICATE, Meaning::WHATEVER),
    (
        A::UNSUPPORTED_CERTIFICATE,
        Meaning::only(&[
            C::CertificateWrongUsage,
            C::CertificateUnsupported,
            C::CertificateWeakKey,
            C::CertificateWeakSignature,
            C::CertificateConstraints,
            C::ChainMisordered,
        ]),
    ),
    (A::CERTIFICATE_REVOKED, Meaning::only(&[C::CertificateRevoked])),
    (
        A::CERTIFICATE_EXPIRED,
        Meaning::only(&[C::CertificateExpired, C::IntermediateExpired, C::CertificateNotYetValid, C::CertificateRevoked]),
    ),
    (A::CERTIFICATE_UNKNOWN, CHAIN_FIRST),
    (A::ILLEGAL_PARAMETER, Meaning::only(&[C::ChainTooLarge])),
    (A::UNKNOWN_CA, NO_ANCHOR),
    (A::ACCESS_DENIED, Meaning::WHATEVER),
    (A::DECODE_ERROR, Meaning::only(&[C::ChainTooLarge])),
    (A::DECRYPT_ERROR, Meaning::only(&[C::ChainMisordered, C::CertificateWeakKey, C::CertificateWeakSignature])),
    (A::INSUFFICIENT_SECURITY, Meaning::only(&[C::CertificateWeakKey, C::CertificateWeakSignature])),
    // GnuTLS says so of a key usage that forbids what the key is used for, and programs whose own check says no without a reason.
    (A::INTERNAL_ERROR, Meaning::only(&[C::ChainTooLarge, C::CertificateWrongUsage])),
    (A::BAD_CERTIFICATE_STATUS_RESPONSE, Meaning::only(&[C::CertificateRevoked, C::MustStapleMissing])),
];

/// OpenSSL, by `x509table` in ssl/statem/statem_lib.c. Only what the table names has a code of its own; the rest is 46.
const OPENSSL: &[Row] = &[
    // X509_V_ERR_CERT_NOT_YET_VALID, HOSTNAME_MISMATCH, IP_ADDRESS_MISMATCH, EE_KEY_TOO_SMALL, CA_KEY_TOO_SMALL, CA_MD_TOO_WEAK,
    // EC_KEY_EXPLICIT_PARAMS, CRL_NOT_YET_VALID, DANE_NO_MATCH, CERT_REJECTED. Never an authority that is not known.
    (
        A::BAD_CERTIFICATE,
        Meaning::only(&[
            C::DaneMismatch,
            C::CertificateNotYetValid,
            C::CertificateWeakSignature,
            C::CertificateWeakKey,
            C::DefaultCertificate,
            C::CertificateNameMismatch,
            C::CertificateUnsupported,
        ]),
    ),
    // X509_V_ERR_CERT_HAS_EXPIRED and CRL_HAS_EXPIRED.
    (A::CERTIFICATE_EXPIRED, Meaning::only(&[C::CertificateExpired, C::IntermediateExpired])),
    // What the table does not name: UNHANDLED_CRITICAL_EXTENSION, PERMITTED_VIOLATION, EXCLUDED_VIOLATION, KEYUSAGE_NO_CERTSIGN,
    // MISSING_AUTHORITY_KEY_IDENTIFIER and the like under X509_V_FLAG_X509_STRICT.
    (
        A::CERTIFICATE_UNKNOWN,
        Meaning::only(&[
            C::CertificateUnsupported,
            C::CertificateConstraints,
            C::CertificateWrongUsage,
            C::ChainMisordered,
            C::MustStapleMissing,
        ]),
    ),
    // X509_V_ERR_UNSPECIFIED: the program's own verify callback said no and gave no reason (stunnel's checkHost, IO::Socket::SSL, pins).
    (
        A::INTERNAL_ERROR,
        Meaning::only(&[
            C::CertificateExpired,
            C::CertificateNotYetValid,
            C::CertificateWrongUsage,
            C::DefaultCertificate,
            C::CertificateNameMismatch,
            C::ChainTooLarge,
        ]),
    ),
];

/// NSS, by `ssl_SetCertVerifyAlert` (`tls13con.c`, `ssl3con.c`: `SSL_ERROR_BAD_CERT_ALERT` by default).
const NSS: &[Row] = &[
    (
        A::BAD_CERTIFICATE,
        Meaning::only(&[
            C::DefaultCertificate,
            C::CertificateNameMismatch,
            C::ChainMisordered,
            C::CertificateWeakSignature,
            C::CertificateWeakKey,
        ]),
    ),
    (
        A::CERTIFICATE_UNKNOWN,
        Meaning::only(&[C::CertificateUnsupported, C::CertificateConstraints, C::CertificateWeakKey, C::CertificateWeakSignature]),
    ),
];

/// JSSE, by `CertificateMessage.getCertificateAlert`. TLS 1.3 says 46 of what is not listed.
const JSSE: &[Row] = &[
    // INVALID_SIGNATURE and NOT_YET_VALID.
    (A::BAD_CERTIFICATE, Meaning::only(&[C::CertificateNotYetValid, C::ChainMisordered])),
    // ALGORITHM_CONSTRAINED.
    (
        A::UNSUPPORTED_CERTIFICATE,
        Meaning::only(&[
            C::CertificateWeakSignature,
            C::CertificateWeakKey,
            C::CertificateWrongUsage,
            C::CertificateUnsupported,
            C::CertificateConstraints,
        ]),
    ),
];

/// rustls, by `From<CertificateError> for AlertDescription`.
const RUSTLS: &[Row] = &[
    // NotValidForName, BadEncoding, UnhandledCriticalExtension.
    (
        A::BAD_CERTIFICATE,
        Meaning::only(&[C::DefaultCertificate, C::CertificateNameMismatch, C::CertificateUnsupported, C::CertificateConstraints]),
    ),
    // Expired and NotValidYet.
    (A::CERTIFICATE_EXPIRED, Meaning::only(&[C::CertificateExpired, C::CertificateNotYetValid, C::IntermediateExpired])),
];

/// Mbed TLS, by `mbedtls_ssl_verify_certificate`.
const MBED_TLS: &[Row] = &[
    // MBEDTLS_X509_BADCERT_CN_MISMATCH.
    (A::BAD_CERTIFICATE, Meaning::only(&[C::DefaultCertificate, C::CertificateNameMismatch])),
    // What has no code of its own, MBEDTLS_X509_BADCERT_FUTURE among it.
    (
        A::CERTIFICATE_UNKNOWN,
        Meaning::only(&[C::CertificateNotYetValid, C::CertificateWeakSignature, C::CertificateWeakKey, C::ChainMisordered]),
    ),
];

/// Erlang/OTP, by `ssl_handshake:path_validation_alert`.
const ERLANG: &[Row] = &[
    // selfsigned_peer, hostname_check_failed, invalid_issuer, invalid_signature.
    (
        A::BAD_CERTIFICATE,
        Meaning::only(&[
            C::CertificateSelfSigned,
            C::DefaultCertificate,
            C::CertificateNameMismatch,
            C::ChainMisordered,
            C::CertificateNotYetValid,
            C::CertificateConstraints,
        ]),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn means(stack: Option<Stack>, alert: A) -> Option<Meaning> {
        meanings(stack.map(|stack| Speaker { stack, program: None, certainty: Certainty::Strong }), alert)
    }

    #[test]
    fn codes_mean_what_the_stacks_that_send_them_mean() {
        assert_eq!(means(None, A::CERTIFICATE_EXPIRED).map(|means| means.first[0]), Some(C::CertificateExpired));
        assert_eq!(means(None, A::CERTIFICATE_REVOKED), Some(Meaning::only(&[C::CertificateRevoked])));
        let unknown = means(None, A::UNKNOWN_CA).unwrap();
        assert!(!unknown.first.contains(&C::CertificateExpired) && unknown.first.last() == Some(&C::CertificateUntrustedCa));
        assert_eq!(means(Some(Stack::Go), A::BAD_CERTIFICATE), Some(Meaning::WHATEVER));
        for alert in [A::BAD_RECORD_MAC, A::PROTOCOL_VERSION, A::UNRECOGNIZED_NAME] {
            assert_eq!(means(None, alert), None);
        }
    }

    #[test]
    fn openssl_says_nothing_of_authorities_but_by_its_own_code() {
        for alert in [A::BAD_CERTIFICATE, A::CERTIFICATE_EXPIRED, A::CERTIFICATE_UNKNOWN, A::INTERNAL_ERROR] {
            let means = means(Some(Stack::OpenSsl), alert).unwrap();
            let authority = means.first.contains(&C::CertificateUntrustedCa) || means.first.contains(&C::ChainIncomplete);
            assert!(!means.first.is_empty() && !means.or_others && !authority, "{alert}");
        }
        assert!(means(Some(Stack::OpenSsl), A::UNKNOWN_CA).unwrap().first.contains(&C::CertificateUntrustedCa));
    }
}
