//! Servers that are not content with the client's certificate, or miss one, and say so inside TLS: by a page, after which they close.
//!
//! nginx lets every handshake complete (`ssl_verify_client`), and answers the first request with its own page 400, of which but the server's name
//! differs from one to the next. Its size shows, where a record holds nothing else.

use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::{EncryptedRecord, Outcome};
use crate::time::Mark;

/// What the server said last is as long as such a page, with the notice that it closes behind it and nothing else before it since the request: where, and how
/// long. `without`: the client had no certificate.
pub(super) fn served(handshake: &Handshake, without: bool) -> Option<(Mark, u16)> {
    if handshake.decrypted || handshake.flow.is_udp() || handshake.outcome != Outcome::Completed {
        return None;
    }
    let asked = handshake.application_data.client?;
    let overhead = handshake.overhead(Side::Server)?;
    let (mark, record) = if handshake.is_tls13() { last(handshake, asked, overhead)? } else { only(handshake)? };
    let len = record.checked_sub(overhead)?;
    let rest = len.checked_sub(if without { NO_CERTIFICATE } else { CERTIFICATE_ERROR })?;
    // The server's name stands in a header and below the page.
    (rest.is_multiple_of(2) && NAMES.contains(&(rest / 2))).then_some((mark, len))
}

/// The record of the server's before its notice that it closes, where nothing but tickets came before it since the client asked.
fn last(handshake: &Handshake, asked: Mark, overhead: u16) -> Option<(Mark, u16)> {
    let said: Vec<&EncryptedRecord> = handshake.encrypted.server.iter().filter(|record| record.mark > asked).collect();
    let [tickets @ .., page, close] = said.as_slice() else { return None };
    // Tickets come before the answer where the client asks together with its Finished, and are of one size.
    let alike = tickets.iter().all(|ticket| Some(ticket.len) == tickets.first().map(|first| first.len));
    let closes = close.len.checked_sub(overhead) == Some(CLOSE_NOTIFY);
    (tickets.len() <= TICKETS && alike && closes).then_some((page.mark, page.len))
}

/// Up to TLS 1.2: the only record of data, where an alert of the server's follows.
fn only(handshake: &Handshake) -> Option<(Mark, u16)> {
    let mark = handshake.application_data.server.filter(|_| handshake.application_records.server == 1)?;
    let closes = handshake.alerts.iter().any(|seen| seen.from == Side::Server && seen.encrypted && seen.mark >= mark);
    handshake.first_answer.filter(|_| closes).map(|len| (mark, len))
}

/// OpenSSL sends so many after a full handshake.
const TICKETS: usize = 2;
/// An alert.
const CLOSE_NOTIFY: u16 = 2;
/// Bytes of the answer `400 No required SSL certificate was sent` over HTTP/1.1, head and body, without the server's name.
const NO_CERTIFICATE: u16 = 365;
/// The same of `400 The SSL certificate error`.
const CERTIFICATE_ERROR: u16 = 343;
/// Bytes of a name: `nginx` alone, with versions like 1.8.1, 1.26.3 and 1.10.10, with ` (Ubuntu)` behind these; `openresty` alone and like 1.25.3.1.
const NAMES: [u16; 9] = [5, 9, 11, 12, 13, 18, 20, 21, 22];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{Scene, at};
    use crate::handshake::facts::StoppedBy;
    use crate::tls::registry::ProtocolVersion as V;

    #[test]
    fn a_page_is_told_by_its_size_and_by_the_notice_behind_it() {
        // Records of the server since the request, each with its length on the wire.
        let told = |without: bool, said: &[u16]| {
            let scene = Scene::broad().answered(V::TLS12, 0x1301, &[(0x002b, &[3, 4])]).ended(Outcome::Completed, StoppedBy::Nobody);
            let mut facts = scene.handshake;
            facts.application_data.client = Some(at(10, 100));
            facts.encrypted.server.clear();
            for (frame, len) in (11..).zip(said) {
                facts.encrypted.server.push(EncryptedRecord { content_type: 23, len: *len, mark: at(frame, 120) });
            }
            served(&facts, without).map(|(_, len)| len)
        };
        assert_eq!(told(true, &[406, 19]), Some(389), "nginx/1.26.3");
        assert_eq!(told(true, &[266, 266, 392, 19]), Some(375), "the name alone, and tickets before it");
        assert_eq!(told(false, &[384, 19]), Some(367), "of a certificate that it does not like");
        assert_eq!(told(false, &[406, 19]), None, "it had one");
        assert_eq!(told(true, &[407, 19]), None, "another size");
        assert_eq!(told(true, &[406]), None, "the connection stays");
        assert_eq!(told(true, &[266, 266, 300, 406, 19]), None, "the end of a longer answer");
    }
}
