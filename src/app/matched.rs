//! `handshark match`: the same handshakes captured at two points.
//!
//! Each capture is read twice: for its verdicts, by which handshakes are joined, and for the packets of those joined.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers from outside never overflow"))]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;

use self::joining::{Noted, Pair, adopt, join};
use super::job::Job;
use super::{stop_on_signal, unless_interrupted};
use crate::anonymize::Anonymizer;
use crate::cli::MatchOptions;
use crate::compare::flood;
use crate::compare::joined::{Joined, JoinedBy};
use crate::compare::point::Point;
use crate::compare::relayed;
use crate::compare::vantage::{Telling, Vantage};
use crate::compare::verdict::judge;
use crate::find::{Criteria, Filter};
use crate::flow::{Endpoint, FlowKey, Side, Transport};
use crate::frame::Block;
use crate::output;
use crate::output::pager::{Pager, Paging};
use crate::packet::{Decoder, Packet};
use crate::report::{Files, Handshake, Outcome, Sink};
use crate::time::Timestamp;

mod joining;

/// Joins and shows.
pub(super) fn matched(options: &MatchOptions) -> anyhow::Result<()> {
    let stop = stop_on_signal()?;
    let everything = Criteria::default();
    let [client_case, server_case] = [&options.client, &options.server].map(|capture| {
        // What is asked for, and under which names, is told when both points are known.
        Job { criteria: &everything, anonymize: None, ..Job::new(slice::from_ref(capture), &options.query, Arc::clone(&stop)) }
    });
    if client_case.piped() || server_case.piped() {
        bail!("match reads each capture twice and cannot read a pipe; save it to a file first");
    }
    if options.client == options.server {
        bail!("{} is named for both points; match compares a capture near the client with one near the server", options.client.display());
    }
    let (client, server) = (notes(&client_case)?, notes(&server_case)?);
    if client.handshakes.is_empty() && server.handshakes.is_empty() {
        bail!("neither {} nor {} holds a TLS handshake", options.client.display(), options.server.display());
    }
    let mut pairs = chosen(join(&client.handshakes, &server.handshakes), options, &client, &server);
    let offset = clock_offset(&pairs);
    let mut views = [Vec::new(), Vec::new()];
    for pair in &pairs {
        let [at_client, at_server] = pair.views(offset, &client, &server);
        views[0].push(at_client);
        views[1].push(at_server);
    }
    let [mut at_client, mut at_server] = views;
    gather(&client_case, &mut at_client, &Known::default())?;
    let known = known(&pairs, &at_client);
    let found = gather(&server_case, &mut at_server, &known)?;
    if !found.is_empty() {
        // What came before the first packet that told belongs to them, too.
        for wanted in &mut at_server {
            wanted.view.clear();
        }
        for (place, name) in found {
            if let Some(wanted) = at_server.get_mut(place) {
                wanted.names.push(name);
            }
        }
        gather(&server_case, &mut at_server, &Known::default())?;
    }
    for wanted in at_client.iter_mut().chain(&mut at_server) {
        wanted.view.without_mirrored();
        if let Some(isn) = wanted.isn {
            wanted.view.narrow(isn);
        }
    }
    adopt(&mut pairs, &mut at_client, &mut at_server);
    let anonymizer = options.query.anonymize.as_ref().map(|key| Anonymizer::new(key.clone()));
    let mut joined = judged(&pairs, &mut at_client, &mut at_server, offset, anonymizer.as_ref());
    flood::explain(&mut joined);
    let files = [&client, &server].map(|notes| notes.files(anonymizer.as_ref()));
    let joined: Vec<Joined> = joined.into_iter().map(|one| one.placed(files.each_ref().map(Option::as_ref))).collect();
    let layout = options.screen.layout(&options.query.zone);
    let mut out = Pager::new(if options.json { Paging::Never } else { options.screen.paging });
    let written = if options.json {
        joined.iter().try_for_each(|joined| output::json::line(&mut out, joined))
    } else {
        output::matched::write(&mut out, &layout, &joined, options.all)
    };
    out.close().and(written).map_err(Into::into)
}

/// What one capture holds.
#[derive(Debug, Default)]
struct Notes {
    handshakes: Vec<Noted>,
    /// The servers of these.
    servers: BTreeSet<Endpoint>,
    /// First and last frame of the capture.
    watched: (Timestamp, Timestamp),
}

impl Notes {
    /// The files of a capture out of several, under the names by which they are shown.
    fn files(&self, anonymizer: Option<&Anonymizer>) -> Option<Files> {
        let report = &self.handshakes.first()?.report;
        match anonymizer {
            Some(anonymizer) => anonymizer.handshake(report).capture.files,
            None => report.capture.files.clone(),
        }
    }
}

impl Sink for Notes {
    fn handshake(&mut self, report: &Handshake<'_>) -> io::Result<()> {
        if let Some(facts) = report.facts
            && self.handshakes.len() < HANDSHAKES
        {
            self.servers.insert(report.server);
            self.handshakes.push(Noted {
                syn: facts.flow.side(Side::Client).syn.map(|syn| (syn.isn, syn.ip_id.filter(|id| *id != 0))),
                answer: facts.flow.side(Side::Server).syn.map(|syn| syn.isn),
                first: facts.flow.first.time,
                last: facts.closed_at.time.max(facts.flow.last.time),
                report: report.to_static(),
            });
        }
        Ok(())
    }
}

fn notes(job: &Job<'_>) -> anyhow::Result<Notes> {
    let mut notes = Notes::default();
    job.run(&mut notes)?;
    unless_interrupted()?;
    let mut source = job.open()?;
    let mut block = Block::default();
    notes.watched = (Timestamp::MAX, Timestamp::MIN);
    while source.fill(&mut block)? {
        for frame in block.frames() {
            notes.watched = (notes.watched.0.min(frame.head.time), notes.watched.1.max(frame.head.time));
        }
    }
    Ok(notes)
}

/// Judges every pair. A client's handshake that was answered and of which the server's end saw nothing belongs to one that came to the server
/// meanwhile for the same name, and that the client's end did not see.
fn judged(
    pairs: &[Pair<'_>],
    at_client: &mut [Wanted],
    at_server: &mut [Wanted],
    offset: i64,
    anonymizer: Option<&Anonymizer>,
) -> Vec<Joined> {
    let mut strangers: Vec<(usize, &Noted)> = pairs
        .iter()
        .zip(at_client.iter())
        .enumerate()
        .filter(|(_, (pair, view))| pair.client.is_none() && view.view.packets.is_empty())
        .filter_map(|(place, (pair, _))| Some((place, pair.server?)))
        .collect();
    let mut replaced: BTreeMap<usize, &Noted> = BTreeMap::new();
    let mut taken = Vec::new();
    for (place, (pair, view)) in pairs.iter().zip(at_server.iter()).enumerate() {
        let (Some(client), None, true) = (pair.client, pair.server, view.view.packets.is_empty()) else { continue };
        let answered = client.report.tls.as_ref().is_some_and(|tls| tls.version.is_some());
        let meanwhile = |server: &Noted| {
            let began = server.first.nanos().saturating_sub(offset);
            (client.first.before(SLACK).nanos()..=client.last.nanos()).contains(&began)
        };
        let same =
            |server: &Noted| server.report.server == client.report.server && server.name().is_some() && server.name() == client.name();
        if answered && let Some(at) = strangers.iter().position(|(_, server)| same(server) && meanwhile(server)) {
            let (stranger, server) = strangers.remove(at);
            taken.push(stranger);
            replaced.insert(place, server);
        }
    }
    let mut joined = Vec::new();
    for (place, (pair, (at_client, at_server))) in pairs.iter().zip(at_client.iter_mut().zip(at_server)).enumerate() {
        if let (Some(server), Some(client)) = (replaced.get(&place), pair.client) {
            let (client, server) = (&client.report, &server.report);
            joined.push(hidden(relayed::replaced(client, server), Some(client), Some(server), anonymizer));
        } else if !taken.contains(&place) {
            joined.push(pair.judged(at_client, at_server, anonymizer));
        }
    }
    joined
}

/// Those asked for: either point may say so.
fn chosen<'a>(pairs: Vec<Pair<'a>>, options: &MatchOptions, client: &Notes, server: &Notes) -> Vec<Pair<'a>> {
    let mut filters = [client, server].map(|notes| (Filter::new(options.query.criteria.clone()), notes.watched.0));
    let mut takes = |pair: &Pair<'_>| {
        let halves = [pair.client, pair.server];
        halves.iter().zip(&mut filters).any(|(half, (filter, begin))| half.is_some_and(|noted| filter.takes(&noted.report, Some(*begin))))
    };
    pairs.into_iter().filter(|pair| takes(pair)).collect()
}

/// The server's clock minus the client's, roughly: by when handshakes begin.
fn clock_offset(pairs: &[Pair<'_>]) -> i64 {
    let mut offsets: Vec<i64> =
        pairs.iter().filter_map(|pair| Some(pair.server?.first.nanos().saturating_sub(pair.client?.first.nanos()))).collect();
    offsets.sort_unstable();
    offsets.get(offsets.len() / 2).copied().unwrap_or_default()
}

/// Which packets to collect: those of a connection, in a span of time.
#[derive(Debug)]
struct Wanted {
    view: Vantage,
    span: (Timestamp, Timestamp),
    isn: Option<u32>,
    /// Further names of the client.
    names: Vec<Endpoint>,
    /// The client's point reports no such handshake.
    lone: bool,
}

impl Pair<'_> {
    /// The server's clock minus the client's, as it is for this one: clocks drift.
    fn offset(&self, usual: i64) -> i64 {
        let own = self.server.zip(self.client).map(|(server, client)| server.first.nanos().saturating_sub(client.first.nanos()));
        let slack = i64::try_from(SLACK.as_nanos()).unwrap_or(i64::MAX);
        own.filter(|own| own.saturating_sub(usual).saturating_abs() > slack).unwrap_or(usual)
    }

    /// What to collect at each point.
    fn views(&self, offset: i64, client: &Notes, server: &Notes) -> [Wanted; 2] {
        let offset = self.offset(offset);
        let shift = |time: Timestamp, by: i64| Timestamp::from_nanos(time.nanos().saturating_add(by));
        let back = offset.saturating_neg();
        // Everything on the client's clock.
        let spans = [
            self.client.map(|noted| (noted.first, noted.last)),
            self.server.map(|noted| (shift(noted.first, back), shift(noted.last, back))),
        ];
        let first = spans.iter().flatten().map(|span| span.0).min().unwrap_or_default();
        let last = spans.iter().flatten().map(|span| span.1).max().unwrap_or_default();
        let begin = client.watched.0.max(shift(server.watched.0, back));
        let end = client.watched.1.min(shift(server.watched.1, back)).min(last);
        // A capture that begins with this connection's first packet was there from the beginning.
        let begin = if begin <= first.after(SLACK) { Timestamp::MIN } else { begin };
        let either = [self.client, self.server];
        [(0, self.client, client), (offset, self.server, server)].map(|(by, own, notes)| {
            let noted = own.or(either[0]).or(either[1]);
            let nobody = Endpoint::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
            let ends = noted.map_or((nobody, nobody), |noted| (noted.report.client, noted.report.server));
            let mut view = Vantage::new(ends.0, ends.1, noted.map_or(Transport::Tcp, |noted| noted.report.network.transport));
            view.alias = either.into_iter().flatten().map(|noted| noted.report.client).find(|client| *client != ends.0);
            view.until = notes.watched.1;
            view.watched = (if begin == Timestamp::MIN { begin } else { shift(begin, by) }, shift(end, by));
            view.listening = noted.is_some_and(|noted| notes.servers.contains(&noted.report.server));
            let lone = self.client.is_none();
            Wanted {
                names: Vec::new(),
                lone,
                view,
                span: (shift(first, by).before(SLACK), shift(last, by).after(SLACK)),
                isn: noted.and_then(Noted::isn),
            }
        })
    }

    fn judged(&self, at_client: &mut Wanted, at_server: &mut Wanted, anonymizer: Option<&Anonymizer>) -> Joined {
        let joined_by = self.by.unwrap_or(if at_client.view.packets.is_empty() || at_server.view.packets.is_empty() {
            JoinedBy::Nothing
        } else {
            JoinedBy::Addresses
        });
        let [client, server] = [self.client, self.server].map(|noted| noted.map(|noted| &noted.report));
        let joined = judge(&Point { report: client, view: &at_client.view }, &Point { report: server, view: &at_server.view }, joined_by);
        hidden(joined, client, server, anonymizer)
    }
}

/// Without what tells who is who, if that is asked for.
fn hidden(joined: Joined, client: Option<&Handshake<'_>>, server: Option<&Handshake<'_>>, anonymizer: Option<&Anonymizer>) -> Joined {
    let Some(anonymizer) = anonymizer else { return joined };
    let anonymous = [client, server].map(|report| report.map(|report| anonymizer.handshake(report)));
    let known: Vec<&Handshake<'_>> = [client, server].into_iter().flatten().collect();
    let [client, server] = &anonymous;
    joined.anonymous(client.as_ref(), server.as_ref(), &|text| anonymizer.prose_about(text, &known))
}

/// Packets of the client's point, by which the server's point may know a connection under another address, and whose they are.
type Known = BTreeMap<Telling, Vec<(Telling, usize)>>;

/// What is known of handshakes that failed, or of which the server's point reports none.
fn known(pairs: &[Pair<'_>], at_client: &[Wanted]) -> Known {
    let mut known = Known::new();
    for (place, (pair, wanted)) in pairs.iter().zip(at_client).enumerate() {
        let good = |noted: &Noted| noted.report.handshake.outcome == Outcome::Completed;
        if pair.client.is_some_and(|client| pair.server.is_none() || !good(client)) {
            wanted.view.telling().for_each(|telling| known.entry(telling.unsigned()).or_default().push((telling, place)));
        }
    }
    known
}

/// Collects packets: those of connections that are asked for, and those that carry what is `known` of one. Under which other names of clients these
/// were found.
fn gather(job: &Job<'_>, wanted: &mut [Wanted], known: &Known) -> anyhow::Result<Vec<(usize, Endpoint)>> {
    let ends = |key: &FlowKey| (key.low, key.high, key.transport);
    let mut places: BTreeMap<(Endpoint, Endpoint, Transport), Vec<usize>> = BTreeMap::new();
    for (place, wanted) in wanted.iter().enumerate() {
        let names = wanted.names.iter().copied().filter(|name| *name != wanted.view.client && Some(*name) != wanted.view.alias);
        for client in std::iter::once(wanted.view.client).chain(wanted.view.alias).chain(names) {
            let (key, _) = FlowKey::new(wanted.view.transport, client, wanted.view.server, 0);
            places.entry(ends(&key)).or_default().push(place);
        }
    }
    let mut found_as = Vec::new();
    let mut source = job.open()?;
    let mut decoder = Decoder::new();
    let mut block = Block::default();
    while source.fill(&mut block)? {
        for frame in block.frames() {
            let packet = decoder.decode(&frame);
            let key = match &packet {
                Packet::Tcp(segment) => &segment.key,
                Packet::Udp(datagram) => &datagram.key,
                Packet::IcmpError(error) => &error.key,
                // A link has one end of a conversation at each place: there is nothing to compare.
                Packet::Eapol(_) | Packet::Skipped(_) => continue,
            };
            let lone = |place: &usize| wanted.get(*place).is_none_or(|wanted| wanted.lone);
            if !known.is_empty() && places.get(&ends(key)).is_none_or(|places| places.iter().all(lone)) {
                let mut may_be = Telling::of(&packet)
                    .filter_map(|(telling, signature, client)| Some((known.get(&telling)?, telling.signed(&signature), client)));
                let found = may_be.find_map(|(list, telling, client)| Some((list.iter().find(|(other, _)| *other == telling)?.1, client)));
                if let Some((place, client)) = found
                    && let Some(wanted) = wanted.get_mut(place)
                {
                    wanted.view.meet(client);
                    found_as.push((place, client));
                    places.entry(ends(key)).or_default().push(place);
                }
            }
            for place in places.get(&ends(key)).into_iter().flatten() {
                let Some(wanted) = wanted.get_mut(*place) else { continue };
                if !(wanted.span.0..=wanted.span.1).contains(&frame.head.time) {
                    continue;
                }
                match &packet {
                    Packet::Tcp(segment) => wanted.view.segment(segment),
                    Packet::Udp(datagram) => wanted.view.datagram(datagram),
                    Packet::IcmpError(error) => wanted.view.icmp(error),
                    Packet::Eapol(_) | Packet::Skipped(_) => {}
                }
            }
        }
    }
    Ok(found_as)
}

/// Handshakes compared.
const HANDSHAKES: usize = 200_000;
/// How far the clocks may be misjudged.
const SLACK: Duration = Duration::from_secs(1);
