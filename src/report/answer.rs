//! The answer in one sentence: what broke, for whom, since when, how many of how many.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::diagnosis::cause::{Cause, Family};
use crate::diagnosis::finding::Confidence;
use crate::diagnosis::rules;
use crate::time::Timestamp;
use crate::wording::{count as number, counted};

use super::class::{Class, Classes};
use super::handshake::Handshake;
use super::incident::{Incident, State};
use super::traffic::{Carried, total_bytes};

/// What the answer is made of: the handshakes of a run by class and cause. [`Answer::sentence`] puts it into words.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// What was rejected after completion stands with what failed: for its users it is the same.
    groups: BTreeMap<(Class, Option<Cause>), Group>,
    /// Where the first handshake went, of whatever class it was.
    first: Option<String>,
}

/// What else the sentence speaks of: the run's numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) classes: &'a Classes,
    /// Its first and last moment.
    pub(super) times: Option<(Timestamp, Timestamp)>,
    pub(super) frames: u64,
    /// Handshakes that were not asked for.
    pub(super) left_out: u64,
    /// Connections without TLS, by what they carried.
    pub(super) other_flows: &'a BTreeMap<&'static str, u64>,
    /// What the packets carried.
    pub(super) traffic: &'a [Carried],
}

/// Handshakes of one class and cause.
#[derive(Debug, Clone)]
struct Group {
    count: u64,
    first: Timestamp,
    last: Timestamp,
    /// That of the surest.
    confidence: Option<Confidence>,
    /// What all of them say in the place of the words of their cause's page.
    headline: Option<&'static str>,
    /// The first servers, by the names that clients asked for.
    places: Vec<String>,
    /// There were more servers.
    more_places: bool,
    /// What the incidents of this cause say: failures, attempts, clients.
    told: [u64; 3],
    /// How many incidents there are of this cause.
    incidents: u64,
    /// Handshakes completed after the last failure of one of them.
    is_over: bool,
}

impl Answer {
    /// Takes a handshake.
    pub fn handshake(&mut self, report: &Handshake<'_>) {
        if self.first.is_none() {
            self.first = Some(place(report));
        }
        let class = report.class();
        if class == Class::Completed {
            return;
        }
        let class = if class == Class::Rejected { Class::Failed } else { class };
        let at = report.handshake.start;
        let group = self.groups.entry((class, report.diagnosis.cause)).or_insert_with(|| Group {
            count: 0,
            first: at,
            last: at,
            confidence: None,
            headline: report.diagnosis.headline,
            places: Vec::new(),
            more_places: false,
            told: [0; 3],
            incidents: 0,
            is_over: false,
        });
        group.count = group.count.saturating_add(1);
        (group.first, group.last) = (group.first.min(at), group.last.max(at));
        group.confidence = group.confidence.max(report.diagnosis.confidence);
        group.headline = group.headline.filter(|text| report.diagnosis.headline == Some(*text));
        if group.more_places {
            return;
        }
        let place = place(report);
        if !group.places.contains(&place) {
            if group.places.len() < PLACES {
                group.places.push(place);
            } else {
                group.more_places = true;
            }
        }
    }

    /// Takes an incident, after its handshakes. Of a live one only its last word counts.
    pub fn incident(&mut self, incident: &Incident) {
        if matches!(incident.state, Some(State::Begun | State::Growing)) {
            return;
        }
        if let Some(group) = self.groups.get_mut(&(Class::Failed, Some(incident.cause))) {
            group.incidents = group.incidents.saturating_add(1);
            group.is_over |= incident.is_over;
            for (sum, more) in group.told.iter_mut().zip([incident.failed, incident.attempts, incident.clients_total]) {
                *sum = sum.saturating_add(more);
            }
        }
    }

    /// The same with other names and addresses of servers.
    #[must_use]
    pub fn renamed(&self, other: &dyn Fn(&str) -> String) -> Self {
        let rename = |group: &Group| Group { places: group.places.iter().map(|place| other(place)).collect(), ..group.clone() };
        Self { groups: self.groups.iter().map(|(key, group)| (*key, rename(group))).collect(), first: self.first.as_deref().map(other) }
    }

    /// Groups of classes that meet a condition, the largest first.
    fn of(&self, wanted: impl Fn(Class) -> bool) -> Vec<(Option<Cause>, &Group)> {
        let mut found: Vec<_> =
            self.groups.iter().filter(|((class, _), _)| wanted(*class)).map(|((_, cause), group)| (*cause, group)).collect();
        found.sort_by(|(_, a), (_, b)| b.count.cmp(&a.count).then(a.first.cmp(&b.first)));
        found
    }

    /// The answer in one sentence. `moment` tells a moment as its reader wants it.
    pub(super) fn sentence(&self, run: &Run<'_>, moment: &dyn Fn(Timestamp) -> String) -> String {
        let (total, probes) = (run.classes.total(), run.classes.of(Class::Probe));
        if total == 0 {
            return run.without_handshakes();
        }
        let failures = self.of(Class::is_failure);
        if failures.is_empty() {
            return self.without_failures(run);
        }
        let failed = run.classes.of_those(Class::is_failure);
        let fate = match (run.classes.of(Class::Failed), run.classes.of(Class::Rejected)) {
            (_, 0) => "failed",
            (0, 1) => "was rejected after completion",
            (0, _) => "were rejected after completion",
            _ => "failed or were rejected after completion",
        };
        let [(cause, group)] = failures.as_slice() else {
            let causes: Vec<String> =
                failures.iter().take(CAUSES).map(|(cause, group)| group.one_of_several(*cause, run, moment)).collect();
            let more = match failures.len().saturating_sub(CAUSES) {
                0 => String::new(),
                more => format!("; and {}", counted(more as u64, "more cause", "more causes")),
            };
            let many = match (failed, total) {
                (2, 2) => "Both".to_owned(),
                (failed, total) if failed == total => format!("All {}", number(total)),
                _ => format!("{} of {}", number(failed), number(total)),
            };
            return format!("{many} handshakes {fate}: {}{more}.", causes.join("; "));
        };
        let (time, places) = (group.time(run, moment), group.places());
        let why = group.why(*cause);
        if total.saturating_sub(probes) == 1 {
            return format!("The handshake with {places} {fate}{time}{why}.");
        }
        // One is among all there were; many are among those at the same place and time.
        let of = group.attempts().filter(|_| group.count > 1).unwrap_or(total);
        let clients = group.clients().map(|clients| format!(" for {clients}")).unwrap_or_default();
        match group.count {
            1 => format!("1 of {} handshakes {fate}, with {places}{time}{why}.", number(of)),
            2 if of == 2 => format!("Both handshakes with {places} {fate}{clients}{time}{why}."),
            count if of == count => format!("All {} handshakes with {places} {fate}{clients}{time}{why}.", number(count)),
            count => format!("{} of {} handshakes with {places} {fate}{clients}{time}{why}.", number(count), number(of)),
        }
    }

    fn without_failures(&self, run: &Run<'_>) -> String {
        let of = |class| run.classes.of(class);
        let titles = |class: Class| {
            let titles: Vec<&str> =
                self.of(|of| of == class).iter().filter_map(|(cause, group)| group.title(*cause)).take(CAUSES).collect();
            if titles.is_empty() { String::new() } else { format!(": {}", titles.join("; ")) }
        };
        let (troubled, undecided, probes) = (of(Class::Troubled), of(Class::Undecided), of(Class::Probe));
        let completed = of(Class::Completed).saturating_add(troubled);
        let first = self.first.as_deref().unwrap_or_default();
        let problems = match (completed, troubled) {
            (_, 0) => String::new(),
            (all, some) if all == some => format!(", with trouble{}", titles(Class::Troubled)),
            (_, some) => format!(", {} of them with trouble{}", number(some), titles(Class::Troubled)),
        };
        match (completed, undecided) {
            (0, 0) if probes == 1 => "No handshake was attempted: the only connection was a probe.".to_owned(),
            (0, 0) => format!("No handshake was attempted: all {} connections were probes.", number(probes)),
            (0, 1) if probes == 0 => format!("The handshake with {first} is undecided{}.", titles(Class::Undecided)),
            (0, 1) => format!("The only handshake is undecided{}.", titles(Class::Undecided)),
            (0, 2) => format!("Both handshakes are undecided{}.", titles(Class::Undecided)),
            (0, some) => format!("All {} handshakes are undecided{}.", number(some), titles(Class::Undecided)),
            (1, 0) if probes == 0 => format!("The handshake with {first} completed{problems}."),
            (1, 0) => format!("The only handshake completed{problems}."),
            (2, 0) => format!("Nothing failed: both handshakes completed{problems}."),
            (all, 0) => format!("Nothing failed: all {} handshakes completed{problems}.", number(all)),
            (some, rest) => {
                let are = if rest == 1 { "is" } else { "are" };
                let (of, titles) = (some.saturating_add(rest), titles(Class::Undecided));
                format!(
                    "Nothing failed: {} of {} handshakes completed{problems}; {} {are} undecided{titles}.",
                    number(some),
                    number(of),
                    number(rest)
                )
            }
        }
    }
}

impl Run<'_> {
    fn without_handshakes(&self) -> String {
        match self.left_out {
            0 => {}
            1 => return "Nothing found: the only handshake is not what was asked for.".to_owned(),
            all => return format!("Nothing found: none of the {} handshakes is what was asked for.", number(all)),
        }
        if self.frames == 0 {
            return "The capture holds no packets.".to_owned();
        }
        let frames = counted(self.frames, "frame", "frames");
        if let Some(carried) = self.carried() {
            return format!(
                "No TLS handshake was found in {frames}, which {} {carried}.",
                if self.frames == 1 { "carries" } else { "carry" }
            );
        }
        let mut flows: Vec<_> = self.other_flows.iter().filter(|(_, count)| **count > 0).collect();
        flows.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let flows: Vec<String> = flows.iter().take(CAUSES).map(|(word, count)| format!("{} {word}", number(**count))).collect();
        if flows.is_empty() {
            format!("No TLS handshake was found in {frames}.")
        } else {
            format!("No TLS handshake was found in {frames}; connections without TLS: {}.", flows.join(", "))
        }
    }
}

impl Run<'_> {
    /// `WireGuard (92 %, UDP port 51820), DNS (6 %, UDP port 53) and others`.
    fn carried(&self) -> Option<String> {
        let total = total_bytes(self.traffic);
        let mut told: Vec<String> = self.traffic.iter().take(TRAFFIC_ANSWERED).map(|carried| carried.told(total)).collect();
        if self.traffic.len() > told.len() {
            told.push("others".to_owned());
        }
        let last = told.pop()?;
        Some(if told.is_empty() { last } else { format!("{} and {last}", told.join(", ")) })
    }
}

impl Group {
    /// `37 of 52 with shop.example since 09:05:03, because its certificate …`.
    fn one_of_several(&self, cause: Option<Cause>, run: &Run<'_>, moment: &dyn Fn(Timestamp) -> String) -> String {
        let number = match self.attempts() {
            Some(attempts) if attempts == self.count && attempts > 2 => format!("all {}", number(self.count)),
            Some(attempts) if attempts > self.count => format!("{} of {}", number(self.count), number(attempts)),
            _ => number(self.count),
        };
        let because = match (self.title(cause), unsure(self.confidence)) {
            (None, _) => ", without a cause that was found".to_owned(),
            (Some(title), _) if is_of_the_capture(cause) => format!(", and why does not show: {title}"),
            (Some(title), None) => format!(", because {title}"),
            (Some(title), Some(word)) => format!(", {word} because {title}"),
        };
        format!("{number} with {}{}{because}", self.places(), self.time(run, moment))
    }

    /// When it was: ` at 09:05:03`; ` since 09:05:03` where it went on to the end and none of its clients succeeded after it; ` from 09:05:03 to 09:11:22`.
    fn time(&self, run: &Run<'_>, moment: &dyn Fn(Timestamp) -> String) -> String {
        let (first, last) = (moment(self.first), moment(self.last));
        let length = |(begin, end): (Timestamp, Timestamp)| end.since(begin);
        let tail = run.times.map(|times| times.1.before(length(times) / TAIL)).unwrap_or_default();
        if first == last {
            format!(" at {first}")
        } else if self.last >= tail && !self.is_over && self.last.since(self.first) > Duration::ZERO {
            format!(" since {first}")
        } else {
            // `2026-11-21 `: told once where both are of one day.
            let date = first.get(..=10).filter(|date| date.starts_with(|c: char| c.is_ascii_digit()) && date.ends_with(' '));
            let last = date.and_then(|date| last.strip_prefix(date)).unwrap_or(&last);
            format!(" from {first} to {last}")
        }
    }

    /// All handshakes of the same servers meanwhile, where incidents tell it of all of these.
    fn attempts(&self) -> Option<u64> {
        let [failed, attempts, _] = self.told;
        (failed == self.count).then_some(attempts)
    }

    /// `30 clients`, where an incident tells it.
    fn clients(&self) -> Option<String> {
        let [failed, _, clients] = self.told;
        let known = failed == self.count && self.incidents == 1;
        known.then(|| counted(clients, "client", "clients"))
    }

    /// `a.example`, `a.example and b.example`, `a.example, b.example and others`.
    fn places(&self) -> String {
        match (self.places.as_slice(), self.more_places) {
            ([], _) => "a server".to_owned(),
            ([one], false) => one.clone(),
            ([all @ .., last], false) => format!("{} and {last}", all.join(", ")),
            (some, true) => format!("{} and others", some.join(", ")),
        }
    }

    /// What happened, in the words of the cause's page, or in those of all that happened.
    fn title(&self, cause: Option<Cause>) -> Option<&'static str> {
        self.headline.or_else(|| cause.and_then(title))
    }

    /// `: the certificate had expired`, `, probably because …`.
    fn why(&self, cause: Option<Cause>) -> String {
        match (self.title(cause), unsure(self.confidence)) {
            (Some(title), _) if is_of_the_capture(cause) => format!("; why does not show: {title}"),
            (Some(title), None) => format!(": {title}"),
            (Some(title), Some(word)) => format!(", {word} because {title}"),
            (None, _) => ": no cause was found".to_owned(),
        }
    }
}

/// The name that the client asked for, or the server's address and port.
fn place(report: &Handshake<'_>) -> String {
    report.server_name().map_or_else(|| report.server.to_string(), |name| name.chars().take(LONGEST_NAME).collect())
}

/// What happened, in the words of the cause's page.
fn title(cause: Cause) -> Option<&'static str> {
    rules::of(cause).map(|about| about.page.title)
}

/// It explains why no other cause can be told, and nothing that happened.
fn is_of_the_capture(cause: Option<Cause>) -> bool {
    cause.is_some_and(|cause| cause.family() == Family::Capture)
}

const fn unsure(confidence: Option<Confidence>) -> Option<&'static str> {
    match confidence {
        Some(Confidence::Likely) => Some("probably"),
        Some(Confidence::Hint) => Some("possibly"),
        Some(Confidence::Strong | Confidence::Certain) | None => None,
    }
}

/// Protocols that the sentence names where there is no handshake.
pub const TRAFFIC_ANSWERED: usize = 3;
/// Causes that the sentence names.
const CAUSES: usize = 3;
/// Servers that it names for each.
const PLACES: usize = 2;
/// Characters of a name kept: the longest host name.
const LONGEST_NAME: usize = 253;
/// What lasts into the last eighth of the capture is said to go on.
const TAIL: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Summary, samples};

    fn said(reports: &[Handshake<'_>], incidents: &[Incident]) -> String {
        let mut summary = Summary::default();
        for report in reports {
            summary.classes.add(report.class());
            summary.answer.handshake(report);
        }
        for incident in incidents {
            summary.answer.incident(incident);
        }
        let starts = || reports.iter().map(|report| report.handshake.start);
        summary.times = starts().min().zip(starts().max());
        summary.answer(&|at| at.to_string().chars().skip(11).take(8).collect())
    }

    fn expired(times: u16) -> Vec<Handshake<'static>> {
        (0..times).map(samples::expired).collect()
    }

    const EXPIRED: &str = "the server's certificate had expired when it was served";

    #[test]
    fn one_failure_is_told_plainly() {
        assert_eq!(said(&expired(1), &[]), format!("The handshake with www.example.test failed at 09:00:12: {EXPIRED}."));
        let among = [samples::expired(0), samples::completed(), samples::completed()];
        assert_eq!(said(&among, &[]), format!("1 of 3 handshakes failed, with www.example.test at 09:00:12: {EXPIRED}."));
    }

    #[test]
    fn many_failures_say_how_many_of_how_many_for_whom_and_since_when() {
        assert_eq!(said(&expired(2), &[]), format!("Both handshakes with www.example.test failed since 09:00:12: {EXPIRED}."));
        let incident = Incident { failed: 12, attempts: 13, ..samples::incident() };
        let mut reports = expired(12);
        reports.push(samples::completed());
        assert_eq!(
            said(&reports, std::slice::from_ref(&incident)),
            format!("12 of 13 handshakes with www.example.test failed for 2 clients from 09:00:12 to 09:00:23: {EXPIRED}.")
        );
        let goes_on = expired(12);
        assert!(said(&goes_on, std::slice::from_ref(&incident)).contains(" for 2 clients since 09:00:12: "));
        let over = Incident { is_over: true, ..incident.clone() };
        assert!(said(&goes_on, &[over]).contains(" from 09:00:12 to 09:00:23: "), "what completed afterwards is not among the 13");
        let live = Incident { state: Some(State::Begun), ..incident };
        assert!(said(&reports, &[live]).starts_with("12 of 13 handshakes with www.example.test failed from"), "only its last word counts");
    }

    #[test]
    fn several_causes_are_told_one_by_one_the_most_frequent_first() {
        let mut reports = expired(3);
        reports.extend([samples::stalled(), samples::refused(), samples::completed()]);
        assert_eq!(
            said(&reports, &[]),
            format!(
                "5 of 6 handshakes failed: 3 with www.example.test from 09:00:12 to 09:00:14, because {EXPIRED}; 1 with \
                 api.internal.example.test at 09:02:40, because full-size packets are lost on the path (path MTU black hole); 1 with \
                 10.0.0.9:636 at 09:03:01, because the server refused the TCP connection (RST to the SYN)."
            )
        );
    }

    #[test]
    fn what_a_finding_says_itself_stands_before_its_pages_words() {
        const OTHER: &str = "the client takes the server's certificate for expired, and others do not";
        let mut reports = expired(2);
        for report in &mut reports {
            report.diagnosis.headline = Some(OTHER);
        }
        assert!(said(&reports, &[]).ends_with(&format!(": {OTHER}.")));
        reports.extend(expired(3));
        assert!(said(&reports, &[]).ends_with(&format!(": {EXPIRED}.")), "not all say so");
    }

    #[test]
    fn how_sure_it_is_is_said_where_it_is_not() {
        let mut report = samples::expired(0);
        report.diagnosis.confidence = Some(Confidence::Likely);
        assert_eq!(said(&[report], &[]), format!("The handshake with www.example.test failed at 09:00:12, probably because {EXPIRED}."));
    }

    #[test]
    fn what_a_capture_lacks_is_not_why_a_handshake_failed() {
        let mut report = samples::expired(0);
        (report.diagnosis.cause, report.diagnosis.confidence) = (Some(Cause::CaptureGaps), Some(Confidence::Hint));
        let text = said(&[report], &[]);
        assert!(text.ends_with("failed at 09:00:12; why does not show: the capture lacks packets that did arrive."), "{text}");
    }

    #[test]
    fn nothing_wrong_is_said_with_counts() {
        let mut slow = samples::completed();
        slow.diagnosis.cause = Some(Cause::ServerSlow);
        let title = "the server took long to answer";
        assert_eq!(said(&[samples::completed()], &[]), "The handshake with www.example.test completed.");
        assert_eq!(said(&[samples::completed(), samples::completed()], &[]), "Nothing failed: both handshakes completed.");
        assert_eq!(
            said(&[slow, samples::completed(), samples::undecided(1)], &[]),
            format!(
                "Nothing failed: 2 of 3 handshakes completed, 1 of them with trouble: {title}; 1 is undecided: the capture ends before the \
                 handshake does."
            )
        );
    }

    #[test]
    fn without_a_handshake_it_says_what_there_is() {
        let mut summary = Summary { frames: 12_040, other_flows: [("http", 5), ("ssh", 1)].into(), ..Summary::default() };
        let moment = |_: Timestamp| String::new();
        assert_eq!(summary.answer(&moment), "No TLS handshake was found in 12,040 frames; connections without TLS: 5 http, 1 ssh.");
        summary.left_out = Some(31);
        assert_eq!(summary.answer(&moment), "Nothing found: none of the 31 handshakes is what was asked for.");
        assert_eq!(Summary::default().answer(&moment), "The capture holds no packets.");
    }
}
