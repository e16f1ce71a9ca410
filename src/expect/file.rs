//! The file of expectations.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use crate::find::{NamePattern, PeerPattern};
use crate::report::{Cause, CipherSuite, NamedGroup, ProtocolVersion, Sighting};

/// What should be true.
#[derive(Debug)]
pub struct Expectations {
    /// What was not observed counts as a difference.
    pub unobserved_fails: bool,
    /// Handshakes with services that no entry describes are differences.
    pub other_services_fail: bool,
    /// What is expected of services, in the file's order.
    pub services: Vec<Service>,
}

/// A service, and what is expected of it.
#[derive(Debug)]
pub struct Service {
    /// As it is told.
    pub label: String,
    name: Option<Asked>,
    server: Option<PeerPattern>,
    /// Handshakes that must be seen.
    pub(super) handshakes: Option<u64>,
    pub(super) versions: Option<Vec<ProtocolVersion>>,
    pub(super) groups: Option<Vec<NamedGroup>>,
    pub(super) ciphers: Option<Vec<CipherSuite>>,
    pub(super) issuers: Option<Vec<(String, NamePattern)>>,
    pub(super) days_to_expiry: Option<u64>,
    /// At most this share of handshakes fails.
    pub(super) failure_rate: Option<f64>,
    pub(super) causes: Option<Vec<Cause>>,
}

impl Service {
    /// Whether a handshake is with this service.
    pub(super) fn is_of(&self, seen: &Sighting) -> bool {
        let by_name = |asked: &Asked| match (asked, seen.name.as_deref()) {
            (Asked::Nothing, name) => name.is_none(),
            (Asked::For(pattern), name) => name.is_some_and(|name| pattern.matches(name)),
        };
        self.name.as_ref().is_none_or(by_name) && self.server.is_none_or(|pattern| pattern.matches(seen.server))
    }
}

/// What clients ask for.
#[derive(Debug)]
enum Asked {
    /// No name.
    Nothing,
    /// A name like this.
    For(NamePattern),
}

impl Asked {
    fn new(pattern: &str) -> Result<Self, String> {
        if pattern.is_empty() { Ok(Self::Nothing) } else { NamePattern::new(pattern).map(Self::For) }
    }
}

/// A mistake in the file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Its line, from 1; none where it concerns the whole file.
    pub line: Option<usize>,
    /// What is wrong, and what would be right.
    pub why: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.why),
            None => f.write_str(&self.why),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    unobserved: Option<Spanned<String>>,
    other_services: Option<Spanned<String>>,
    #[serde(default)]
    service: Vec<Spanned<Entry>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Option<Spanned<String>>,
    server: Option<Spanned<String>>,
    handshakes: Option<Spanned<i64>>,
    versions: Option<Vec<Spanned<String>>>,
    groups: Option<Vec<Spanned<String>>>,
    ciphers: Option<Vec<Spanned<String>>>,
    issuers: Option<Vec<Spanned<String>>>,
    days_to_expiry: Option<Spanned<i64>>,
    failure_rate: Option<Spanned<toml::Value>>,
    causes: Option<Vec<Spanned<String>>>,
}

impl Expectations {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let at = |span: Range<usize>, why: String| Mistake { line: Some(line_of(text, span.start)), why };
        let file: File = toml::from_str(text)
            .map_err(|error| Mistake { line: error.span().map(|span| line_of(text, span.start)), why: with_hint(error.message()) })?;
        let choice = |value: Option<Spanned<String>>, key: &str| match value {
            None => Ok(false),
            Some(word) => match word.get_ref().as_str() {
                "allow" => Ok(false),
                "fail" => Ok(true),
                other => Err(at(word.span(), format!("{key} is {other:?}; write {key} = \"allow\" or \"fail\""))),
            },
        };
        let unobserved_fails = choice(file.unobserved, "unobserved")?;
        let other_services_fail = choice(file.other_services, "other_services")?;
        if file.service.is_empty() {
            return Err(Mistake {
                line: None,
                why: "it expects nothing; add a [[service]] with a name, such as name = \"*.bank.test\", or write a first file with `handshark expect --learn CAPTURE`".to_owned(),
            });
        }
        let services = file.service.into_iter().map(|entry| {
            let span = entry.span();
            service(entry.into_inner(), span, &at)
        });
        Ok(Self { unobserved_fails, other_services_fail, services: services.collect::<Result<_, _>>()? })
    }
}

fn service(entry: Entry, span: Range<usize>, at: &dyn Fn(Range<usize>, String) -> Mistake) -> Result<Service, Mistake> {
    let label = match (&entry.name, &entry.server) {
        (Some(name), Some(server)) if name.get_ref().is_empty() => format!("no name at {}", server.get_ref()),
        (Some(name), Some(server)) => format!("{} at {}", name.get_ref(), server.get_ref()),
        (Some(one), None) | (None, Some(one)) => one.get_ref().clone(),
        (None, None) => {
            let why = "this [[service]] says of no one; give it a name = \"www.bank.test\" (`*` stands for anything) or a server = \"192.0.2.1:443\"";
            return Err(at(span, why.to_owned()));
        }
    };
    let name = entry.name.map(|name| Asked::new(name.get_ref()).map_err(|why| at(name.span(), why))).transpose()?;
    let server = entry.server.map(|server| server.get_ref().parse().map_err(|why| at(server.span(), why))).transpose()?;
    let number = |value: Option<Spanned<i64>>, key: &str| {
        let wrong = |span| at(span, format!("{key} is a whole number, not negative"));
        value.map(|number| u64::try_from(*number.get_ref()).map_err(|_| wrong(number.span()))).transpose()
    };
    let issuer = |text: &str| NamePattern::new(text).map(|pattern| (text.to_owned(), pattern));
    Ok(Service {
        label,
        name,
        server,
        handshakes: number(entry.handshakes, "handshakes")?,
        versions: list(entry.versions, at, version)?,
        groups: list(entry.groups, at, |text| {
            let known = NamedGroup::from_text(text);
            known.ok_or_else(|| format!("{text:?} is no group; write it as reports do: \"x25519\", \"X25519MLKEM768\", \"secp256r1\""))
        })?,
        ciphers: list(entry.ciphers, at, |text| {
            CipherSuite::from_text(text)
                .ok_or_else(|| format!("{text:?} is no cipher suite; write its IANA name: \"TLS_AES_128_GCM_SHA256\""))
        })?,
        issuers: list(entry.issuers, at, issuer)?,
        days_to_expiry: number(entry.days_to_expiry, "days_to_expiry")?,
        failure_rate: entry.failure_rate.map(|rate| share(rate.get_ref()).map_err(|why| at(rate.span(), why))).transpose()?,
        causes: list(entry.causes, at, cause)?,
    })
}

fn list<T>(
    list: Option<Vec<Spanned<String>>>,
    at: &dyn Fn(Range<usize>, String) -> Mistake,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<Vec<T>>, Mistake> {
    let all = list.map(|list| list.into_iter().map(|one| read(one.get_ref()).map_err(|why| at(one.span(), why))).collect());
    all.transpose()
}

fn version(text: &str) -> Result<ProtocolVersion, String> {
    let short = text.trim_start_matches("TLS ").trim_start_matches("DTLS ");
    let known = ProtocolVersion::from_text(short).filter(|version| version.name().is_some());
    known.ok_or_else(|| format!("{text:?} is no version; write \"1.3\", \"1.2\", \"1.1\", \"1.0\" or \"ssl3\""))
}

fn cause(text: &str) -> Result<Cause, String> {
    text.parse().map_err(|()| {
        let near = nearest(text, Cause::ALL.iter().map(|cause| cause.slug()));
        format!("{text:?} is no cause{near}; `handshark explain` lists them")
    })
}

/// A share from 0 to 1, as a number or as `"2 %"`.
fn share(value: &toml::Value) -> Result<f64, String> {
    let share = match value {
        #[allow(clippy::cast_precision_loss, reason = "only 0 and 1 are taken")]
        toml::Value::Integer(whole) => Some(*whole as f64),
        toml::Value::Float(share) => Some(*share),
        toml::Value::String(text) => {
            text.trim().strip_suffix('%').and_then(|percent| percent.trim().parse::<f64>().ok()).map(|percent| percent / 100.0)
        }
        _ => None,
    };
    let share = share.filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "failure_rate is a share from 0 to 1, such as 0.02, or \"2 %\"".to_owned())
}

/// The parser's message, with what was meant where a key is misspelt.
fn with_hint(message: &str) -> String {
    let Some(unknown) = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) else { return message.to_owned() };
    format!("there is no key `{unknown}`{}; there are {}", nearest(unknown, KEYS.iter().copied()), KEYS.join(", "))
}

fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let clipped: String = word.chars().take(40).collect();
    match known.map(|other| (strsim::damerau_levenshtein(&clipped, other), other)).min() {
        Some((distance, other)) if distance <= 1_usize.saturating_add(other.len() / 4) => format!("; did you mean `{other}`?"),
        _ => String::new(),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    before.split(|byte| *byte == b'\n').count()
}

const KEYS: &[&str] = &[
    "unobserved",
    "other_services",
    "service",
    "name",
    "server",
    "handshakes",
    "versions",
    "groups",
    "ciphers",
    "issuers",
    "days_to_expiry",
    "failure_rate",
    "causes",
];
