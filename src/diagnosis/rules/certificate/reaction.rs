//! How clients take a server's certificate, and what their ways can mean.

use std::time::Duration;

use crate::diagnosis::cause::Cause;
use crate::diagnosis::rule::Case;
use crate::diagnosis::view::View;
use crate::flow::Side;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::time::{Mark, Timestamp};

/// How the client took the server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaction {
    /// It sent a fatal alert that can be read.
    Alert { code: u8, mark: Mark },
    /// It sent an alert that cannot be read.
    HiddenAlert { mark: Mark },
    /// It closed or reset in the middle of the handshake, right after the server's flight.
    Left { mark: Mark, reset: bool },
    /// It completed the handshake and closed at once without a byte of application data.
    LeftAfter { mark: Mark, orderly: bool },
    /// It went on, or the capture does not show how it took it.
    WentOn,
}

/// What the client's reaction can mean, likeliest first. `None`: nothing about a certificate.
pub(super) fn candidates(reaction: Reaction) -> Option<&'static [Cause]> {
    use Cause as C;
    const GENERIC: &[Cause] = &[
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
    // The same, but a chain is verified before its names are looked at (JSSE).
    const UNKNOWN: &[Cause] = &[
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
    Some(match reaction {
        Reaction::Alert { code, .. } => match code {
            40 => &[
                C::ChainMisordered,
                C::CertificateExpired,
                C::CertificateNotYetValid,
                C::CertificateWrongUsage,
                C::CertificateConstraints,
                C::CertificateWeakSignature,
                C::CertificateWeakKey,
            ],
            42 | 49 => GENERIC,
            43 => &[
                C::CertificateWrongUsage,
                C::CertificateUnsupported,
                C::CertificateWeakKey,
                C::CertificateWeakSignature,
                C::CertificateConstraints,
                C::ChainMisordered,
            ],
            44 => &[C::CertificateRevoked],
            45 => &[C::CertificateExpired, C::IntermediateExpired, C::CertificateNotYetValid, C::CertificateRevoked],
            46 => UNKNOWN,
            48 => &[
                C::DefaultCertificate,
                C::ChainMisordered,
                C::CertificateConstraints,
                C::CertificateSelfSigned,
                C::ChainIncomplete,
                C::IntermediateExpired,
                C::CertificateUntrustedCa,
            ],
            51 => &[C::ChainMisordered, C::CertificateWeakKey, C::CertificateWeakSignature],
            71 => &[C::CertificateWeakKey, C::CertificateWeakSignature],
            113 => &[C::CertificateRevoked, C::MustStapleMissing],
            10 | 22 | 47 | 50 => &[C::ChainTooLarge],
            // GnuTLS reports a key usage that forbids what the key is used for as an error of its own.
            80 => &[C::ChainTooLarge, C::CertificateWrongUsage],
            _ => return None,
        },
        Reaction::HiddenAlert { .. } | Reaction::Left { .. } | Reaction::LeftAfter { .. } => GENERIC,
        Reaction::WentOn => return None,
    })
}

/// How the client of this handshake took the certificate.
pub(super) fn reaction(case: &Case<'_>) -> Reaction {
    let handshake = case.handshake;
    let answered = handshake.server_hello.is_some() || handshake.server_chain.is_some();
    let warned = handshake.alerts.iter().any(|seen| seen.from == Side::Server && !seen.consequence);
    if let Some(seen) = handshake.deciding_alert() {
        if seen.from != Side::Client {
            return Reaction::WentOn;
        }
        return match seen.alert {
            // A certificate code speaks for itself even where the capture lacks the server's answer.
            Some(alert) if matches!(alert.description.0, 42..=46 | 48) || answered => match alert.description.0 {
                // An answer to the server's own warning is not about the certificate.
                40 if warned => Reaction::WentOn,
                0 | 90 => Reaction::Left { mark: seen.mark, reset: false },
                code => Reaction::Alert { code, mark: seen.mark },
            },
            None if answered && handshake.hidden.client_alert_instead_of_finished => Reaction::HiddenAlert { mark: seen.mark },
            // TLS 1.2: the type of the record says that it is one.
            None if handshake.server_chain.is_some() && !handshake.is_tls13() => Reaction::HiddenAlert { mark: seen.mark },
            _ => Reaction::WentOn,
        };
    }
    match handshake.outcome {
        Outcome::Closed | Outcome::Reset
            if handshake.stopped_by == StoppedBy::Client && answered && !View::new(handshake).ended_by_icmp() =>
        {
            let flight = flight_end(case);
            match (handshake.end, flight) {
                // A client that waits is not one that refuses.
                (Some(end), Some(flight)) if end.time.since(flight) <= PROMPT => {
                    Reaction::Left { mark: end, reset: handshake.outcome == Outcome::Reset }
                }
                _ => Reaction::WentOn,
            }
        }
        Outcome::Completed => left_after(case).unwrap_or(Reaction::WentOn),
        _ => Reaction::WentOn,
    }
}

/// The application protocols that curl offers, without the marks of browsers (GREASE in Chromium and Safari, `record_size_limit` in Firefox).
/// curl compares names itself when the handshake is done, and insists on a staple only when told to.
pub(super) fn asks_like_curl(case: &Case<'_>) -> bool {
    case.handshake.hello().is_some_and(|hello| {
        hello.alpn().eq([&b"h2"[..], b"http/1.1"])
            && hello.record_size_limit().is_none()
            && !hello.cipher_suites().any(|suite| suite.0 & 0x0f0f == 0x0a0a)
    })
}

/// When the server's flight was complete; `None` when it was not, or the client answered it.
fn flight_end(case: &Case<'_>) -> Option<Timestamp> {
    let handshake = case.handshake;
    if handshake.is_tls13() {
        if !handshake.server_flight_is_over() && handshake.server_chain.is_none() {
            return None;
        }
        return handshake
            .encrypted
            .server
            .last()
            .map(|record| record.mark.time)
            .or_else(|| Some(handshake.server_chain.as_ref()?.mark.time));
    }
    handshake.server_hello_done.map(|mark| mark.time).or_else(|| Some(handshake.server_chain.as_ref()?.mark.time))
}

/// The client completed the handshake and left at once, without having used it.
fn left_after(case: &Case<'_>) -> Option<Reaction> {
    let handshake = case.handshake;
    if handshake.application_data.client.is_some() || handshake.application_records.client > 0 || handshake.resumption.is_some() {
        return None;
    }
    if handshake.server_chain.is_none() {
        // Browsers close a spare connection unused. Only a client with something to ask for, and no better connection, tells something.
        if !asks_like_curl(case)
            || handshake.server_name().is_none()
            || case.knowledge.completed_same_name > 0
            || handshake.tickets_seen == 0
        {
            return None;
        }
    }
    let finished = handshake.finished.client?.max(handshake.finished.server?);
    let (client, server) = (handshake.tcp.side(Side::Client), handshake.tcp.side(Side::Server));
    let fin = client.fin.map(|(mark, _)| mark);
    let reset = client.resets.first().map(|reset| reset.mark);
    let alert = handshake.alerts.iter().find(|seen| seen.from == Side::Client && !seen.consequence).map(|seen| seen.mark);
    let mark = [fin, reset, alert].into_iter().flatten().min()?;
    let server_first = server.fin.is_some_and(|(end, _)| end < mark) || handshake.application_data.server.is_some_and(|data| data < mark);
    (!server_first && mark.time.since(finished.time) <= PROMPT).then_some(Reaction::LeftAfter { mark, orderly: alert.is_some() })
}

/// A client that verifies needs no longer than this, revocation look-ups included.
const PROMPT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Mark = Mark { frame: 1, time: Timestamp::from_nanos(0) };

    fn means(code: u8) -> Vec<Cause> {
        candidates(Reaction::Alert { code, mark: AT }).unwrap_or_default().to_vec()
    }

    #[test]
    fn codes_mean_what_the_stacks_that_send_them_mean() {
        assert_eq!(means(45).first(), Some(&Cause::CertificateExpired));
        assert_eq!(means(44), [Cause::CertificateRevoked]);
        assert!(!means(48).contains(&Cause::CertificateExpired) && means(48).last() == Some(&Cause::CertificateUntrustedCa));
        // Go and GnuTLS say bad_certificate for everything.
        assert!(means(42).contains(&Cause::CertificateUntrustedCa) && means(42).contains(&Cause::CertificateExpired));
        assert!(means(20).is_empty() && means(70).is_empty() && means(112).is_empty());
    }

    #[test]
    fn an_untrusted_authority_is_the_last_thing_to_blame() {
        for code in [42, 46, 48] {
            assert_eq!(means(code).last(), Some(&Cause::CertificateUntrustedCa), "{code}");
        }
    }
}
