//! The fields of `kind: tally`, `kind: heartbeat` and `kind: sensor` in their order.

use std::time::Duration;

use super::heartbeat::Heartbeat;
use super::sensor::Sensed;
use super::tally::Tally;
use super::writer::{Writer, key};
use super::{Cause, SCHEMA, ecs, fields, word};
use crate::flow::Shown;

impl Tally {
    /// Writes `kind: tally`.
    pub fn write(&self, w: &mut impl Writer) {
        w.word(key!("schema"), SCHEMA);
        w.word(key!("kind"), "tally");
        self.write_event(w);
        w.word(key!("transport"), self.transport.name());
        w.object(key!("server"), |w| fields::server_endpoint(w, self.server, self.server_ttl));
        w.text_if_any(key!("server_name"), self.server_name.as_deref());
        if let Some(version) = self.version {
            w.word(key!("version"), &word(version.name(), version));
        }
        w.word(key!("outcome"), self.outcome.name());
        w.word(key!("class"), self.class.name());
        w.word_if_any(key!("cause"), self.cause.map(Cause::slug));
        if let Some(certificate) = &self.certificate {
            w.object(key!("certificate"), |w| {
                w.text(key!("serial"), &certificate.serial);
                w.text(key!("issuer"), &certificate.issuer);
                w.time(key!("not_after"), certificate.not_after);
            });
        }
        w.number(key!("handshakes"), self.starts.len() as u64);
        w.flag(key!("listed"), self.listed);
        w.texts(key!("clients"), self.clients.iter().map(|client| Shown(*client).to_string()));
        w.number(key!("clients_total"), self.clients.len() as u64);
        w.numbers(key!("starts_ns"), self.starts.iter().copied());
    }
}

impl Heartbeat {
    /// Writes `kind: heartbeat`.
    pub fn write<W: Writer>(&self, w: &mut W) {
        w.word(key!("schema"), SCHEMA);
        w.word(key!("kind"), "heartbeat");
        self.write_event(w);
        w.time(key!("started"), self.started);
        w.number(key!("uptime_us"), micros(self.uptime));
        w.number(key!("sequence"), self.sequence);
        w.flag(key!("last"), self.last);
        w.number(key!("lag_us"), micros(self.lag));
        let sum = |count: fn(&super::InterfaceCounts) -> u64| self.interfaces.iter().map(count).fold(0, u64::saturating_add);
        w.number(key!("packets"), sum(|interface| interface.packets));
        w.number(key!("bytes"), sum(|interface| interface.bytes));
        w.number(key!("drops"), sum(|interface| interface.drops));
        w.objects(key!("interfaces"), &self.interfaces, |w: &mut W, interface| {
            w.text(key!("name"), &interface.name);
            w.number(key!("packets"), interface.packets);
            w.number(key!("bytes"), interface.bytes);
            w.number(key!("drops"), interface.drops);
            w.flag(key!("down"), interface.down);
        });
        w.number(key!("flows"), self.flows);
        w.number(key!("handshakes"), self.classes.total());
        w.object(key!("classes"), |w| self.classes.iter().for_each(|(class, number)| w.number(ecs::class_key(class), number)));
        w.number(key!("lost_reports"), self.lost_reports);
        w.number(key!("recordings"), self.recordings);
        w.number(key!("lost_recordings"), self.lost_recordings);
        w.number(key!("spool_dropped_files"), self.spool_dropped_files);
        w.number(key!("spool_dropped_bytes"), self.spool_dropped_bytes);
        w.number_if_any(key!("memory"), self.memory);
    }
}

impl Sensed {
    /// Writes `kind: sensor`.
    pub fn write<W: Writer>(&self, w: &mut W) {
        w.word(key!("schema"), SCHEMA);
        w.word(key!("kind"), "sensor");
        self.write_event(w);
        w.word(key!("state"), self.state.name());
        w.time(key!("heard"), self.heard);
        w.objects(key!("gaps"), &self.gaps, |w: &mut W, (from, to)| {
            w.time(key!("from"), *from);
            w.time(key!("to"), *to);
        });
        w.number(key!("drops"), self.drops);
        w.number(key!("lost_reports"), self.lost_reports);
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
