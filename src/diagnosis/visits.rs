//! Who comes to a server without wanting a handshake: scans, and checks that come at regular intervals.
//!
//! A scan shows in the crowd: one client, one server, many handshakes in a short time with hellos that are unlike each other, as no program sends
//! them that wants to be served, and next to none of them used. Whoever asks what a server takes is answered now one way and now the other, and
//! objects to nothing: programs behind one address that all fail are no scan, however unlike they are. A check shows in its rhythm.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use foldhash::quality::FixedState;

use crate::flow::Side;
use crate::handshake::Handshake;
use crate::handshake::facts::{Outcome, StoppedBy};
use crate::time::Timestamp;
use crate::tls::client_hello::ClientHello;
use crate::tls::registry::{AlertDescription, ExtensionType, is_grease};

use super::view::View;

/// A scan that a handshake is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    /// Handshakes of this client with this server within it.
    pub attempts: u32,
    /// From the first one's begin to the last one's.
    pub span: Duration,
}

/// How often a client looks in without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// Times it did so, this one counted.
    pub count: u32,
    /// The interval, where it is a regular one.
    pub every: Option<Duration>,
}

/// One client's handshakes with one server.
#[derive(Debug, Default)]
pub(super) struct Visits {
    /// Handshakes that followed each other closely, the latest behind.
    bursts: Vec<Burst>,
    /// When it looked in without a word: the first times.
    looks: Vec<Timestamp>,
    looked: u32,
    said: Option<Box<Said>>,
}

/// A hello that came again and again, and whose sender left as soon as it was answered.
#[derive(Debug)]
struct Said {
    /// Stands for its random.
    random: u64,
    /// When it came: the first times.
    times: Vec<Timestamp>,
    count: u32,
}

#[derive(Debug)]
struct Burst {
    first: Timestamp,
    last: Timestamp,
    attempts: u32,
    /// Of those, how many were put to use.
    used: u32,
    /// The server answered with a ServerHello, and the client neither objected nor used it: it had asked whether that is taken.
    answered: u32,
    /// The server ended it in answer to the hello.
    refused: u32,
    /// The client objected to something, by an alert.
    objected: u32,
    /// What the hellos looked like.
    hellos: BTreeSet<u32>,
    /// Of how many both sides spoke, and the capture does not show the whole hello.
    unread: u32,
}

impl Visits {
    /// Enters a handshake.
    pub(super) fn enter(&mut self, handshake: &Handshake) {
        let start = handshake.flow.first.time;
        if View::new(handshake).left_without_a_word().is_some() {
            self.looked = self.looked.saturating_add(1);
            if self.looks.len() < LOOKS {
                self.looks.push(start);
            }
        }
        if let Some(random) = left_when_answered(handshake) {
            match &mut self.said {
                Some(said) if said.random == random => {
                    said.count = said.count.saturating_add(1);
                    if said.times.len() < LOOKS {
                        said.times.push(start);
                    }
                }
                // What came more than once is no random, and is not forgotten for one that is.
                Some(said) if said.count > 1 => {}
                _ => self.said = Some(Box::new(Said { random, times: vec![start], count: 1 })),
            }
        }
        let place = self.bursts.iter().position(|burst| burst.is_near(start)).unwrap_or_else(|| {
            if self.bursts.len() >= BURSTS {
                // A scan is remembered for its members that are judged late.
                let other = self.bursts.iter().position(|burst| !burst.is_scan());
                if let Some(least) = other.or_else(|| (self.bursts.len() >= SCANS).then_some(0)) {
                    self.bursts.remove(least);
                }
            }
            self.bursts.push(Burst::begun(start));
            self.bursts.len() - 1
        });
        let Some(burst) = self.bursts.get_mut(place) else { return };
        burst.first = burst.first.min(start);
        burst.last = burst.last.max(start);
        burst.attempts = burst.attempts.saturating_add(1);
        for (count, counts) in [
            (&mut burst.used, is_used(handshake)),
            (&mut burst.answered, handshake.server_hello.is_some() && !objects(handshake) && !is_used(handshake)),
            (&mut burst.refused, handshake.server_hello.is_none() && handshake.stopped_by == StoppedBy::Server),
            (&mut burst.objected, objects(handshake)),
        ] {
            *count = count.saturating_add(u32::from(counts));
        }
        let (client, server) = (handshake.flow.side(Side::Client), handshake.flow.side(Side::Server));
        let lacking = client.snaplen_cut > 0 || client.packets == 0;
        let unread = handshake.client_hellos.is_empty() && lacking && server.data_packets > 0;
        burst.unread = burst.unread.saturating_add(u32::from(unread));
        if burst.hellos.len() < HELLOS {
            burst.hellos.extend(handshake.hello().map(shape));
        }
    }

    /// The scan that this handshake is part of.
    pub(super) fn scan(&self, handshake: &Handshake) -> Option<Scan> {
        let start = handshake.flow.first.time;
        let burst = self.bursts.iter().find(|burst| burst.first <= start && start <= burst.last && burst.is_scan())?;
        (!is_used(handshake)).then(|| Scan { attempts: burst.attempts, span: burst.last.since(burst.first) })
    }

    /// This handshake is one of as many as a scan has, and the capture does not show whether their hellos are unlike each other.
    pub(super) fn may_scan(&self, handshake: &Handshake) -> bool {
        let start = handshake.flow.first.time;
        self.bursts.iter().any(|burst| burst.first <= start && start <= burst.last && burst.may_be_scan())
    }

    /// How often this handshake's client sent its very hello, and at which interval.
    pub(super) fn recorded(&self, handshake: &Handshake) -> Option<Rhythm> {
        let random = left_when_answered(handshake)?;
        let said = self.said.as_ref().filter(|said| said.random == random && said.count > 1)?;
        Some(Rhythm { count: said.count, every: interval(&said.times) })
    }

    /// How often the client looked in, and at which interval.
    pub(super) fn rhythm(&self) -> Option<Rhythm> {
        (self.looked > 0).then(|| Rhythm { count: self.looked, every: interval(&self.looks) })
    }
}

impl Burst {
    const fn begun(at: Timestamp) -> Self {
        Self { first: at, last: at, attempts: 0, used: 0, answered: 0, refused: 0, objected: 0, hellos: BTreeSet::new(), unread: 0 }
    }

    fn is_near(&self, start: Timestamp) -> bool {
        self.first.before(APART) <= start && start <= self.last.after(APART)
    }

    fn is_scan(&self) -> bool {
        let unlike = u32::try_from(self.hellos.len()).unwrap_or(u32::MAX);
        let asks = self.answered >= ANSWERED && self.refused >= REFUSED && self.objected.saturating_mul(OBJECTS) < self.attempts;
        self.is_crowd() && unlike >= UNLIKE && asks
    }

    fn may_be_scan(&self) -> bool {
        self.is_crowd() && self.unread >= UNLIKE
    }

    const fn is_crowd(&self) -> bool {
        self.attempts >= LEAST && self.used.saturating_mul(USED) <= self.attempts
    }
}

/// It completed, and the client sent what it had come for.
pub fn is_used(handshake: &Handshake) -> bool {
    handshake.outcome == Outcome::Completed && handshake.application_data.client.is_some()
}

/// The client broke off, without a word, as soon as the server had begun to answer: what its random is, in short.
fn left_when_answered(handshake: &Handshake) -> Option<u64> {
    let view = View::new(handshake);
    let answer = handshake.server_hello.as_ref()?.mark;
    let own = handshake.client_key_exchange.or_else(|| *handshake.change_cipher_spec.of(Side::Client)).or(handshake.finished.client);
    let ending = view.ended_by(Side::Client).filter(|_| view.failed_without_words() && own.is_none())?;
    let at_once = ending.mark.frame > answer.frame && handshake.flow.reaction_time(Side::Client, answer, ending.mark) <= SOON;
    let random = handshake.hello()?.random();
    (at_once && handshake.client_hellos.len() == 1).then(|| {
        let mut hasher = FixedState::default().build_hasher();
        hasher.write(random);
        hasher.finish()
    })
}

/// The client said what it did not like of the answer. That it gives up, or has what it came for, is no objection.
fn objects(handshake: &Handshake) -> bool {
    let alert = handshake.deciding_alert().filter(|seen| seen.from == Side::Client && handshake.server_hello.is_some());
    alert.is_some_and(|seen| seen.alert.is_none_or(|alert| alert.fatal && alert.description != AlertDescription::USER_CANCELED))
}

/// The interval at which these come, if it is a regular one.
fn interval(looks: &[Timestamp]) -> Option<Duration> {
    let mut looks = looks.to_vec();
    looks.sort_unstable();
    let mut gaps: Vec<Duration> = looks.iter().zip(looks.iter().skip(1)).map(|(one, next)| next.since(*one)).collect();
    gaps.sort_unstable();
    let usual = *gaps.get(gaps.len() / 2).filter(|usual| gaps.len() >= REGULAR && !usual.is_zero())?;
    let near = gaps.iter().filter(|gap| gap.abs_diff(usual) <= usual / 5).count();
    (near * 5 >= gaps.len() * 4).then_some(usual)
}

/// What a hello offers, without what differs between two hellos of one program: values drawn at random, tickets, padding.
fn shape(hello: &ClientHello) -> u32 {
    const CHANGING: [ExtensionType; 5] = [
        ExtensionType::SESSION_TICKET,
        ExtensionType::PADDING,
        ExtensionType::PRE_SHARED_KEY,
        ExtensionType::EARLY_DATA,
        ExtensionType::COOKIE,
    ];
    let mut hasher = FixedState::default().build_hasher();
    hasher.write_u16(hello.legacy_version().0);
    hasher.write_u16(hello.highest_version().0);
    for suite in hello.cipher_suites().filter(|suite| !is_grease(suite.0)) {
        hasher.write_u16(suite.0);
    }
    let mut kinds: Vec<u16> =
        hello.extensions().map(|(kind, _)| kind).filter(|kind| !is_grease(kind.0) && !CHANGING.contains(kind)).map(|kind| kind.0).collect();
    kinds.sort_unstable();
    for kind in kinds {
        hasher.write_u16(kind);
    }
    u32::try_from(hasher.finish() >> 32).unwrap_or(0)
}

/// Handshakes that make a scan.
const LEAST: u32 = 10;
/// Hellos unlike each other among them.
const UNLIKE: u32 = 6;
/// Of a scan's handshakes at most one in so many is put to use: of people behind one address, all come to be served.
const USED: u32 = 10;
/// Hellos that the server refused among them, and that it answered: one that is answered may be of a program that is served.
const REFUSED: u32 = 2;
const ANSWERED: u32 = 2;
/// In a scan fewer than one in so many objects.
const OBJECTS: u32 = 4;
/// Handshakes further apart than this belong to another burst.
const APART: Duration = Duration::from_secs(20);
/// Bursts remembered of one client and server, how many of them if all are scans, and hellos of one burst.
const BURSTS: usize = 4;
const SCANS: usize = 24;
const HELLOS: usize = 16;
/// Looks of which the time is remembered.
const LOOKS: usize = 64;
/// Who looks for a sign of life has seen it by then.
const SOON: Duration = Duration::from_millis(250);
/// Intervals that make a rhythm.
const REGULAR: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::Scene;
    use crate::tls::registry::ProtocolVersion;

    /// What is made of twelve handshakes whose hellos are unlike each other, by what becomes of them.
    fn is_a_scan(become_of: impl Fn(u16, Scene) -> Scene) -> bool {
        let mut visits = Visits::default();
        let all: Vec<Handshake> = (0..12)
            .map(|number| become_of(number, Scene::hello(ProtocolVersion::TLS12, &[0x9c, 0xc000 + number], &[])).handshake)
            .collect();
        for handshake in &all {
            visits.enter(handshake);
        }
        visits.scan(&all[0]).is_some()
    }

    #[test]
    fn programs_that_all_fail_are_no_scan() {
        let answered = |scene: Scene| scene.answered(ProtocolVersion::TLS12, 0x9c, &[]);
        let refused = |scene: Scene| scene.alert(Side::Server, AlertDescription::HANDSHAKE_FAILURE);
        assert!(is_a_scan(|number, scene| if number % 3 == 0 { refused(scene) } else { answered(scene) }));
        assert!(!is_a_scan(|_, scene| refused(scene)), "nobody is served");
        assert!(!is_a_scan(|_, scene| answered(scene)), "nobody is refused: what is asked for is no question");
        let used = |scene: Scene| {
            let mut scene = answered(scene);
            scene.handshake.outcome = Outcome::Completed;
            scene.handshake.application_data.client = scene.handshake.server_hello.as_ref().map(|seen| seen.mark);
            scene
        };
        assert!(!is_a_scan(|number, scene| if number == 0 { used(scene) } else { refused(scene) }), "one of many programs is served");
        let objects = |scene: Scene| answered(scene).alert(Side::Client, AlertDescription::CERTIFICATE_EXPIRED);
        assert!(!is_a_scan(|number, scene| match number % 3 {
            0 => refused(scene),
            1 => answered(scene),
            _ => objects(scene),
        }));
    }

    #[test]
    fn a_hello_that_comes_again_and_again_was_recorded() {
        let came = |number: i64, random: u8, leaves: bool| {
            let mut handshake = Scene::broad().answered(ProtocolVersion::TLS12, 0xc02f, &[]).handshake;
            handshake.flow = crate::diagnosis::testing::connected().flow;
            handshake.flow.first.time = Timestamp::from_nanos(number * 500_000_000);
            let answer = handshake.server_hello.as_ref().map(|seen| seen.mark).unwrap();
            let mut bytes = handshake.client_hellos[0].what.bytes().to_vec();
            bytes[6..38].fill(random);
            handshake.client_hellos[0].what = ClientHello::parse(&bytes).unwrap();
            handshake.outcome = Outcome::Closed;
            let end =
                crate::time::Mark { frame: answer.frame + 1, time: answer.time.after(Duration::from_millis(if leaves { 1 } else { 900 })) };
            handshake.flow.sides.client.fin = Some((end, 300));
            handshake
        };
        let recorded = |all: &[Handshake]| {
            let mut visits = Visits::default();
            for one in all {
                visits.enter(one);
            }
            visits.recorded(&all[0])
        };
        let played: Vec<Handshake> = (0..5).map(|number| came(number, 7, true)).collect();
        assert_eq!(recorded(&played), Some(Rhythm { count: 5, every: Some(Duration::from_millis(500)) }));
        assert_eq!(recorded(&(0..5).map(|number| came(number, 7, false)).collect::<Vec<_>>()), None, "it waits for more");
        let drawn: Vec<Handshake> = (0..5).map(|number| came(number, u8::try_from(number).unwrap(), true)).collect();
        assert_eq!(recorded(&drawn), None, "each time another random");
    }

    #[test]
    fn a_rhythm_is_one_with_few_exceptions() {
        let at = |millis: &[i64]| interval(&millis.iter().map(|at| Timestamp::from_nanos(at * 1_000_000)).collect::<Vec<_>>());
        assert_eq!(at(&[0, 500, 1_002, 1_503, 2_001]), Some(Duration::from_millis(501)));
        assert_eq!(at(&[0, 2_000, 4_000, 6_000, 8_000, 19_000]), Some(Duration::from_secs(2)), "one was late");
        assert_eq!(at(&[0, 500, 1_000]), None, "two intervals are none");
        assert_eq!(at(&[0, 10, 900, 1_000, 5_000, 5_100]), None);
    }
}
