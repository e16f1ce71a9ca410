//! `handshark certs`: every certificate seen, as PEM, with an index of where, when and by whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use data_encoding::{BASE64, HEXLOWER};
use serde::Serialize;

use super::job::Job;
use super::stop_on_signal;
use crate::cli::CertsOptions;
use crate::error::Error;
use crate::flow::{Endpoint, Side};
use crate::output::delivery::{Delivery, Manner};
use crate::output::figures::counted;
use crate::output::say::say;
use crate::report::{self, Handshake, Sink};
use crate::time::Timestamp;
use crate::tls::certificate::Certificate;

/// Writes certificates.
pub(super) fn certs(options: &CertsOptions) -> anyhow::Result<()> {
    let job = Job::new(&options.inputs, &options.query, stop_on_signal()?);
    let directory = &options.output;
    let index_path = directory.join(INDEX);
    if !options.force && fs::symlink_metadata(&index_path).is_ok() {
        bail!("{} exists already; name another directory, or replace it with --force", index_path.display());
    }
    let mut found = Found::default();
    let summary = job.run(&mut found)?;
    if found.certificates.is_empty() {
        let why = match found.encrypted {
            0 => "only full handshakes of TLS 1.2 and below send a chain in clear",
            _ => "TLS 1.3 encrypts certificates; supply the connections' keys with --keylog",
        };
        bail!("no certificate was seen in {}: {why}", counted(summary.handshakes, "handshake", "handshakes"));
    }
    fs::create_dir_all(directory).map_err(|source| failed(directory, source))?;
    let mut files = Files { force: options.force, made: Vec::new() };
    let mut entries: Vec<Entry> = Vec::new();
    for (sha256, seen) in found.certificates {
        let name = file_name(&seen.certificate, &HEXLOWER.encode(&sha256));
        files.write(directory.join(&name), pem(&seen.certificate.der).as_bytes(), false)?;
        entries.push(seen.entry(name));
    }
    entries.sort_by(|a, b| (&a.first_seen, &a.what.sha256).cmp(&(&b.first_seen, &b.what.sha256)));
    let index = Index {
        schema: "handshark-certs/1",
        version: report::VERSION,
        inputs: summary.inputs.iter().map(|input| input.source.clone()).collect(),
        handshakes: summary.handshakes,
        encrypted: found.encrypted,
        left_out: found.left_out,
        certificates: entries,
    };
    let mut text = serde_json::to_vec_pretty(&index)?;
    text.push(b'\n');
    files.write(index_path, &text, true)?;
    files.made.clear();
    let hidden = match found.encrypted {
        0 => String::new(),
        more => format!("; {} encrypted theirs (TLS 1.3)", counted(more, "handshake", "handshakes")),
    };
    let written = counted(index.certificates.len() as u64, "certificate", "certificates");
    say(format!("wrote {written} and {INDEX} to {}{hidden}", directory.display()));
    Ok(())
}

/// Files that belong together. Those that were made are gone with the value: certificates without their index are of little use.
struct Files {
    force: bool,
    made: Vec<PathBuf>,
}

impl Files {
    /// The last of them is `synced`.
    fn write(&mut self, path: PathBuf, content: &[u8], synced: bool) -> anyhow::Result<()> {
        let new = fs::symlink_metadata(&path).is_err();
        let mut delivery = Delivery::begin(&path, &Manner { force: self.force, text: true, synced, ..Manner::default() })?;
        delivery.write_all(content).map_err(|source| delivery.failed(source))?;
        delivery.deliver()?;
        if new {
            self.made.push(path);
        }
        Ok(())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.made {
            let _ = fs::remove_file(path);
        }
    }
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error::Write { what: path.display().to_string(), source }
}

#[derive(Debug, Default)]
struct Found {
    /// By SHA-256.
    certificates: BTreeMap<[u8; 32], Seen>,
    /// Handshakes whose certificates were hidden.
    encrypted: u64,
    /// Certificates beyond the bound.
    left_out: u64,
}

#[derive(Debug)]
struct Seen {
    certificate: Arc<Certificate>,
    what: Arc<report::Certificate>,
    first: Timestamp,
    last: Timestamp,
    handshakes: u64,
    /// Server and the name asked for, with the number of handshakes.
    servers: BTreeMap<(Endpoint, Option<String>), u64>,
    clients: BTreeSet<Endpoint>,
    presented_by: BTreeSet<&'static str>,
    chains: BTreeSet<Vec<[u8; 32]>>,
}

impl Sink for Found {
    fn handshake(&mut self, report: &Handshake<'_>) -> io::Result<()> {
        let Some(facts) = report.facts else { return Ok(()) };
        if facts.server_chain.is_none() && facts.is_tls13() && facts.server_hello.is_some() && facts.resumption.is_none() {
            self.encrypted += 1;
        }
        let (served, own) = (report.server_certificates(), report.client_certificates());
        for (side, chain, reports) in [(Side::Server, &facts.server_chain, served), (Side::Client, &facts.client_chain, own)] {
            let Some(chain) = chain else { continue };
            let at = chain.mark.time;
            let digests: Vec<[u8; 32]> = chain.what.certificates.iter().map(|certificate| certificate.sha256).collect();
            for (certificate, what) in chain.what.certificates.iter().zip(reports) {
                if self.certificates.len() >= MOST && !self.certificates.contains_key(&what.sha256) {
                    self.left_out += 1;
                    continue;
                }
                let seen = self.certificates.entry(what.sha256).or_insert_with(|| Seen {
                    certificate: Arc::clone(certificate),
                    what: Arc::clone(what),
                    first: at,
                    last: at,
                    handshakes: 0,
                    servers: BTreeMap::new(),
                    clients: BTreeSet::new(),
                    presented_by: BTreeSet::new(),
                    chains: BTreeSet::new(),
                });
                seen.handshakes += 1;
                seen.presented_by.insert(side.name());
                if seen.servers.len() < PLACES {
                    *seen.servers.entry((facts.server, facts.server_name())).or_default() += 1;
                }
                if seen.clients.len() < PLACES {
                    seen.clients.insert(Endpoint::new(facts.client.address, 0));
                }
                if seen.chains.len() < PLACES {
                    seen.chains.insert(digests.clone());
                }
                seen.first = seen.first.min(at);
                seen.last = seen.last.max(at);
            }
        }
        Ok(())
    }
}

/// index.json.
#[derive(Debug, Serialize)]
struct Index {
    schema: &'static str,
    version: &'static str,
    inputs: Vec<String>,
    handshakes: u64,
    encrypted: u64,
    left_out: u64,
    certificates: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    file: String,
    #[serde(flatten)]
    what: What,
    #[serde(skip_serializing_if = "Option::is_none")]
    malformed: Option<String>,
    presented_by: Vec<&'static str>,
    first_seen: Timestamp,
    last_seen: Timestamp,
    handshakes: u64,
    servers: Vec<Place>,
    clients: Vec<String>,
    chains: Vec<Vec<String>>,
}

#[derive(Debug, Serialize)]
struct Place {
    address: String,
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    handshakes: u64,
}

/// What a handshake's report says of a certificate.
#[derive(Debug, Serialize)]
struct What {
    subject: String,
    issuer: String,
    serial: String,
    not_before: Timestamp,
    not_after: Timestamp,
    san: Vec<String>,
    key: String,
    signature: String,
    sha256: String,
}

impl What {
    fn of(certificate: &report::Certificate) -> Self {
        Self {
            subject: certificate.subject.clone(),
            issuer: certificate.issuer.clone(),
            serial: certificate.serial.clone(),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            san: certificate.san.clone(),
            key: certificate.key.clone(),
            signature: certificate.signature.clone(),
            sha256: certificate.fingerprint(),
        }
    }
}

impl Seen {
    fn entry(self, file: String) -> Entry {
        let place = |((server, name), handshakes): ((Endpoint, Option<String>), u64)| Place {
            address: server.host().to_string(),
            port: server.port,
            name,
            handshakes,
        };
        Entry {
            file,
            malformed: self.certificate.malformed.clone(),
            what: What::of(&self.what),
            presented_by: self.presented_by.into_iter().collect(),
            first_seen: self.first,
            last_seen: self.last,
            handshakes: self.handshakes,
            servers: self.servers.into_iter().map(place).collect(),
            clients: self.clients.into_iter().map(|client| client.host().to_string()).collect(),
            chains: self.chains.iter().map(|chain| chain.iter().map(|digest| HEXLOWER.encode(digest)).collect()).collect(),
        }
    }
}

/// RFC 7468: lines of 64 characters.
fn pem(der: &[u8]) -> String {
    let encoded = BASE64.encode(der);
    let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, behind) = rest.split_at_checked(64).unwrap_or((rest, ""));
        out.push_str(line);
        out.push('\n');
        rest = behind;
    }
    out.push_str("-----END CERTIFICATE-----\n");
    out
}

/// The certificate's name, as far as it may stand in a file's name, and enough of its hash to tell it from all others.
fn file_name(certificate: &Certificate, sha256: &str) -> String {
    let name = certificate.dns_names.first().or(certificate.common_name.as_ref()).cloned().unwrap_or_default();
    let safe: String = name
        .replace("*.", "wildcard.")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c.to_ascii_lowercase() } else { '-' })
        .take(64)
        .collect();
    let safe = safe.trim_matches(['.', '-']);
    let digest: String = sha256.chars().take(16).collect();
    if safe.is_empty() { format!("{digest}.pem") } else { format!("{safe}-{digest}.pem") }
}

const INDEX: &str = "index.json";
/// Certificates held at a time.
const MOST: usize = 1 << 17;
/// Servers, clients and chains named for one certificate.
const PLACES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_has_lines_of_64() {
        let text = pem(&[7; 100]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2 + 136_usize.div_ceil(64));
        assert!(lines.iter().all(|line| line.len() <= 64));
        assert_eq!(BASE64.decode(lines[1..lines.len() - 1].concat().as_bytes()).unwrap(), [7; 100]);
    }
}
