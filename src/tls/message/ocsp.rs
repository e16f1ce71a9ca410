//! A stapled OCSP answer (RFC 6960), as far as a diagnosis needs it: its status and times. The signature is not looked at.

use crate::time::Timestamp;
use crate::tls::bytes::Cursor;

/// A stapled OCSP answer, as far as a diagnosis needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcspStaple {
    /// `OCSPResponseStatus`: 0 successful.
    pub response_status: u8,
    /// What it says of the certificate.
    pub status: Option<OcspStatus>,
    /// The answer is true from here.
    pub this_update: Option<Timestamp>,
    /// ... and until here.
    pub next_update: Option<Timestamp>,
    /// When the certificate was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// `CertStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OcspStatus {
    /// Not revoked.
    Good,
    /// Revoked.
    Revoked,
    /// The responder does not know the certificate.
    Unknown,
}

impl OcspStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Good, Self::Revoked, Self::Unknown];

    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Revoked => "revoked",
            Self::Unknown => "unknown",
        }
    }
}

impl OcspStaple {
    /// Reads an `OCSPResponse`. `None` when it does not even have a status; what else is missing or odd stays empty.
    pub fn parse(der: &[u8]) -> Option<Self> {
        let mut response = Der::new(der).element(SEQUENCE)?;
        let response_status = response.element(ENUMERATED)?.0.rest().first().copied()?;
        let mut staple = Self { response_status, status: None, this_update: None, next_update: None, revoked_at: None };
        if let Some(mut single) = first_response(&mut response) {
            staple.read_single(&mut single);
        }
        Some(staple)
    }

    /// Reads the body of a `CertificateStatus` message (RFC 6066 section 8), or of the `status_request` extension of a TLS 1.3 certificate
    /// entry, which is the same: type and answer; of `ocsp_multi` (RFC 6961) the first answer, which is the leaf's.
    pub fn parse_certificate_status(body: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        let answer = match cursor.u8()? {
            1 => cursor.vec24()?,
            2 => Cursor::new(cursor.vec24()?).vec24()?,
            _ => return None,
        };
        Self::parse(answer)
    }

    fn read_single(&mut self, single: &mut Der<'_>) -> Option<()> {
        single.element(SEQUENCE)?; // certID
        let (tag, status) = single.next()?;
        self.status = Some(match tag {
            0x80 => OcspStatus::Good,
            0xa1 => OcspStatus::Revoked,
            _ => OcspStatus::Unknown,
        });
        if tag == 0xa1 {
            self.revoked_at = Der::new(status).time();
        }
        self.this_update = single.time();
        if let Some((0xa0, next)) = single.next() {
            self.next_update = Der::new(next).time();
        }
        Some(())
    }
}

/// Walks down to the first `SingleResponse`.
fn first_response<'a>(response: &mut Der<'a>) -> Option<Der<'a>> {
    let mut bytes = response.element(0xa0)?.element(SEQUENCE)?;
    bytes.element(OBJECT_IDENTIFIER)?; // id-pkix-ocsp-basic
    let mut basic = bytes.element(OCTET_STRING)?.element(SEQUENCE)?;
    let mut data = basic.element(SEQUENCE)?;
    let (tag, _) = data.next()?;
    if tag == 0xa0 {
        data.next()?; // that was the version; this is responderID
    }
    data.time()?; // producedAt
    data.element(SEQUENCE)?.element(SEQUENCE)
}

/// A cursor over DER elements with tags of one byte and lengths of up to three.
struct Der<'a>(Cursor<'a>);

impl<'a> Der<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self(Cursor::new(bytes))
    }

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let tag = self.0.u8()?;
        let len = match self.0.u8()? {
            short @ 0..=0x7f => usize::from(short),
            0x81 => usize::from(self.0.u8()?),
            0x82 => usize::from(self.0.u16()?),
            0x83 => self.0.u24()?,
            _ => return None,
        };
        Some((tag, self.0.take(len)?))
    }

    /// The contents of the next element, which must have this tag.
    fn element(&mut self, tag: u8) -> Option<Self> {
        let (found, contents) = self.next()?;
        (found == tag).then(|| Self::new(contents))
    }

    fn time(&mut self) -> Option<Timestamp> {
        let (tag, text) = self.next()?;
        if tag == GENERALIZED_TIME { generalized_time(text) } else { None }
    }
}

/// `YYYYMMDDHHMMSSZ`, fractions of a second left out.
fn generalized_time(text: &[u8]) -> Option<Timestamp> {
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits.iter().try_fold(0_i64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
    };
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 || text.last() != Some(&b'Z') {
        return None;
    }
    // Days since 1970-01-01 in the Gregorian calendar, years counted from March so that the leap day is the last.
    let shifted = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + day_of_year - 719_468;
    Some(Timestamp::from_parts(days * 86_400 + hour * 3600 + minute * 60 + second, 0))
}

const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const ENUMERATED: u8 = 0x0a;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "test data is short")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let contents = parts.concat();
        let mut bytes = vec![tag];
        if contents.len() < 0x80 {
            bytes.push(contents.len() as u8);
        } else {
            bytes.push(0x82);
            bytes.extend((contents.len() as u16).to_be_bytes());
        }
        bytes.extend(contents);
        bytes
    }

    fn time(text: &str) -> Vec<u8> {
        der(GENERALIZED_TIME, &[text.as_bytes()])
    }

    fn response(status: &[u8], version: bool) -> Vec<u8> {
        let next = der(0xa0, &[&time("20261201000000Z")]);
        let single = der(SEQUENCE, &[&der(SEQUENCE, &[&[0x02, 1, 5]]), status, &time("20261121090420Z"), &next]);
        let version = if version { der(0xa0, &[&[0x02, 1, 0]]) } else { Vec::new() };
        let data = der(SEQUENCE, &[&version, &der(0xa2, &[&[0x04, 2, 1, 2]]), &time("20261121090500Z"), &der(SEQUENCE, &[&single])]);
        let basic = der(SEQUENCE, &[&data, &der(SEQUENCE, &[]), &[0x03, 2, 0, 9], &[0; 200]]);
        let bytes = der(SEQUENCE, &[&[0x06, 1, 0x2a], &der(OCTET_STRING, &[&basic])]);
        der(SEQUENCE, &[&[ENUMERATED, 1, 0], &der(0xa0, &[&bytes])])
    }

    #[test]
    fn reads_a_good_answer() {
        for version in [false, true] {
            let staple = OcspStaple::parse(&response(&[0x80, 0], version)).unwrap();
            assert_eq!((staple.response_status, staple.status), (0, Some(OcspStatus::Good)));
            assert_eq!(staple.this_update, Some(Timestamp::from_parts(1_795_251_860, 0)));
            assert_eq!(staple.next_update.unwrap().to_string(), "2026-12-01T00:00:00.000000000Z");
        }
    }

    #[test]
    fn reads_a_revocation() {
        let answer = response(&der(0xa1, &[&time("20240229120000Z"), &[0xa0, 3, ENUMERATED, 1, 1]]), false);
        let mut body = vec![1, 0];
        body.extend((answer.len() as u16).to_be_bytes());
        body.extend(&answer);
        let staple = OcspStaple::parse_certificate_status(&body).unwrap();
        assert_eq!(staple.status, Some(OcspStatus::Revoked));
        assert_eq!(staple.revoked_at.unwrap().to_string(), "2024-02-29T12:00:00.000000000Z");
        assert!(staple.next_update.is_some());
    }

    #[test]
    fn an_error_status_has_nothing_else() {
        let staple = OcspStaple::parse(&[0x30, 3, ENUMERATED, 1, 3]).unwrap();
        assert_eq!((staple.response_status, staple.status), (3, None));
        assert_eq!(OcspStaple::parse(b""), None);
    }

    #[test]
    fn counts_days() {
        let seconds = |text: &str| generalized_time(text.as_bytes()).map(Timestamp::seconds);
        assert_eq!(seconds("19700101000000Z"), Some(0));
        assert_eq!(seconds("20000301000000Z"), Some(951_868_800));
        assert_eq!(seconds("19691231235959Z"), Some(-1));
        assert_eq!(seconds("20261301000000Z"), None);
        assert_eq!(seconds("2026"), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..100), at in 0usize..120, byte: u8) {
            let mut changed = response(&[0x80, 0], true);
            changed[at] = byte;
            for bytes in [bytes, changed] {
                let _ = OcspStaple::parse(&bytes);
                let _ = OcspStaple::parse_certificate_status(&bytes);
            }
        }
    }
}
