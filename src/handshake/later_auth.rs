//! A client certificate that is asked for after the handshake (RFC 8446 section 4.6.2), and refused: what the sizes and the order of the last records
//! show without keys.
//!
//! The client has offered `post_handshake_auth`. The server answers a request with one record more, the client sends what is as long as a
//! Certificate (empty, or with its CertificateVerify) and a Finished and nothing else, and the server ends with an alert.

use crate::flow::Side;
use crate::limits;
use crate::tls::registry::ExtensionType;

use super::facts::{EncryptedRecord, Observed};
use super::renegotiation::{ClientCertificate, Renegotiation};

/// Whether the server's answers to the client's first words may be such a request and what follows it, or one may yet come: they are few and short.
pub(super) fn is_possible(h: &Observed) -> bool {
    let offered = h.last_hello().is_some_and(|hello| hello.what.extension(ExtensionType::POST_HANDSHAKE_AUTH).is_some());
    let Some(spoke) = h.encrypted.client.iter().skip(1).map(|record| record.mark).min().filter(|_| offered) else { return offered };
    let mut answers = h.encrypted.server.iter().filter(|record| record.mark > spoke);
    answers.clone().count() <= ANSWERS && answers.all(|record| record.len <= LONGEST_REQUEST)
}

/// The request that was refused, if there was one.
pub(super) fn read(h: &Observed) -> Option<Renegotiation> {
    h.last_hello()?.what.extension(ExtensionType::POST_HANDSHAKE_AUTH)?;
    let overhead = h.overhead(Side::Client)?;
    let hash = u16::from(h.cipher()?.hash_len());
    let content = |record: &EncryptedRecord| record.len.checked_sub(overhead);
    let [.., asked, alert] = h.encrypted.server.as_slice() else { return None };
    let finished = h.finished.client?;
    let whole = Side::BOTH.into_iter().all(|side| h.encrypted.of(side).len() < limits::ENCRYPTED_RECORDS);
    if !whole || asked.mark <= finished || content(alert) != Some(ALERT) || content(asked)? < LEAST_REQUEST {
        return None;
    }
    let (before, after): (Vec<&EncryptedRecord>, Vec<_>) = h.encrypted.client.iter().partition(|record| record.mark < asked.mark);
    // What it said before the server asked: its Finished, and a request at least.
    let spoke = before.iter().any(|record| record.mark > finished);
    let answer: Vec<&EncryptedRecord> = after.into_iter().take_while(|record| record.mark < alert.mark).collect();
    let is_empty = match answer.as_slice() {
        [certificate, last] => (content(certificate) == Some(EMPTY) && content(last) == Some(4 + hash)).then_some(true)?,
        [certificate, verify, last] => {
            let signed = content(verify).is_some_and(is_certificate_verify);
            (content(certificate)? >= LEAST_CERTIFICATE && signed && content(last) == Some(4 + hash)).then_some(false)?
        }
        _ => return None,
    };
    let mark = answer.first()?.mark;
    spoke.then(|| Renegotiation::later(asked.mark, ClientCertificate { mark, is_empty }))
}

/// Bytes of a CertificateVerify: a signature by ECDSA, Ed25519, Ed448 or RSA behind eight.
const fn is_certificate_verify(len: u16) -> bool {
    matches!(len, 72..=80 | 104..=112 | 122 | 136..=147 | 264 | 392 | 520)
}

/// Two tickets, the request, an alert, and some more.
const ANSWERS: usize = 6;
/// Bytes of a request's record, unless it names very many authorities.
const LONGEST_REQUEST: u16 = 1_024;
/// Bytes of an alert.
const ALERT: u16 = 2;
/// Bytes of a Certificate without certificates that answers a request with a context of 32 bytes, as OpenSSL's are.
const EMPTY: u16 = 4 + 1 + 32 + 3;
/// A CertificateRequest has at least a context and signature algorithms.
const LEAST_REQUEST: u16 = 4 + 1 + 32 + 2 + 8;
/// A Certificate with a certificate has at least so many bytes.
const LEAST_CERTIFICATE: u16 = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::facts::Located;
    use crate::time::{Mark, Timestamp};
    use crate::tls::client_hello::ClientHello;
    use crate::tls::client_hello::tests::build;
    use crate::tls::server_hello::ServerHello;

    fn at(frame: u64) -> Mark {
        Mark { frame, time: Timestamp::from_nanos(0) }
    }

    fn seen<T>(what: T, frame: u64) -> Located<T> {
        Located { what, mark: at(frame), first: at(frame), span: (0, 0) }
    }

    /// Records of TLS 1.3 under `TLS_AES_256_GCM_SHA384` behind both hellos, each with its side and its frame.
    fn handshake(offers: bool, records: &[(Side, u64, u16)]) -> Observed {
        let mut h = Observed::default();
        let mut list: Vec<(u16, &[u8])> = vec![(0x002b, &[2, 3, 4])];
        if offers {
            list.push((0x0031, &[]));
        }
        h.client_hellos.push(seen(ClientHello::parse(&build(0x0303, &[0x1302], &list)).unwrap(), 1));
        let answer = [&[3, 3][..], &[7; 32], &[0, 0x13, 0x02, 0, 0, 6, 0, 0x2b, 0, 2, 3, 4]].concat();
        h.server_hello = Some(seen(ServerHello::parse(&answer).unwrap(), 2));
        h.finished.client = Some(at(3));
        for (side, frame, len) in records {
            h.encrypted.of_mut(*side).push(EncryptedRecord { content_type: 23, len: *len, mark: at(*frame) });
        }
        h
    }

    #[test]
    fn a_refused_certificate_is_told_by_the_last_records() {
        use Side::{Client, Server};
        let begin = [(Server, 2, 69), (Client, 3, 69), (Server, 4, 298), (Client, 5, 85)];
        let found = |offers, more: &[(Side, u64, u16)]| read(&handshake(offers, &[&begin, more].concat()));
        let empty = [(Server, 6, 175), (Client, 7, 57), (Client, 7, 69), (Server, 8, 19)];
        let refused = found(true, &empty).unwrap();
        assert_eq!((refused.asked, refused.certificate), (at(6), Some(ClientCertificate { mark: at(7), is_empty: true })));
        assert_eq!(found(false, &empty), None, "the client does not know of it");
        let sent = [(Server, 6, 175), (Client, 7, 503), (Client, 7, 96), (Client, 7, 69), (Server, 8, 19)];
        assert_eq!(found(true, &sent).unwrap().certificate, Some(ClientCertificate { mark: at(7), is_empty: false }));
        let used = [(Server, 6, 175), (Client, 7, 57), (Client, 7, 69), (Server, 8, 400), (Server, 9, 19)];
        assert_eq!(found(true, &used), None, "the server went on");
        let request = [(Server, 6, 175), (Client, 7, 57), (Client, 7, 140), (Server, 8, 19)];
        assert_eq!(found(true, &request), None, "no Finished");
        let more = [(Server, 6, 175), (Client, 7, 57), (Client, 7, 69), (Client, 7, 90), (Server, 8, 19)];
        assert_eq!(found(true, &more), None, "more than that");
        let alone = [(Server, 2, 69), (Client, 3, 69), (Server, 4, 298), (Client, 5, 57), (Client, 5, 69), (Server, 8, 19)];
        assert_eq!(read(&handshake(true, &alone)), None, "it asked for nothing before");
    }

    #[test]
    fn a_client_that_is_answered_at_length_is_asked_for_nothing() {
        use Side::{Client, Server};
        let begin = [(Server, 2, 69), (Client, 3, 69), (Server, 4, 298), (Client, 5, 85)];
        let possible = |offers, more: &[(Side, u64, u16)]| is_possible(&handshake(offers, &[&begin, more].concat()));
        assert!(possible(true, &[]) && !possible(false, &[]));
        assert!(possible(true, &[(Server, 6, 298), (Server, 7, 175), (Client, 8, 57)]));
        assert!(!possible(true, &[(Server, 6, 4_096)]), "a page");
        assert!(!possible(true, &[(Server, 6, 60); 7]), "one after the other");
    }
}
