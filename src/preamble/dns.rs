//! What an answer of the DNS says of servers that TLS is spoken with: the records by which a client checks a certificate (DANE), which servers
//! take a domain's mail, and that a domain has a policy for it (MTA-STS). Whatever else is asked costs a look at the question.
//!
//! References: RFC 1035 section 4.1 and RFC 4034 (messages, RRSIG); RFC 6698 and RFC 7672 (TLSA); RFC 8461 section 3.1 (MTA-STS).

use std::fmt;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::dialogue::{be16, be32};

/// An answer of which something is to be remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What was asked for, in lower case and without a dot at its end: `_25._tcp.mail.example.test`.
    pub name: Box<str>,
    /// What there is of it.
    pub found: Found,
    /// What DNSSEC says of it.
    pub security: Security,
    /// Seconds for which it holds.
    pub ttl: u32,
}

/// What a name has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// What the certificate of a service must be; empty where nothing is said of it, or more than is read.
    Tlsa(Vec<Tlsa>),
    /// The servers that take the mail of a domain; never empty.
    Exchanges(Vec<Box<str>>),
    /// The keys with which clients encrypt their hello (ECH), of an HTTPS record; never empty.
    Ech(Vec<EchKey>),
    /// A domain has a policy for mail: the name that was asked for is `_mta-sts.` and the domain.
    MailPolicy,
}

/// What vouches for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Security {
    /// Nothing does.
    Insecure,
    /// The zone's own server gave it with a signature; whether that was found to be right does not show.
    Signed,
    /// A resolver says that it verified it.
    Validated,
}

impl Security {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Insecure, Self::Signed, Self::Validated];

    /// The schema's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Insecure => "insecure",
            Self::Signed => "signed",
            Self::Validated => "validated",
        }
    }
}

/// A key with which a client encrypts its hello (RFC 9849 section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EchKey {
    /// Its number, which the client repeats in clear.
    pub config_id: u8,
    /// The name that stands in clear.
    pub public_name: Box<str>,
}

/// A TLSA record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tlsa {
    /// 0 and 1 add to what public authorities say; 2 names an authority, 3 the server's own certificate.
    pub usage: u8,
    /// 0 the whole certificate, 1 its public key.
    pub selector: u8,
    /// 0 the thing itself, 1 its SHA-256, 2 its SHA-512.
    pub matching: u8,
    /// What it is compared with: the hash as sent; of the thing itself its SHA-256.
    pub hash: Box<[u8]>,
}

/// As zones write it; what is kept as a hash of the thing itself is shown as one.
impl fmt::Display for Tlsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = HEXLOWER.encode(&self.hash);
        let whole = if self.matching == 0 { "SHA-256 of it: " } else { "" };
        write!(f, "{} {} {} {whole}{hash}", self.usage, self.selector, self.matching)
    }
}

/// Reads an answer, which must be whole. `None` where nothing in it is to be remembered.
pub fn read(message: &[u8]) -> Option<Answer> {
    let flags = be16(message, 2)?;
    let [questions, answers] = [be16(message, 4)?, be16(message, 6)?];
    let code = flags & CODE;
    if flags & (RESPONSE | OPCODE | TRUNCATED) != RESPONSE || !matches!(code, 0 | NO_SUCH_NAME) || questions != 1 {
        return None;
    }
    let end = skip_name(message, HEADER)?;
    let kind = be16(message, end)?;
    if !matches!(kind, TLSA | MX | TXT | HTTPS) {
        return None;
    }
    // That there are none any more is worth to know of what a certificate must be.
    let none = answers == 0 || code == NO_SUCH_NAME || kind == TLSA && answers > MOST_RECORDS;
    if none {
        let name = name(message, HEADER).filter(|name| kind == TLSA && is_service(name))?;
        return Some(Answer { name, found: Found::Tlsa(Vec::new()), security: Security::Insecure, ttl: 0 });
    }
    let name = name(message, HEADER)?;
    if kind == TXT && !name.starts_with(POLICY_PREFIX) {
        return None;
    }
    let mut at = end.checked_add(4)?;
    let mut ttl = u32::MAX;
    let (mut signed, mut tlsa, mut exchanges, mut ech, mut policy) = (false, Vec::new(), Vec::new(), Vec::new(), false);
    for _ in 0..answers.min(MOST_RECORDS) {
        at = skip_name(message, at)?;
        let (found, len) = (be16(message, at)?, usize::from(be16(message, at.checked_add(8)?)?));
        if found == kind {
            ttl = ttl.min(be32(message, at.checked_add(4)?)?);
        }
        let data = at.checked_add(10)?;
        at = data.checked_add(len)?;
        let body = message.get(data..at)?;
        match found {
            RRSIG => signed |= be16(body, 0) == Some(kind),
            TLSA if kind == TLSA => tlsa.push(record(body)?),
            MX if kind == MX => exchanges.push(self::name(message, data.checked_add(2)?)?),
            HTTPS if kind == HTTPS => ech.extend(ech_keys(message, data, at)),
            TXT if kind == TXT => policy |= body.get(1..).is_some_and(|text| text.starts_with(POLICY)),
            _ => {}
        }
    }
    let security = if flags & VALIDATED != 0 {
        Security::Validated
    } else if signed && flags & AUTHORITATIVE != 0 {
        Security::Signed
    } else {
        Security::Insecure
    };
    let found = match kind {
        TLSA => Some(Found::Tlsa(tlsa)).filter(|_| is_service(&name)),
        MX => Some(Found::Exchanges(exchanges)),
        HTTPS => Some(Found::Ech(ech)),
        _ => policy.then_some(Found::MailPolicy),
    };
    let is_empty = |found: &Found| match found {
        Found::Tlsa(list) => list.is_empty(),
        Found::Exchanges(list) => list.is_empty(),
        Found::Ech(list) => list.is_empty(),
        Found::MailPolicy => false,
    };
    let found = found.filter(|found| !is_empty(found))?;
    Some(Answer { name, found, security, ttl })
}

/// The first message of a stream, behind its length (RFC 1035 section 4.2.2).
pub fn framed(stream: &[u8]) -> Option<&[u8]> {
    let len = usize::from(be16(stream, 0)?);
    stream.get(2..len.checked_add(2)?)
}

/// The domain whose policy for mail a name stands for.
pub fn policy_domain(name: &str) -> Option<&str> {
    name.strip_prefix(POLICY_PREFIX)
}

/// The transport's port and host of a name such as `_25._tcp.mail.example.test`.
pub fn service(name: &str) -> Option<(u16, &str)> {
    let (port, rest) = name.strip_prefix('_')?.split_once('.')?;
    let (transport, host) = rest.split_once('.')?;
    let known = matches!(transport, "_tcp" | "_udp");
    Some((port.parse().ok()?, host)).filter(|_| known)
}

fn is_service(name: &str) -> bool {
    service(name).is_some()
}

/// The keys in the parameters of an HTTPS record (RFC 9460 section 2.2, RFC 9848) between these places; none where it is an alias or has none.
fn ech_keys(message: &[u8], start: usize, end: usize) -> Vec<EchKey> {
    let list = || {
        let mut rest = message.get(skip_name(message, start.checked_add(2)?)?..end)?;
        loop {
            let (number, len) = (be16(rest, 0)?, usize::from(be16(rest, 2)?));
            let value = rest.get(4..len.checked_add(4)?)?;
            if number == ECH {
                return value.get(2..);
            }
            rest = rest.get(len.checked_add(4)?..)?;
        }
    };
    let mut rest = list().unwrap_or_default();
    let mut keys = Vec::new();
    while let Some((version, len)) = be16(rest, 0).zip(be16(rest, 2)).filter(|_| keys.len() < MOST_KEYS) {
        let (config, behind) = rest.get(4..).and_then(|rest| rest.split_at_checked(usize::from(len))).unwrap_or_default();
        if version == ECH_CONFIG {
            keys.extend(ech_key(config));
        }
        rest = behind;
    }
    keys
}

/// Number, KEM, public key, suites, the longest name, and the public name.
fn ech_key(config: &[u8]) -> Option<EchKey> {
    let key = usize::from(be16(config, 3)?).checked_add(5)?;
    let suites = usize::from(be16(config, key)?).checked_add(key)?.checked_add(2)?;
    let len = usize::from(*config.get(suites.checked_add(1)?)?);
    let start = suites.checked_add(2)?;
    let name = std::str::from_utf8(config.get(start..start.checked_add(len)?)?).ok()?;
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    plain.then(|| EchKey { config_id: config.first().copied().unwrap_or_default(), public_name: name.to_ascii_lowercase().into() })
}

fn record(body: &[u8]) -> Option<Tlsa> {
    let [usage, selector, matching, data @ ..] = body else { return None };
    let fits = match matching {
        0 => !data.is_empty(),
        1 => data.len() == 32,
        2 => data.len() == 64,
        _ => data.len() <= LONGEST_HASH,
    };
    let hash = if *matching == 0 { Sha256::digest(data).as_slice().into() } else { data.into() };
    fits.then_some(Tlsa { usage: *usage, selector: *selector, matching: *matching, hash })
}

/// Where a name ends that begins here.
fn skip_name(message: &[u8], mut at: usize) -> Option<usize> {
    for _ in 0..MOST_LABELS {
        match message.get(at)? {
            0 => return at.checked_add(1),
            len @ 1..=63 => at = at.checked_add(usize::from(*len))?.checked_add(1)?,
            0xc0.. => return at.checked_add(2),
            _ => return None,
        }
    }
    None
}

/// A name, in lower case. `None` for one of other letters than names of hosts have, and for one that goes round in circles.
fn name(message: &[u8], mut at: usize) -> Option<Box<str>> {
    let mut text = String::new();
    for _ in 0..MOST_LABELS {
        match message.get(at)? {
            0 => return (!text.is_empty()).then(|| text.into_boxed_str()),
            len @ 1..=63 => {
                let end = at.checked_add(usize::from(*len))?.checked_add(1)?;
                let label = message.get(at.checked_add(1)?..end)?;
                if !label.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
                    return None;
                }
                if !text.is_empty() {
                    text.push('.');
                }
                text.extend(label.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
                at = end;
            }
            0xc0.. => {
                let to = usize::from(be16(message, at)? & 0x3fff);
                // What is pointed at came before.
                at = Some(to).filter(|to| *to < at)?;
            }
            _ => return None,
        }
        if text.len() > LONGEST_NAME {
            return None;
        }
    }
    None
}

const HEADER: usize = 12;
const RESPONSE: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
const AUTHORITATIVE: u16 = 0x0400;
const TRUNCATED: u16 = 0x0200;
const VALIDATED: u16 = 0x0020;
const CODE: u16 = 0x000f;
/// Its value where there is no such name (RFC 1035 section 4.1.1).
const NO_SUCH_NAME: u16 = 3;

const MX: u16 = 15;
const TXT: u16 = 16;
const RRSIG: u16 = 46;
const TLSA: u16 = 52;
const HTTPS: u16 = 65;

/// The parameter `ech`, and the version of what is in it.
const ECH: u16 = 5;
const ECH_CONFIG: u16 = 0xfe0d;
/// Keys of one record that are read.
const MOST_KEYS: usize = 8;

const POLICY_PREFIX: &str = "_mta-sts.";
const POLICY: &[u8] = b"v=STSv1";

/// Records of one answer that are read, aliases and signatures among them.
const MOST_RECORDS: u16 = 32;
/// A name has fewer labels, and pointers between them.
const MOST_LABELS: usize = 130;
const LONGEST_NAME: usize = 253;
/// The hash of a kind that is not known is kept up to this.
const LONGEST_HASH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: &[u8] = b"\x03_25\x04_tcp\x04Mail\x07example\x04test\0";

    fn message(flags: u16, name: &[u8], kind: u16, records: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34];
        bytes.extend(flags.to_be_bytes());
        bytes.extend([0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
        bytes.extend(name);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1]);
        for (kind, data) in records {
            bytes.extend([0xc0, 12]);
            bytes.extend(kind.to_be_bytes());
            bytes.extend([0, 1, 0, 0, 0, 60]);
            bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            bytes.extend(*data);
        }
        bytes
    }

    fn tlsa(usage: u8, selector: u8, matching: u8, hash: &[u8]) -> Vec<u8> {
        [&[usage, selector, matching][..], hash].concat()
    }

    #[test]
    fn a_validated_set_of_two() {
        let (one, two) = (tlsa(3, 1, 1, &[7; 32]), tlsa(2, 0, 2, &[8; 64]));
        let answer = read(&message(0x81a0, ASKED, TLSA, &[(TLSA, &one), (TLSA, &two)])).unwrap();
        assert_eq!(&*answer.name, "_25._tcp.mail.example.test");
        assert_eq!(answer.security, Security::Validated);
        let Found::Tlsa(records) = answer.found else { panic!() };
        assert_eq!(records[0], Tlsa { usage: 3, selector: 1, matching: 1, hash: [7; 32].into() });
        assert_eq!(records[0].to_string(), format!("3 1 1 {}", "07".repeat(32)));
        assert_eq!((records[1].usage, records[1].hash.len()), (2, 64));
        assert_eq!(service(&answer.name), Some((25, "mail.example.test")));
    }

    #[test]
    fn signatures_vouch_only_where_the_zones_own_server_gave_them() {
        let record = tlsa(3, 1, 1, &[7; 32]);
        let records: [(u16, &[u8]); 2] = [(TLSA, &record), (RRSIG, &[0, 52, 13, 5, 0, 0])];
        let security = |flags| read(&message(flags, ASKED, TLSA, &records)).unwrap().security;
        assert_eq!((security(0x8400), security(0x8180), security(0x81a0)), (Security::Signed, Security::Insecure, Security::Validated));
        let other: [(u16, &[u8]); 2] = [(TLSA, &record), (RRSIG, &[0, 1, 13, 5, 0, 0])];
        assert_eq!(read(&message(0x8400, ASKED, TLSA, &other)).unwrap().security, Security::Insecure);
    }

    #[test]
    fn the_thing_itself_is_kept_as_its_hash() {
        let record = tlsa(3, 0, 0, b"a certificate");
        let Found::Tlsa(records) = read(&message(0x8180, ASKED, TLSA, &[(TLSA, &record)])).unwrap().found else { panic!() };
        assert_eq!(&*records[0].hash, Sha256::digest(b"a certificate").as_slice());
    }

    #[test]
    fn exchanges_and_policies() {
        let answer = read(&message(0x8180, b"\x07example\x04test\0", MX, &[(MX, b"\0\x0a\x02mx\xc0\x0c")])).unwrap();
        assert_eq!(answer.found, Found::Exchanges(vec!["mx.example.test".into()]));
        let policy = |text: &[u8], name: &[u8]| read(&message(0x8180, name, TXT, &[(TXT, text)]));
        let name = b"\x08_mta-sts\x07example\x04test\0";
        let answer = policy(b"\x13v=STSv1; id=20260101", name).unwrap();
        assert_eq!((policy_domain(&answer.name), answer.found), (Some("example.test"), Found::MailPolicy));
        assert_eq!(policy(b"\x06v=spf1", name), None);
        assert_eq!(policy(b"\x13v=STSv1; id=20260101", b"\x07example\x04test\0"), None, "another name");
    }

    #[test]
    fn keys_for_the_encrypted_hello() {
        let config = |id: u8, name: &[u8]| {
            let len = u8::try_from(name.len()).unwrap();
            let body = [&[id, 0, 0x20, 0, 2, 7, 7, 0, 4, 0, 1, 0, 1, 32, len][..], name, &[0, 0]].concat();
            [&[0xfe, 0x0d][..], &u16::try_from(body.len()).unwrap().to_be_bytes(), &body].concat()
        };
        let list = [config(7, b"Public.example.test"), vec![0xfe, 0x0a, 0, 1, 9], config(8, b"p.test"), config(9, b"bad name")].concat();
        let list = [&u16::try_from(list.len()).unwrap().to_be_bytes()[..], &list].concat();
        let service = |parameters: &[u8]| [&[0, 1, 0][..], parameters].concat();
        let ech = [&[0, 1, 0, 3, 2, b'h', b'2', 0, 5][..], &u16::try_from(list.len()).unwrap().to_be_bytes(), &list].concat();
        let read = |record: &[u8]| read(&message(0x8180, b"\x06secret\x04test\0", HTTPS, &[(HTTPS, record)]));
        let answer = read(&service(&ech)).unwrap();
        let key = |config_id, name: &str| EchKey { config_id, public_name: name.into() };
        assert_eq!((&*answer.name, answer.found), ("secret.test", Found::Ech(vec![key(7, "public.example.test"), key(8, "p.test")])));
        assert_eq!(read(&service(&[0, 1, 0, 3, 2, b'h', b'2'])), None, "no keys");
        assert_eq!(read(&[0, 0, 4, b't', b'e', b's', b't', 0]), None, "an alias");
        assert!((0..ech.len()).all(|len| read(&service(&ech[..len])).is_none_or(|answer| matches!(answer.found, Found::Ech(_)))));
    }

    #[test]
    fn what_is_no_whole_answer_says_nothing() {
        let record = tlsa(3, 1, 1, &[7; 32]);
        let whole = message(0x8180, ASKED, TLSA, &[(TLSA, &record)]);
        assert!((0..whole.len()).all(|len| read(&whole[..len]).is_none()), "cut");
        for flags in [0x0100, 0x8380, 0x8182, 0xa180] {
            assert_eq!(read(&message(flags, ASKED, TLSA, &[(TLSA, &record)])), None, "{flags:04x}");
        }
        assert_eq!(read(&message(0x8180, b"\x04mail\x04test\0", MX, &[])), None, "nothing there");
        assert_eq!(read(&message(0x8180, ASKED, TLSA, &[(TLSA, &tlsa(3, 1, 1, &[7; 31]))])), None, "no hash of that length");
        assert_eq!(read(&message(0x8180, b"\x04mail\x04test\0", TLSA, &[(TLSA, &record)])), None, "no service");
        assert_eq!(read(&message(0x8180, b"\xc0\x0c", TLSA, &[(TLSA, &record)])), None, "a pointer at itself");
        assert_eq!(read(&message(0x8180, b"\x03a\nb\0", MX, &[(MX, b"\0\x0a\xc0\x0c")])), None, "no host has such a name");
    }

    #[test]
    fn that_there_are_no_records_is_heard_and_a_part_of_many_is_not() {
        let record = tlsa(3, 1, 1, &[7; 32]);
        let found = |message: &[u8]| read(message).map(|answer| answer.found);
        assert_eq!(found(&message(0x8180, ASKED, TLSA, &[])), Some(Found::Tlsa(Vec::new())));
        assert_eq!(found(&message(0x8183, ASKED, TLSA, &[])), Some(Found::Tlsa(Vec::new())), "no such name");
        let many: Vec<(u16, &[u8])> = (0..=MOST_RECORDS).map(|_| (TLSA, record.as_slice())).collect();
        assert_eq!(found(&message(0x8180, ASKED, TLSA, &many)), Some(Found::Tlsa(Vec::new())));
    }

    #[test]
    fn a_stream_begins_with_a_length() {
        assert_eq!(framed(b"\0\x02abc"), Some(&b"ab"[..]));
        assert_eq!((framed(b"\0\x03ab"), framed(b"\0")), (None, None));
    }
}
