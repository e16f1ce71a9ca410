//! What the view knows and where its reader stands: tabs, what was opened from them, the cursor, what is typed.

use std::sync::Arc;

use ratatui::layout::Rect;

use super::counts::{By, Totals};
use super::data::{Data, Row, handshake};
use super::filter::Filter;
use super::gauges::{Form, Gauges, Wish};
use super::table::{self, Item, Kind, Sort};
use crate::report::{Handshake, Report};
use crate::time::{Timestamp, Zone};

/// Everything the view knows.
#[derive(Debug)]
pub(super) struct State {
    pub(super) started: Timestamp,
    pub(super) now: Timestamp,
    pub(super) gauges: Gauges,
    /// Packets and bytes a second, over the last seconds.
    pub(super) packet_rate: u64,
    pub(super) byte_rate: u64,
    before: (u64, u64),
    pub(super) totals: Totals,
    live: Data,
    /// What is shown while paused.
    frozen: Option<Data>,
    pub(super) filter: Filter,
    pub(super) tab: Tab,
    /// Where the cursor stands on each tab.
    places: [Place; Tab::ALL.len()],
    /// What was opened, the latest last.
    pub(super) opened: Vec<Opened>,
    pub(super) asking: Asking,
    /// Told in the last line until the next key.
    pub(super) message: String,
    /// To be put on the clipboard.
    pub(super) copied: Option<String>,
    pub(super) wish: Option<Wish>,
    /// Why nothing can be saved, where that is so.
    pub(super) cannot_save: Option<&'static str>,
    /// The lists that there are.
    pub(super) tabs: &'static [Tab],
    pub(super) mouse: bool,
    pub(super) quit: bool,
    pub(super) color: bool,
    /// The zone of all times.
    pub(super) zone: Zone,
    pub(super) drawn: Drawn,
}

/// What the keys are for at the moment.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) enum Asking {
    /// The view.
    #[default]
    Nothing,
    /// Words to look for, which are applied as they are typed.
    Words,
    /// A condition, and what is wrong with it.
    Condition { text: String, wrong: String },
    /// In which form to save.
    Form,
    /// The page of keys is shown, from this one on.
    Help(usize),
}

/// The lists at the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Incidents,
    Problems,
    All,
    Servers,
    Names,
    Clients,
    /// Only where the run looks up whose the ends are.
    Processes,
}

impl Tab {
    /// Those that every run has.
    pub(super) const USUAL: &'static [Self] = &[Self::Incidents, Self::Problems, Self::All, Self::Servers, Self::Names, Self::Clients];
    /// Those of a run that looks up whose the ends are.
    pub(super) const WITH_PROCESSES: &'static [Self] = &Self::ALL;
    pub(super) const ALL: [Self; 7] =
        [Self::Incidents, Self::Problems, Self::All, Self::Servers, Self::Names, Self::Clients, Self::Processes];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Incidents => "Incidents",
            Self::Problems => "Problems",
            Self::All => "All",
            Self::Servers => "Servers",
            Self::Names => "Names",
            Self::Clients => "Clients",
            Self::Processes => "Processes",
        }
    }

    const fn kind(self) -> Kind {
        match self {
            Self::Incidents => Kind::Incidents,
            Self::Problems | Self::All => Kind::Handshakes,
            Self::Servers | Self::Names | Self::Clients | Self::Processes => Kind::Groups,
        }
    }

    /// By what it puts handshakes together.
    pub(super) const fn by(self) -> Option<By> {
        match self {
            Self::Servers => Some(By::Server),
            Self::Names => Some(By::Name),
            Self::Clients => Some(By::Client),
            Self::Processes => Some(By::Process),
            Self::Incidents | Self::Problems | Self::All => None,
        }
    }
}

/// The cursor of a list, and its order.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) cursor: usize,
    /// The row it stands on, which it follows; none at the top, where it stays.
    held: Option<String>,
    pub(super) sort: Sort,
}

/// What was opened from a list.
#[derive(Debug, Clone)]
pub(super) enum Opened {
    /// An incident, by its id.
    Incident { id: String, scroll: u16 },
    /// The handshakes of an incident, a server, a name or a client.
    List { scope: Scope, place: Place },
    /// A handshake.
    Handshake { report: Arc<Report>, scroll: u16 },
}

/// Which handshakes a list holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// Those that failed, or completed with trouble, or are stalling.
    Problems,
    All,
    /// Those of an incident, by its id.
    Incident(String),
    /// Those of a server, name or client.
    Of(By, String),
}

/// Where things stand on the screen, for the mouse, and how much fits, as last drawn.
#[derive(Debug, Default, Clone)]
pub(super) struct Drawn {
    pub(super) tabs: Vec<(Rect, Tab)>,
    /// The heads of the columns.
    pub(super) heads: Vec<(Rect, usize)>,
    pub(super) rows: Rect,
    /// The number of the first row in sight.
    pub(super) first: usize,
    /// Rows that fit.
    pub(super) page: usize,
    /// Keys that fit the page of keys.
    pub(super) keys: usize,
}

impl Place {
    const fn new(kind: Kind) -> Self {
        Self { cursor: 0, held: None, sort: kind.sort() }
    }
}

impl State {
    pub(super) fn new(now: Timestamp, color: bool) -> Self {
        Self {
            started: now,
            now,
            gauges: Gauges::default(),
            packet_rate: 0,
            byte_rate: 0,
            before: (0, 0),
            totals: Totals::default(),
            live: Data::default(),
            frozen: None,
            filter: Filter::default(),
            tab: Tab::Incidents,
            places: Tab::ALL.map(|tab| Place::new(tab.kind())),
            opened: Vec::new(),
            asking: Asking::Nothing,
            message: String::new(),
            copied: None,
            wish: None,
            cannot_save: None,
            tabs: Tab::USUAL,
            mouse: true,
            quit: false,
            color,
            zone: Zone::UTC,
            drawn: Drawn { page: 1, ..Drawn::default() },
        }
    }

    /// Takes a report.
    pub(super) fn take(&mut self, report: &Arc<Report>) {
        match &**report {
            Report::Handshake(one) => {
                self.live.take(report, &self.filter);
                if !one.handshake.provisional {
                    self.totals.take(one, self.now);
                }
            }
            Report::Incident(incident) => self.live.follow(incident, self.now),
            Report::Tally(_) | Report::Heartbeat(_) | Report::Summary(_) => {}
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Timestamp, gauges: Gauges) {
        let seconds = now.seconds() - self.now.seconds();
        if let Ok(passed) = u64::try_from(seconds)
            && passed > 0
        {
            self.packet_rate = gauges.frames.saturating_sub(self.before.0) / passed;
            self.byte_rate = gauges.bytes.saturating_sub(self.before.1) / passed;
            self.before = (gauges.frames, gauges.bytes);
        }
        self.now = now;
        self.gauges = gauges;
        self.totals.second(now);
    }

    /// The lists that there are.
    pub(super) fn tabs(&self) -> impl Iterator<Item = Tab> + Clone + use<> {
        self.tabs.iter().copied()
    }

    /// What is shown.
    pub(super) fn data(&self) -> &Data {
        self.frozen.as_ref().unwrap_or(&self.live)
    }

    /// The list that is in front, if one is.
    pub(super) fn list(&self) -> Option<(Kind, Sort)> {
        match self.opened.last() {
            None => Some((self.tab.kind(), self.place().sort)),
            Some(Opened::List { place, .. }) => Some((Kind::Handshakes, place.sort)),
            Some(Opened::Incident { .. } | Opened::Handshake { .. }) => None,
        }
    }

    /// Where the cursor stands in the list that is in front, or below what is.
    pub(super) fn place(&self) -> &Place {
        if let Some(Opened::List { place, .. }) = self.opened.last() {
            return place;
        }
        of_tab(self.tab, self.places.each_ref())
    }

    pub(super) fn place_mut(&mut self) -> &mut Place {
        if let Some(Opened::List { place, .. }) = self.opened.last_mut() {
            return place;
        }
        of_tab(self.tab, self.places.each_mut())
    }

    /// What the list in front holds, in order.
    pub(super) fn items(&self) -> Vec<Item<'_>> {
        let mut items: Vec<Item<'_>> = match (self.opened.last(), self.tab) {
            (Some(Opened::List { scope, .. }), _) => self.rows(scope).map(Item::Handshake).collect(),
            (_, Tab::Incidents) => {
                let all = self.data().incidents.values().filter(|tracked| self.filter.takes_incident(&tracked.incident));
                all.map(Item::Incident).collect()
            }
            (_, Tab::Problems) => self.rows(&Scope::Problems).map(Item::Handshake).collect(),
            (_, Tab::All) => self.rows(&Scope::All).map(Item::Handshake).collect(),
            (_, Tab::Servers | Tab::Names | Tab::Clients | Tab::Processes) => {
                let groups = self.tab.by().and_then(|by| self.data().groups.get(by as usize));
                let all = groups.into_iter().flat_map(|groups| &groups.0).filter(|(key, _)| self.filter.finds(|| vec![(*key).clone()]));
                all.map(|(key, group)| Item::Group(key, group)).collect()
            }
        };
        table::sort(&mut items, self.place().sort);
        items
    }

    /// Handshakes of a scope that the filter takes, the latest first.
    fn rows<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = &'a Row> {
        let data = self.data();
        let incident = if let Scope::Incident(id) = scope { data.incidents.get(id).map(|tracked| &tracked.incident) } else { None };
        let within = move |one: &Handshake<'_>| match scope {
            Scope::All => true,
            Scope::Problems => one.class().is_problem(),
            Scope::Incident(_) => incident.is_some_and(|incident| incident.holds(one)),
            Scope::Of(by, key) => by.keys(one).any(|of| of == *key),
        };
        data.rows.iter().rev().filter(move |row| row.taken && row.handshake().is_some_and(within))
    }

    /// The cursor finds its row again, wherever that is now.
    pub(super) fn settle(&mut self) {
        let items = self.items();
        let place = self.place();
        let found = place.held.as_ref().and_then(|held| items.iter().position(|item| item.id() == *held));
        let cursor = found.unwrap_or(place.cursor).min(items.len().saturating_sub(1));
        self.place_mut().cursor = cursor;
    }

    /// Moves the cursor.
    pub(super) fn go(&mut self, cursor: usize) {
        let items = self.items();
        let cursor = cursor.min(items.len().saturating_sub(1));
        let held = items.get(cursor).filter(|_| cursor > 0).map(Item::id);
        let place = self.place_mut();
        (place.cursor, place.held) = (cursor, held);
    }

    /// Opens what is under the cursor, or what follows on what is in front.
    pub(super) fn open(&mut self) {
        let list = |scope| Opened::List { scope, place: Place::new(Kind::Handshakes) };
        let next = match self.opened.last() {
            Some(Opened::Incident { id, .. }) => Some(list(Scope::Incident(id.clone()))),
            Some(Opened::Handshake { .. }) => None,
            Some(Opened::List { .. }) | None => self.items().get(self.place().cursor).map(|item| match item {
                Item::Incident(tracked) => Opened::Incident { id: tracked.incident.id.clone(), scroll: 0 },
                Item::Handshake(row) => Opened::Handshake { report: Arc::clone(&row.report), scroll: 0 },
                Item::Group(key, _) => list(Scope::Of(self.tab.by().unwrap_or(By::Server), (*key).to_owned())),
            }),
        };
        self.opened.extend(next);
    }

    /// The handshake or incident that is in front or under the cursor.
    pub(super) fn selected(&self) -> Option<Selected<'_>> {
        let incident = |id: &str| self.data().incidents.get(id).map(|tracked| Selected::Incident(&tracked.incident));
        match self.opened.last() {
            Some(Opened::Incident { id, .. }) => incident(id),
            Some(Opened::Handshake { report, .. }) => handshake(report).map(|one| Selected::Handshake(one, report)),
            Some(Opened::List { .. }) | None => match self.items().get(self.place().cursor)? {
                Item::Incident(tracked) => Some(Selected::Incident(&tracked.incident)),
                Item::Handshake(row) => row.handshake().map(|one| Selected::Handshake(one, &row.report)),
                Item::Group(key, _) => Some(Selected::Group((*key).to_owned())),
            },
        }
    }

    /// Asks for what is selected to be saved.
    pub(super) fn save(&mut self, form: Form) {
        let reports: Vec<Arc<Report>> = match self.selected() {
            Some(Selected::Handshake(_, report)) => vec![Arc::clone(report)],
            Some(Selected::Incident(incident)) => {
                let head = Arc::new(Report::Incident(Box::new(incident.clone())));
                let scope = Scope::Incident(incident.id.clone());
                self.rows(&scope).map(|row| Arc::clone(&row.report)).chain([head]).collect()
            }
            Some(Selected::Group(key)) => {
                let scope = Scope::Of(self.tab.by().unwrap_or(By::Server), key);
                self.rows(&scope).map(|row| Arc::clone(&row.report)).collect()
            }
            None => Vec::new(),
        };
        if reports.is_empty() {
            "There is nothing to save.".clone_into(&mut self.message);
        } else {
            self.wish = Some(Wish { form, reports });
        }
    }

    pub(super) const fn paused(&self) -> bool {
        self.frozen.is_some()
    }

    /// Stops what is shown, or lets it go on.
    pub(super) fn pause(&mut self) {
        self.frozen = if self.frozen.is_some() { None } else { Some(self.live.clone()) };
    }

    /// Forgets what was shown; the totals stay.
    pub(super) fn clear(&mut self) {
        self.live = Data::default();
        self.frozen = None;
        self.opened.clear();
    }

    /// The filter has changed.
    pub(super) fn refilter(&mut self) {
        self.live.filter(&self.filter);
        if let Some(frozen) = &mut self.frozen {
            frozen.filter(&self.filter);
        }
        self.go(0);
    }
}

/// What can be copied or saved.
#[derive(Debug)]
pub(super) enum Selected<'a> {
    Incident(&'a crate::report::Incident),
    Handshake(&'a Handshake<'static>, &'a Arc<Report>),
    Group(String),
}

/// Of what there is for every tab, what is this one's.
fn of_tab<T>(tab: Tab, [incidents, failures, all, servers, names, clients, processes]: [T; Tab::ALL.len()]) -> T {
    match tab {
        Tab::Incidents => incidents,
        Tab::Problems => failures,
        Tab::All => all,
        Tab::Servers => servers,
        Tab::Names => names,
        Tab::Clients => clients,
        Tab::Processes => processes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn report(report: Handshake<'static>) -> Arc<Report> {
        Arc::new(Report::Handshake(Box::new(report)))
    }

    fn state() -> State {
        let mut state = State::new(Timestamp::from_parts(100, 0), false);
        for (number, name) in ["alpha.test", "beta.test"].into_iter().enumerate() {
            let mut named = samples::named(name);
            named.handshake.id = samples::id(number as u64);
            state.take(&report(named));
        }
        state.take(&report(samples::completed()));
        state
    }

    #[test]
    fn tabs_filter_and_pause_choose_the_rows() {
        let mut state = state();
        let count = |state: &mut State, tab| {
            state.tab = tab;
            state.items().len()
        };
        let expected = [(Tab::Incidents, 0), (Tab::Problems, 2), (Tab::All, 3), (Tab::Servers, 1), (Tab::Names, 3), (Tab::Clients, 1)];
        for (tab, number) in expected {
            assert_eq!(count(&mut state, tab), number, "{tab:?}");
        }
        "BETA".clone_into(&mut state.filter.words);
        state.refilter();
        assert_eq!((count(&mut state, Tab::All), count(&mut state, Tab::Names)), (1, 1));
        state.filter.words.clear();
        state.refilter();
        state.pause();
        state.take(&report(samples::expired(3)));
        assert_eq!(count(&mut state, Tab::Problems), 2);
        state.pause();
        assert_eq!(count(&mut state, Tab::Problems), 3);
    }

    #[test]
    fn the_cursor_follows_its_row_and_stays_at_the_top() {
        let mut state = state();
        state.tab = Tab::Names;
        state.place_mut().sort = Sort { column: 0, down: false };
        state.go(1);
        assert_eq!(state.items()[1].id(), "beta.test");
        state.take(&report(samples::named("aaa.test")));
        state.settle();
        assert_eq!(state.place().cursor, 2);
        state.go(0);
        state.take(&report(samples::named("a.test")));
        state.settle();
        assert_eq!((state.place().cursor, state.items()[0].id()), (0, "a.test".to_owned()));
    }

    #[test]
    fn an_incident_leads_to_its_handshakes_and_they_to_one() {
        let mut state = state();
        let incident = samples::incident();
        let id = incident.id.clone();
        state.take(&report(samples::expired(0)));
        state.take(&Arc::new(Report::Incident(Box::new(incident))));
        state.open();
        assert!(matches!(state.opened.last(), Some(Opened::Incident { id: opened, .. }) if *opened == id));
        state.open();
        assert_eq!(state.items().len(), 1, "the one of its server, name and cause");
        state.open();
        assert!(matches!(state.opened.last(), Some(Opened::Handshake { .. })));
        state.open();
        assert_eq!(state.opened.len(), 3);
    }
}
