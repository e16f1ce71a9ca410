//! A first file of expectations, from what good captures show.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::check::rate;
use crate::report::{Cause, CipherSuite, Class, NamedGroup, ProtocolVersion, Sighting};

/// Gathers what services do. Bounded.
#[derive(Debug, Default)]
pub struct Learner {
    services: BTreeMap<String, Learnt>,
    beyond: u64,
    handshakes: u64,
}

#[derive(Debug, Default)]
struct Learnt {
    /// It is known by its name, not by its address.
    named: bool,
    handshakes: u64,
    decided: u64,
    failed: u64,
    versions: BTreeMap<u32, ProtocolVersion>,
    groups: BTreeSet<NamedGroup>,
    ciphers: BTreeSet<CipherSuite>,
    issuers: BTreeSet<String>,
    days_left: Option<u64>,
    /// A certificate had expired when it was served.
    expired: bool,
    causes: BTreeSet<Cause>,
}

impl Learner {
    /// Takes a handshake.
    pub fn add(&mut self, seen: &Sighting) {
        if seen.provisional || seen.class == Class::Probe {
            return;
        }
        self.handshakes = self.handshakes.saturating_add(1);
        let place = seen.name.clone().unwrap_or_else(|| seen.server.to_string());
        if self.services.len() >= SERVICES && !self.services.contains_key(&place) {
            self.beyond = self.beyond.saturating_add(1);
            return;
        }
        let learnt = self.services.entry(place).or_default();
        learnt.named = seen.name.is_some();
        learnt.add(seen);
    }

    /// The file. `sources` and `times` say where it comes from.
    pub fn file(&self, sources: &str) -> String {
        let mut out = String::new();
        let put = |out: &mut String, line: &str| {
            out.push_str(line);
            out.push('\n');
        };
        put(&mut out, "# What handshark expects of these services, as learnt from");
        put(&mut out, &format!("#   {}", quoted(sources)));
        put(&mut out, "# Read it, and change what should be otherwise; then hold captures or a running host against it:");
        put(&mut out, "#   handshark expect THIS-FILE CAPTURE...");
        put(&mut out, "#   handshark live -i eth0 --json --duration 10m | handshark expect THIS-FILE -");
        put(
            &mut out,
            "# It ends with exit code 0 where all is as expected, 1 where it is not. What a service does not mention is not expected.",
        );
        put(&mut out, "");
        put(&mut out, "# What nothing in the captures shows: \"allow\", or \"fail\" to take it for a difference.");
        put(&mut out, "unobserved = \"allow\"");
        put(&mut out, "# Services that are not described here: \"allow\" or \"fail\".");
        put(&mut out, "other_services = \"allow\"");
        for (place, learnt) in &self.services {
            learnt.write(&mut out, place);
        }
        if self.beyond > 0 {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "\n# There was no room for the services of {} more handshakes.", self.beyond);
        }
        out
    }

    /// Handshakes that were taken.
    pub const fn handshakes(&self) -> u64 {
        self.handshakes
    }
}

impl Learnt {
    fn add(&mut self, seen: &Sighting) {
        self.handshakes = self.handshakes.saturating_add(1);
        self.decided = self.decided.saturating_add(seen.class.is_decided().into());
        self.failed = self.failed.saturating_add(seen.class.is_failure().into());
        if seen.class != Class::Undecided {
            self.causes.extend(seen.cause);
        }
        if let Some(leaf) = seen.server_certificates.first() {
            keep(&mut self.issuers, leaf.issuer.clone());
            self.expired |= leaf.not_after < seen.start;
            let left = leaf.not_after.since(seen.start).as_secs() / 86_400;
            self.days_left = Some(self.days_left.map_or(left, |known| known.min(left)));
        }
        if seen.completed() {
            if let Some(version) = seen.version.filter(|version| version.name().is_some()) {
                self.versions.insert(version.rank(), version);
            }
            seen.group.into_iter().for_each(|group| keep(&mut self.groups, group));
            seen.cipher.into_iter().for_each(|cipher| keep(&mut self.ciphers, cipher));
        }
    }

    fn write(&self, out: &mut String, place: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "\n[[service]]");
        if self.named {
            let _ = writeln!(out, "name = {}", quoted(&literal(place)));
        } else {
            let _ = writeln!(out, "name = \"\"  # none was asked for\nserver = {}", quoted(place));
        }
        let _ = writeln!(
            out,
            "# {} seen, {} of {} failed.",
            crate::wording::counted(self.handshakes, "handshake was", "handshakes were"),
            self.failed,
            self.decided
        );
        let lists: [(&str, Vec<String>, &str); 4] = [
            ("versions", self.versions.values().rev().map(ToString::to_string).collect(), "completed with no other version"),
            ("groups", self.groups.iter().map(ToString::to_string).collect(), "completed with no other group"),
            ("ciphers", self.ciphers.iter().map(ToString::to_string).collect(), "completed with no other suite"),
            ("issuers", self.issuers.iter().map(|issuer| literal(issuer)).collect(), "who signed its certificate; `*` stands for anything"),
        ];
        for (key, list, about) in lists {
            if list.is_empty() {
                let _ = writeln!(out, "# {key} = []  # was not observed");
            } else {
                let list: Vec<String> = list.iter().map(|one| quoted(one)).collect();
                let _ = writeln!(out, "{key} = [{}]  # {about}", list.join(", "));
            }
        }
        match self.days_left {
            Some(_) if self.expired => {
                let _ = writeln!(out, "# days_to_expiry = {DAYS}  # its certificate had expired");
            }
            Some(left) if left >= DAYS => {
                let _ = writeln!(out, "days_to_expiry = {DAYS}  # its certificate had {left} days left");
            }
            Some(left) => {
                let _ = writeln!(out, "days_to_expiry = {left}  # as few as its certificate had left; {DAYS} would be safer");
            }
            None => {
                let _ = writeln!(out, "# days_to_expiry = {DAYS}  # was not observed: TLS 1.3 encrypts certificates");
            }
        }
        let rate = (rate(self.failed, self.decided) * 100.0).ceil() / 100.0;
        let _ = writeln!(out, "failure_rate = {rate:.2}  # the share of handshakes that may fail, from 0 to 1");
        let causes: Vec<String> = self.causes.iter().map(|cause| quoted(cause.slug())).collect();
        let _ = writeln!(out, "causes = [{}]  # no other may be found", causes.join(", "));
    }
}

fn keep<T: Ord>(few: &mut BTreeSet<T>, one: T) {
    if few.len() < VALUES {
        few.insert(one);
    }
}

/// A text as a string of TOML, with nothing in it that acts on a terminal or hides.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() || (!c.is_ascii() && !c.is_alphanumeric()) => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A pattern that stands for this text and no other.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\' | '!') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Services told apart.
const SERVICES: usize = 5_000;
/// Values of a kind kept of each.
const VALUES: usize = 64;
/// Days in which a certificate is usually renewed.
const DAYS: u64 = 14;
