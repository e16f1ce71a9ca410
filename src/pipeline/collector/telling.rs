//! What is told of handshakes whose verdict is final, and at the end of the capture.

use super::{Collector, HELD, count};
use crate::capture::Inventory;
use crate::count::Count;
use crate::diagnosis::judge::Verdict;
use crate::flow::PerSide;
use crate::handshake::facts::Outcome;
use crate::incident::{Judged, Observation};
use crate::limits;
use crate::origins::Origins;
use crate::owners::Desk;
use crate::packet::Skip;
use crate::pipeline::held::{Held, Unnamed, report};
use crate::pipeline::listening::{self, Listening};
use crate::pipeline::router::RouterCounts;
use crate::pipeline::summary::summary;
use crate::pipeline::worker::Upto;
use crate::report::Summary;
use crate::time::Timestamp;
use crate::traffic::Volumes;
use crate::transport::TableCounters;
use crate::wording::counted;

impl Collector<'_> {
    /// A verdict is final. Whose the ends are may be on its way; nothing else waits for that.
    pub(super) fn conclude(&mut self, held: Held, verdict: Verdict) -> std::io::Result<()> {
        let handshake = &held.handshake;
        if let Some(cause) = verdict.cause() {
            self.knowledge.learn_cause(handshake, held.entered, cause);
            count(&mut self.totals.causes, cause.slug(), 1);
        }
        if let (Some(owners), Some(clock)) = (self.owners, self.clock)
            && owners.awaits(
                handshake.flow.key.transport,
                [handshake.client, handshake.server],
                handshake.end.unwrap_or(handshake.flow.last).time,
            )
        {
            self.held_bytes += held.bytes;
            self.unnamed.push_back(Unnamed { held, verdict, since: clock.now() });
            while self.unnamed.len() > HELD || self.held_bytes > Count::from(limits::HELD_BYTES) {
                let Some(oldest) = self.unnamed.pop_front() else { break };
                self.held_bytes -= oldest.held.bytes;
                self.tell(&oldest.held, &oldest.verdict)?;
            }
            return Ok(());
        }
        self.tell(&held, &verdict)
    }

    /// Tells those of whose ends everything is known, or has been waited for long enough.
    pub(super) fn tell_named(&mut self, now: Timestamp) -> std::io::Result<()> {
        let Some(owners) = self.owners else { return Ok(()) };
        while let Some(Unnamed { held: Held { handshake, .. }, since, .. }) = self.unnamed.front() {
            let end = handshake.end.unwrap_or(handshake.flow.last).time;
            let awaits = || owners.awaits(handshake.flow.key.transport, [handshake.client, handshake.server], end);
            if now.since(*since) < Desk::PATIENCE && awaits() {
                break;
            }
            let Some(oldest) = self.unnamed.pop_front() else { break };
            self.held_bytes -= oldest.held.bytes;
            self.tell(&oldest.held, &oldest.verdict)?;
        }
        Ok(())
    }

    fn tell(&mut self, held: &Held, verdict: &Verdict) -> std::io::Result<()> {
        let handshake = &held.handshake;
        self.totals.handshakes = self.totals.handshakes.saturating_add(1);
        let cut_off = verdict.outcome == Outcome::Incomplete && handshake.flow.unheard_from.is_some();
        for (total, counts) in [
            (&mut self.totals.picked_out, verdict.quality.picked_out),
            (&mut self.totals.stepped, handshake.flow.tcp.is_some_and(|tcp| tcp.clock_step.is_some())),
            (&mut self.totals.cut_off, cut_off),
            (
                &mut self.totals.strays,
                self.shard.is_some_and(|shard| !shard.knows(&handshake.flow.packets_key(), handshake.server.address)),
            ),
        ] {
            *total = total.saturating_add(u64::from(counts));
        }
        count(&mut self.totals.outcomes, verdict.outcome.name(), 1);
        let mut report = report(&mut self.reports, (&self.sources, self.origins.as_ref()), self.observer, self.timeline, held, verdict);
        if let Some(owners) = self.owners {
            owners.name(&mut report);
        }
        self.totals.classes.add(report.class());
        self.totals.answer.handshake(&report);
        let name = handshake.name();
        let owners = PerSide { client: report.owners.client.as_ref(), server: report.owners.server.as_ref() };
        let seen = Observation { owners, ..Observation::of(handshake, name.as_deref(), report.observer.sensor.as_ref()) };
        if held.doubtful {
            // That it was one shows only now.
            self.incidents.attempt(&seen);
        }
        self.incidents.observe(&seen, &Judged::of(verdict, report.handshake.id));
        self.emit.handshake(&report)
    }

    /// The capture is over: what waited is judged with all that is known now; then the incidents, then the summary.
    pub(in crate::pipeline) fn finish(
        mut self,
        inventory: &Inventory,
        counts: &RouterCounts,
        table: &TableCounters,
        traffic: &Volumes,
        interrupted: bool,
    ) -> std::io::Result<Summary> {
        self.release(Upto::ALL)?;
        // Every failure is still held.
        self.knowledge.ends(counts.last.time);
        if counts.skipped(Skip::IcmpTruncated) > 0 {
            self.knowledge.misses_icmp();
        }
        if let Some(listening) = &mut self.listening {
            listening.tune(self.held.iter().map(|held| held.handshake.as_ref()));
        }
        while !self.held.is_empty() {
            self.let_one_go()?;
        }
        // There is no time to wait for more answers.
        self.tell_named(Timestamp::MAX)?;
        if let Some(logs) = self.logs {
            self.notes.push(self.listening.as_ref().map_or_else(|| listening::note(logs, (0, 0), 0), Listening::note));
        }
        self.totals.unplaced_from = self.origins.as_ref().and_then(Origins::unknown_from);
        let incidents = self.incidents.finish();
        let total = self.incidents.ended().saturating_add(incidents.len() as u64);
        self.notes.append(&mut self.incidents.notes());
        if self.totals.copies > 0 {
            self.notes.push(format!(
                "{} of the handshakes {} captured at another point too (same ClientHello or SYN, other addresses) and reported once. To compare two points: handshark match CLIENT.pcap SERVER.pcap.",
                self.totals.copies,
                if self.totals.copies == 1 { "was" } else { "were" }
            ));
        }
        for (count, what) in [
            (
                self.totals.strays,
                "with servers behind a relay, or on ports that look less like a service's than their clients': other shards may hold more of these servers' handshakes, of which nothing is known here. To judge them by all, read all shards at once.",
            ),
            (
                self.totals.picked_out,
                "without a SYN or a bare acknowledgment in the capture: it was cut from a larger one, perhaps by a display filter. Times and silences in it mean nothing; analyze the larger one.",
            ),
            (
                self.totals.stepped,
                "during which the capturing host's clock was stepped, as TCP timestamps show; that time was not counted.",
            ),
        ] {
            if count > 0 {
                self.notes.push(format!("{} {what}", counted(count, "handshake", "handshakes")));
            }
        }
        for incident in incidents {
            self.totals.answer.incident(&incident);
            self.emit.incident(&incident)?;
        }
        let mut summary = summary(inventory, counts, table, traffic, &self.totals, total, interrupted);
        summary.observer.clone_from(self.observer);
        summary.notes.append(&mut self.notes);
        self.emit.summary(&summary)?;
        Ok(summary)
    }
}
