//! The rows of all sensors: each counted once, in the order of their times, and the incidents that they make together.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use foldhash::quality::RandomState;

use super::line::{Beat, Handshake, Row, Tallied};
use crate::incident::Tracker;
use crate::report::{Incident, Sensed, SensorState};
use crate::site::Observer;
use crate::time::Timestamp;

/// What the rows of a fleet say together.
#[derive(Debug)]
pub struct Fleet {
    tracker: Tracker,
    /// A sensor that was not heard of for so long is silent.
    patience: Duration,
    sensors: BTreeMap<(u16, String), Sensor>,
    /// Rows that wait for others of their time, by when they ended and the order in which they came.
    waiting: BTreeMap<(Timestamp, u64), Waiting>,
    taken: Taken,
    /// Rows so far; of those, handshakes and rows that came twice.
    rows: u64,
    repeated: u64,
    /// The latest time of a row.
    latest: Timestamp,
}

#[derive(Debug)]
enum Waiting {
    Handshake(Box<Handshake>),
    Tally(Box<Tallied>),
}

/// A sensor.
#[derive(Debug)]
struct Sensor {
    observer: Observer,
    /// Its heartbeat's time; of one without heartbeats its latest row's.
    heard: Timestamp,
    /// It sends heartbeats.
    beats: bool,
    /// Its last run is over, by its own word.
    ended: bool,
    /// Packets that were dropped, and reports that were lost, since its run began.
    drops: u64,
    lost: u64,
    /// When it was not heard of for too long: from and to.
    gaps: Vec<(Timestamp, Timestamp)>,
    /// It is not heard of at present.
    silent: bool,
    /// When it was heard of by the clock of who listens.
    arrived: Timestamp,
    /// Begins of runs and heartbeats, in whatever order they came.
    times: Vec<Timestamp>,
}

impl Fleet {
    /// One that takes a sensor for silent after this time without a heartbeat. `live`: incidents are told while they last.
    pub fn new(patience: Duration, live: bool) -> Self {
        Self {
            tracker: Tracker::new(Observer::NONE, live),
            patience,
            sensors: BTreeMap::new(),
            waiting: BTreeMap::new(),
            taken: Taken::default(),
            rows: 0,
            repeated: 0,
            latest: Timestamp::MIN,
        }
    }

    /// Takes a row, which came at this moment. Gives the sensor where it is heard of again, or says that its run is over.
    pub fn take(&mut self, row: Row, arrived: Timestamp) -> Option<Sensed> {
        let (observer, event_id, time) = match &row {
            Row::Handshake(row) => (&row.observer, &row.event_id, row.end),
            Row::Tally(row) => (&row.observer, &row.event_id, row.minute),
            Row::Heartbeat(row) => (&row.observer, &row.event_id, row.time),
            Row::Other => return None,
        };
        let sensor = observer.sensor.as_deref().unwrap_or_default();
        let key = (observer.site.number(), sensor.to_owned());
        if !self.taken.insert(format!("{} {sensor} {event_id}", key.0)) {
            self.repeated = self.repeated.saturating_add(1);
            return None;
        }
        self.rows = self.rows.saturating_add(1);
        self.latest = self.latest.max(time);
        let number = self.rows;
        let known = self.sensors.entry(key).or_insert_with(|| Sensor::new(observer.clone(), arrived));
        known.arrived = arrived;
        let news = match &row {
            Row::Heartbeat(beat) => known.beat(beat),
            _ if !known.beats => {
                known.heard = known.heard.max(time);
                None
            }
            _ => None,
        };
        let news = news.map(|state| known.sensed(state));
        match row {
            Row::Handshake(row) => _ = self.waiting.insert((time, number), Waiting::Handshake(row)),
            Row::Tally(row) => _ = self.waiting.insert((time, number), Waiting::Tally(row)),
            Row::Heartbeat(_) | Row::Other => {}
        }
        if self.waiting.len() > WAITING {
            self.release_some(WAITING / 2);
        }
        news
    }

    /// Up to which time all that is heard of has told everything: the least heartbeat of the sensors that live.
    pub fn watermark(&self) -> Timestamp {
        let living = self.sensors.values().filter(|sensor| !sensor.silent && !sensor.ended);
        living.map(|sensor| sensor.heard).min().unwrap_or(self.latest)
    }

    /// Sensors that were not heard of for too long by the clock of who listens. They do not hold up the others any more.
    pub fn silent(&mut self, now: Timestamp) -> Vec<Sensed> {
        let patience = self.patience;
        let quiet = |sensor: &&mut Sensor| !sensor.ended && !sensor.silent && now.since(sensor.arrived) > patience;
        let fallen = self.sensors.values_mut().filter(quiet).map(|sensor| {
            sensor.silent = true;
            sensor.sensed(SensorState::Silent)
        });
        fallen.collect()
    }

    /// Hands on what is complete up to the watermark, and gives what there is to tell of incidents.
    pub fn news(&mut self) -> Vec<Incident> {
        let upto = self.watermark();
        while let Some(first) = self.waiting.first_entry().filter(|first| first.key().0 <= upto) {
            let row = first.remove();
            self.hand_on(&row);
        }
        self.tracker.news(upto)
    }

    /// No more rows come: the incidents, worst first.
    pub fn finish(&mut self) -> Vec<Incident> {
        self.release_some(usize::MAX);
        let (latest, patience) = (self.latest, self.patience);
        self.sensors.values_mut().for_each(|sensor| sensor.close(latest, patience));
        self.tracker.finish()
    }

    /// The sensors, by site and name.
    pub fn sensors(&self) -> Vec<Sensed> {
        let mut all: Vec<Sensed> = self.sensors.values().map(|sensor| sensor.sensed(sensor.state())).collect();
        all.sort_by_key(|sensor| (sensor.observer.site.name(), sensor.observer.sensor.clone()));
        all
    }

    /// Rows that were taken, and rows that had been taken before.
    pub const fn counts(&self) -> (u64, u64) {
        (self.rows, self.repeated)
    }

    /// What a reader should know.
    pub fn notes(&self) -> Vec<String> {
        self.tracker.notes()
    }

    fn release_some(&mut self, most: usize) {
        for _ in 0..most {
            let Some((_, row)) = self.waiting.pop_first() else { break };
            self.hand_on(&row);
        }
    }

    fn hand_on(&mut self, row: &Waiting) {
        match row {
            Waiting::Handshake(row) => {
                let seen = row.seen();
                self.tracker.attempt(&seen);
                self.tracker.observe(&seen, &row.judged());
            }
            Waiting::Tally(row) => row.seen().for_each(|seen| self.tracker.attempt(&seen)),
        }
    }
}

impl Sensor {
    fn new(observer: Observer, arrived: Timestamp) -> Self {
        Self {
            observer,
            heard: Timestamp::MIN,
            beats: false,
            ended: false,
            drops: 0,
            lost: 0,
            gaps: Vec::new(),
            silent: false,
            arrived,
            times: Vec::new(),
        }
    }

    fn beat(&mut self, beat: &Beat) -> Option<SensorState> {
        self.beats = true;
        if self.times.len() < BEATS {
            self.times.extend([beat.started, beat.time]);
        }
        if beat.time < self.heard {
            return None;
        }
        (self.heard, self.drops, self.lost) = (beat.time, beat.drops, beat.lost);
        let was = (std::mem::take(&mut self.silent), std::mem::replace(&mut self.ended, beat.last));
        match (was, beat.last) {
            ((_, false), true) => Some(SensorState::Ended),
            ((true, _), false) => Some(SensorState::Heard),
            _ => None,
        }
    }

    const fn state(&self) -> SensorState {
        match (self.silent, self.ended) {
            (true, _) => SensorState::Silent,
            (false, true) => SensorState::Ended,
            (false, false) => SensorState::Heard,
        }
    }

    fn sensed(&self, state: SensorState) -> Sensed {
        let Self { observer, heard, gaps, drops, lost, .. } = self;
        Sensed { observer: observer.clone(), state, heard: *heard, gaps: gaps.clone(), drops: *drops, lost_reports: *lost }
    }

    /// Finds out when it was not heard of. `end` is the latest time that anybody told of.
    fn close(&mut self, end: Timestamp, patience: Duration) {
        self.times.sort_unstable();
        let times = std::mem::take(&mut self.times);
        let pairs = times.iter().zip(times.iter().skip(1));
        self.gaps = pairs.filter(|(from, to)| to.since(**from) > patience).take(GAPS).map(|(from, to)| (*from, *to)).collect();
        self.silent = self.beats && !self.ended && end.since(self.heard) > patience;
    }
}

/// Ids of rows that were taken, in two generations.
#[derive(Debug, Default)]
struct Taken {
    young: HashSet<String, RandomState>,
    old: HashSet<String, RandomState>,
}

impl Taken {
    /// False where it is known.
    fn insert(&mut self, id: String) -> bool {
        if self.old.contains(&id) {
            return false;
        }
        if self.young.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id)
    }
}

/// Rows that wait for others of their time: more than a fleet of hundreds has in a minute.
const WAITING: usize = 1 << 19;
/// Ids of rows remembered in each generation.
const REMEMBERED: usize = 1 << 20;
/// Heartbeats whose times are remembered for each sensor: two months of them.
const BEATS: usize = 1 << 17;
/// Gaps told of each sensor.
const GAPS: usize = 64;
