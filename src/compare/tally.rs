//! What a capture shows of each service.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use crate::report::{Cause, Certificate, Classes, Handshake, Outcome, Sink, Summary, word};
use crate::time::Timestamp;

/// How often each value was seen.
pub(super) type CountsByName = BTreeMap<String, u64>;

/// A capture, service by service.
#[derive(Debug, Default)]
pub struct Tally {
    /// What was read.
    pub(super) sources: Vec<String>,
    /// Its first and its last frame.
    pub(super) times: Option<(Timestamp, Timestamp)>,
    pub(super) services: BTreeMap<String, Service>,
    pub(super) overall: Service,
}

/// What is known of a service.
#[derive(Debug, Default)]
pub(super) struct Service {
    pub(super) classes: Classes,
    pub(super) causes: CountsByName,
    pub(super) versions: CountsByName,
    pub(super) ciphers: CountsByName,
    pub(super) groups: CountsByName,
    pub(super) protocols: CountsByName,
    pub(super) addresses: CountsByName,
    /// Fingerprints of clients, and of those whose handshakes failed.
    pub(super) clients: CountsByName,
    pub(super) failing_clients: CountsByName,
    /// Leaf certificates by SHA-256.
    pub(super) certificates: BTreeMap<[u8; 32], Arc<Certificate>>,
    /// Whole and server's think time of full handshakes that completed, in microseconds.
    pub(super) totals: Vec<u64>,
    pub(super) thinks: Vec<u64>,
}

impl Sink for Tally {
    fn handshake(&mut self, report: &Handshake<'_>) -> io::Result<()> {
        let address = report.server.to_string();
        let service = report.server_name().map_or_else(|| address.clone(), str::to_ascii_lowercase);
        self.overall.take(report, &address);
        if self.services.len() < SERVICES || self.services.contains_key(&service) {
            self.services.entry(service).or_default().take(report, &address);
        }
        Ok(())
    }
}

impl Tally {
    /// The capture is over.
    pub fn end(&mut self, summary: &Summary) {
        self.sources = summary.inputs.iter().map(|input| input.source.clone()).collect();
        self.times = summary.times;
        for service in self.services.values_mut().chain([&mut self.overall]) {
            service.totals.sort_unstable();
            service.thinks.sort_unstable();
        }
    }
}

impl Service {
    fn take(&mut self, report: &Handshake<'_>, address: &str) {
        let class = report.class();
        self.classes.add(class);
        count(&mut self.addresses, Some(address));
        count(&mut self.causes, report.diagnosis.cause.map(Cause::slug));
        let Some(tls) = &report.tls else { return };
        if let Some(client) = &tls.client {
            count(&mut self.clients, Some(client.offer.ja4()));
            if class.is_failure() {
                count(&mut self.failing_clients, Some(client.offer.ja4()));
            }
        }
        if let Some(leaf) = report.server_certificates().first()
            && self.certificates.len() < VALUES
        {
            self.certificates.entry(leaf.sha256).or_insert_with(|| Arc::clone(leaf));
        }
        if report.handshake.outcome != Outcome::Completed {
            return;
        }
        count(&mut self.versions, tls.version.map(|version| word(version.name(), version)).as_deref());
        count(&mut self.ciphers, tls.cipher.map(|cipher| word(cipher.name(), cipher)).as_deref());
        count(&mut self.groups, tls.curve.map(|curve| word(curve.name(), curve)).as_deref());
        count(&mut self.protocols, tls.next_protocol.as_deref());
        if !report.handshake.resumed {
            for (times, time) in
                [(&mut self.totals, report.handshake.timing.total_us), (&mut self.thinks, report.handshake.timing.server_think_us)]
            {
                if let Some(time) = time.filter(|_| times.len() < TIMES) {
                    times.push(time);
                }
            }
        }
    }
}

fn count(counts: &mut CountsByName, value: Option<&str>) {
    let Some(value) = value else { return };
    if let Some(count) = counts.get_mut(value) {
        *count = count.saturating_add(1);
    } else if counts.len() < VALUES {
        counts.insert(value.to_owned(), 1);
    }
}

/// Services told apart; the others count in the whole.
const SERVICES: usize = 1 << 16;
/// Values told apart for one service.
const VALUES: usize = 1024;
/// Times kept for one service.
const TIMES: usize = 1 << 16;
