//! What encrypted records of TLS 1.3 are likely to be, by their sizes and places.

use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::EncryptedRecord;
use crate::tls::registry::CipherSuite;

/// What the encrypted records of one side of TLS 1.3 are likely to be.
pub(super) struct Names<'a> {
    h: &'a Handshake,
    side: Side,
    padding: u16,
    /// Index of the record that holds the side's Finished.
    finished: Option<usize>,
    /// That record's size is a Finished's.
    alone: bool,
}

impl<'a> Names<'a> {
    pub(super) fn of(h: &'a Handshake, side: Side) -> Self {
        let records = h.encrypted.of(side);
        let padding = h.hidden.padding.of(side).unwrap_or(0);
        let fits = |record: &EncryptedRecord| h.cipher().is_some_and(|suite| record.len == finished_len(suite).saturating_add(padding));
        let at = |record: &EncryptedRecord| h.finished.of(side).is_some_and(|mark| mark == record.mark);
        let exact = records.iter().rposition(|record| at(record) && fits(record));
        let finished = exact.or_else(|| records.iter().rposition(at));
        Self { h, side, padding, finished, alone: exact.is_some() }
    }

    pub(super) fn likely(&self, index: usize, record: &EncryptedRecord) -> Option<&'static str> {
        let hidden = &self.h.hidden;
        let plain = record.len.saturating_sub(self.padding);
        let Some(finished) = self.finished else {
            return (self.side == Side::Server && index == 0).then_some("EncryptedExtensions");
        };
        if index > finished {
            let spoken = self.h.application_data.client.is_some_and(|mark| mark <= record.mark);
            return Some(if self.side == Side::Server && !spoken { "NewSessionTicket" } else { "application data" });
        }
        if index == finished && self.alone {
            return Some("Finished");
        }
        match self.side {
            Side::Server if index == finished && index == 0 => Some("EncryptedExtensions to Finished in one"),
            Side::Server if hidden.certificate_verify_record == Some(plain) && index + 1 == finished => Some("CertificateVerify"),
            Side::Server if index == 0 => Some("EncryptedExtensions"),
            Side::Server if hidden.server_certificate_record == Some(plain) => Some("Certificate"),
            Side::Server if index == 1 && hidden.certificate_requested.happened() => Some("CertificateRequest"),
            Side::Client if index < finished && hidden.client_certificate_empty => Some("an empty Certificate"),
            Side::Client if index == finished && hidden.client_certificate_empty => Some("an empty Certificate and Finished"),
            Side::Client if index < finished && hidden.client_certificate_sent && index == 0 => Some("Certificate"),
            Side::Client if index < finished && hidden.client_certificate_sent => Some("CertificateVerify"),
            _ if index == finished => Some("a flight that ends with Finished"),
            _ => None,
        }
    }
}

/// Length of a record of TLS 1.3 that holds nothing but Finished (RFC 8446 sections 4.4.4 and 5.2).
fn finished_len(suite: CipherSuite) -> u16 {
    5 + u16::from(suite.hash_len()) + u16::from(suite.tag().unwrap_or(16))
}
