//! The server's library, by its ServerHello, its records and its tickets.
//!
//! A server says less than a client and follows what the client offered, so hardly anything here is strong: the padding of JSSE, the three
//! point formats of OpenSSL, the ticket that Go sends before it has the client's Finished.

use smallvec::SmallVec;

use super::{Speaker, Stack};
use crate::handshake::Handshake;
use crate::handshake::facts::{EncryptedRecord, Protocol};
use crate::handshake::padding::Padding;
use crate::tls::registry::ExtensionType as E;
use crate::tls::server_hello::ServerHello;

/// Reads a handshake's server side.
pub(super) fn read(handshake: &Handshake) -> Option<Speaker> {
    let hello = &handshake.server_hello.as_ref()?.what;
    let order: SmallVec<[u16; 16]> = hello.extensions().map(|(kind, _)| kind.0).take(16).collect();
    if !hello.version().is_tls13() {
        return older(handshake, hello, &order);
    }
    // Records mean nothing where datagrams carry the messages.
    if handshake.protocol != Protocol::Tls || handshake.resumption.is_some() {
        return None;
    }
    hidden(handshake, &order)
}

/// TLS 1.3: only two or three extensions are in clear, and the rest shows by records.
fn hidden(handshake: &Handshake, order: &[u16]) -> Option<Speaker> {
    let records = &handshake.encrypted.server;
    match handshake.hidden.padding.server {
        Some(JSSE_PADDING) => return Some(Speaker::strong(Stack::Jsse)),
        // MBEDTLS_SSL_CID_TLS1_3_PADDING_GRANULARITY; what it rounds to may be a multiple of the unit by chance.
        Some(Padding::UpTo(16 | 32)) => return Some(Speaker::likely(Stack::MbedTls)),
        _ => {}
    }
    if !handshake.server_flight_is_over() {
        return None;
    }
    let finished = handshake.finished.server?;
    let apart = handshake.hidden.padding.server.is_some() && records.len() >= 4;
    match order {
        // supported_versions, then key_share.
        [43, 51] if apart => {
            let behind = |record: &&EncryptedRecord| record.mark >= finished;
            let flight = records.iter().rposition(|record| record.mark == finished && is_finished(handshake, record))?;
            let after = records.get(flight + 1..).unwrap_or_default();
            let client = handshake.finished.client;
            // Go sends its ticket as soon as its own Finished is out.
            let early = after.iter().filter(behind).any(|record| {
                record.len > SMALLEST_TICKET
                    && handshake.encrypted.client.first().is_none_or(|answer| record.mark.frame < answer.mark.frame)
            });
            if early {
                return Some(Speaker::strong(Stack::Go));
            }
            // OpenSSL sends two tickets of one size, when it has the client's.
            let tickets: SmallVec<[u16; 2]> = after.iter().take(2).map(|record| record.len).collect();
            match tickets.as_slice() {
                [first, second] if client.is_some() && first == second && *first >= OPENSSL_TICKET => Some(Speaker::strong(Stack::OpenSsl)),
                _ if client.is_some() && !after.is_empty() => None,
                _ if handshake.hidden.certificate_requested.happened() => None,
                _ => Some(Speaker::likely(Stack::OpenSsl)),
            }
        }
        // key_share, then supported_versions.
        [51, 43] if apart => {
            let changed = handshake.change_cipher_spec.server.is_some();
            Some(Speaker::likely(if changed { Stack::GnuTls } else { Stack::WolfSsl }))
        }
        [51, 43] if handshake.change_cipher_spec.server.is_some() => {
            // One record for the whole flight: BoringSSL writes it out together with the ServerHello, rustls where its program does so too.
            let first = records.first()?;
            let together = handshake.server_hello.as_ref().is_some_and(|hello| hello.mark.frame == first.mark.frame);
            (!together).then_some(Speaker::likely(Stack::Rustls))
        }
        _ => None,
    }
}

/// Up to TLS 1.2 all extensions are in clear.
fn older(handshake: &Handshake, hello: &ServerHello, order: &[u16]) -> Option<Speaker> {
    // Only OpenSSL says that it takes compressed points.
    if hello.extension(E::EC_POINT_FORMATS) == Some(&[3, 0, 1, 2]) {
        return Some(Speaker::strong(Stack::OpenSsl));
    }
    let place = |kind: E| order.iter().position(|other| *other == kind.0);
    let points_last = order.len() >= 3 && order.last() == Some(&E::EC_POINT_FORMATS.0);
    match order {
        [65281, 22, 23, 11] | [65281, 23, 11] => Some(Speaker::likely(Stack::MbedTls)),
        [11, 23, ..] => Some(Speaker::likely(Stack::GnuTls)),
        [.., 23, 65281] if in_one_record(handshake) => Some(Speaker::likely(Stack::Schannel)),
        _ if points_last && place(E::SESSION_TICKET).zip(place(E::RENEGOTIATION_INFO)).is_some_and(|(ticket, info)| ticket < info) => {
            Some(Speaker::likely(Stack::Go))
        }
        [65281, .., 22, 23] => Some(Speaker::likely(Stack::OpenSsl)),
        _ => None,
    }
}

/// ServerHello and Certificate share a record, as Schannel puts them.
fn in_one_record(handshake: &Handshake) -> bool {
    let (Some(hello), Some(chain)) = (&handshake.server_hello, &handshake.server_chain) else { return false };
    chain.span.0 == hello.span.0
}

/// The record has the size of a Finished under this suite, padding included.
fn is_finished(handshake: &Handshake, record: &EncryptedRecord) -> bool {
    let padding = handshake.hidden.padding.server.unwrap_or(Padding::Each(0));
    let size = match handshake.cipher().map(|suite| suite.0) {
        Some(0x1302) => 69,
        Some(0x1305) => 45,
        _ => 53,
    };
    record.len == padding.lengthen(size)
}

/// JSSE pads each record so.
const JSSE_PADDING: Padding = Padding::Each(16);

/// Bytes of the record of the smallest ticket; an alert is smaller.
const SMALLEST_TICKET: u16 = 60;

/// The same for OpenSSL, whose tickets hold the session.
const OPENSSL_TICKET: u16 = 200;
