//! The tables: which columns they have, what stands in them, how they are sorted, and which fit.

use std::cmp::Reverse;

use ratatui::style::Style;

use super::counts::Group;
use super::data::{Row, Tracked, handshake};
use super::look::{Look, bars, micros, number, percent};
use crate::output::escape::width;
use crate::output::view;
use crate::report::{Class, Handshake, Side};
use crate::time::Timestamp;

/// A row of a table.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item<'a> {
    Incident(&'a Tracked),
    Handshake(&'a Row),
    Group(&'a str, &'a Group),
}

/// What a table's rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Incidents,
    Handshakes,
    Groups,
}

/// A column.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// What it takes, at the least.
    width: usize,
    /// Its share of what is left, in parts; none: it stays as it is.
    grows: usize,
    /// Columns with a higher rank are left out first.
    rank: u8,
    /// Numbers stand on the right, and begin with the largest when they are sorted.
    pub(super) number: bool,
}

/// Which column a table is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sort {
    pub(super) column: usize,
    /// The largest first.
    pub(super) down: bool,
}

const fn text(title: &'static str, width: usize, grows: usize, rank: u8) -> Column {
    Column { title, width, grows, rank, number: false }
}

const fn count(title: &'static str, width: usize, rank: u8) -> Column {
    Column { title, width, grows: 0, rank, number: true }
}

impl Kind {
    pub(super) const fn columns(self) -> &'static [Column] {
        // The longest cause has 31 letters.
        const INCIDENTS: &[Column] = &[
            text("cause", 31, 0, 0),
            text("where", 12, 3, 0),
            count("failed", 7, 0),
            count("of", 7, 1),
            count("share", 5, 2),
            count("clients", 7, 3),
            text("since", 8, 0, 4),
            text("last", 8, 0, 6),
            text("2 min", 12, 0, 5),
            text("what changed", 16, 2, 7),
        ];
        const HANDSHAKES: &[Column] = &[
            text("ended", 8, 0, 0),
            text("cause", 32, 0, 0),
            text("server", 16, 3, 0),
            text("client", 15, 1, 2),
            count("took", 8, 3),
            text("how it ended", 18, 1, 4),
            text("what happened", 30, 6, 5),
        ];
        const GROUPS: &[Column] = &[
            text("", 20, 2, 0),
            count("handshakes", 10, 2),
            count("failed", 7, 0),
            count("share", 5, 1),
            text("most frequent cause", 31, 0, 3),
            count("median", 9, 4),
            text("last", 8, 0, 5),
        ];
        match self {
            Self::Incidents => INCIDENTS,
            Self::Handshakes => HANDSHAKES,
            Self::Groups => GROUPS,
        }
    }

    /// How it is sorted at first: the worst incidents and groups, the latest handshakes.
    pub(super) const fn sort(self) -> Sort {
        match self {
            Self::Incidents | Self::Groups => Sort { column: 2, down: true },
            Self::Handshakes => Sort { column: 0, down: true },
        }
    }
}

/// The columns that fit, with their widths; one column between them.
pub(super) fn fit(columns: &'static [Column], room: usize) -> Vec<(usize, usize)> {
    let mut chosen: Vec<(usize, &Column)> = columns.iter().enumerate().collect();
    let needs = |chosen: &[(usize, &Column)]| chosen.iter().map(|(_, column)| column.width + 1).sum::<usize>().saturating_sub(1);
    while needs(&chosen) > room
        && let Some(rank) = chosen.iter().map(|(_, column)| column.rank).max().filter(|rank| *rank > 0)
    {
        chosen.retain(|(_, column)| column.rank != rank);
    }
    let left = room.saturating_sub(needs(&chosen));
    let parts = chosen.iter().map(|(_, column)| column.grows).sum::<usize>();
    let share = |column: &Column| (left * column.grows).checked_div(parts).unwrap_or_default();
    chosen.iter().map(|(place, column)| (*place, column.width + share(column))).collect()
}

/// By what a row is sorted.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(i128),
    Text(String),
}

impl Item<'_> {
    /// What tells it from the others of its table.
    pub(super) fn id(&self) -> String {
        match self {
            Self::Incident(tracked) => tracked.incident.id.clone(),
            Self::Handshake(row) => row.handshake().map(|handshake| handshake.handshake.id.as_str().to_owned()).unwrap_or_default(),
            Self::Group(key, _) => (*key).to_owned(),
        }
    }

    fn key(&self, column: usize) -> Key {
        let of_time = |at: Timestamp| Key::Number(i128::from(at.nanos()));
        let of = |number: u64| Key::Number(i128::from(number));
        let share = |part: u64, whole: u64| of(part.saturating_mul(10_000).checked_div(whole).unwrap_or_default());
        match self {
            Self::Incident(Tracked { incident, .. }) => match column {
                0 => Key::Text(incident.cause.slug().to_owned()),
                1 => Key::Text(view::place(incident)),
                2 => of(incident.failed),
                3 => of(incident.attempts),
                4 => share(incident.failed, incident.attempts),
                5 => of(incident.clients_total),
                6 => of_time(incident.first_seen),
                9 => Key::Text(incident.changes.join(" ")),
                _ => of_time(incident.last_seen),
            },
            Self::Handshake(row) => {
                let Some(one) = handshake(&row.report) else { return Key::Number(0) };
                match column {
                    1 => Key::Text(cause(one).to_owned()),
                    2 => Key::Text(view::server(one)),
                    3 => Key::Text(one.client.to_string()),
                    4 => Key::Number(one.handshake.timing.total_us.map_or(-1, i128::from)),
                    5 => Key::Text(view::ending(one)),
                    6 => Key::Text(one.summary().into_owned()),
                    _ => of_time(one.handshake.end),
                }
            }
            Self::Group(key, group) => match column {
                0 => Key::Text((*key).to_owned()),
                1 => of(group.classes.total()),
                2 => of(group.failed()),
                3 => share(group.failed(), group.classes.total()),
                4 => Key::Text(group.cause().unwrap_or_default().to_owned()),
                5 => Key::Number(group.median().map_or(-1, i128::from)),
                _ => of_time(group.last),
            },
        }
    }

    /// What stands in a column, and its style: a cause has the colour of how it went, times and what can be skipped are grey.
    pub(super) fn cell(&self, column: usize, room: usize, look: &Look, now: Timestamp) -> (String, Style) {
        let plain = Style::new();
        match self {
            Self::Incident(tracked) => {
                let incident = &tracked.incident;
                let grave = if incident.completed == incident.failed { look.warn } else { look.bad };
                match column {
                    0 => (incident.cause.slug().to_owned(), grave),
                    1 => (view::place(incident), plain),
                    2 => (number(incident.failed), plain),
                    3 => (number(incident.attempts), look.dim),
                    4 => (percent(incident.failed, incident.attempts), plain),
                    5 => (number(incident.clients_total), plain),
                    6 => (look.clock(incident.first_seen), look.dim),
                    7 => (look.clock(incident.last_seen), look.dim),
                    8 => (bars(tracked.trend(now).into_iter()), look.accent),
                    _ => (incident.changes.join("; "), look.dim),
                }
            }
            Self::Handshake(row) => row.handshake().map_or_else(|| (String::new(), plain), |one| of_handshake(one, column, room, look)),
            Self::Group(key, group) => match column {
                0 => ((*key).to_owned(), plain),
                1 => (number(group.classes.total()), plain),
                2 => (number(group.failed()), plain),
                3 => (percent(group.failed(), group.classes.total()), plain),
                4 => (group.cause().unwrap_or_default().to_owned(), if group.failed() > 0 { look.bad } else { look.warn }),
                5 => (group.median().map(micros).unwrap_or_default(), look.dim),
                _ => (look.clock(group.last), look.dim),
            },
        }
    }
}

fn of_handshake(one: &Handshake<'_>, column: usize, room: usize, look: &Look) -> (String, Style) {
    let plain = Style::new();
    match column {
        0 => (look.clock(one.handshake.end), look.dim),
        1 => {
            let mark = if one.handshake.provisional { "…" } else { " " };
            (format!("{mark}{}", cause(one)), look.of(one.class()))
        }
        2 => {
            let whole = view::server(one);
            // Where not both fit, the name tells more than half of an address.
            (one.server_name().filter(|_| width(&whole) > room).map_or_else(|| whole.clone(), str::to_owned), plain)
        }
        3 => (view::end(one, Side::Client), look.dim),
        4 => (one.handshake.timing.total_us.map(micros).unwrap_or_default(), look.dim),
        5 => (view::ending(one), plain),
        _ => (one.summary().into_owned(), look.dim),
    }
}

/// The cause, or that there is none to look for.
fn cause(one: &Handshake<'_>) -> &'static str {
    if one.class() == Class::Completed { Class::Completed.name() } else { view::cause(one) }
}

/// Sorts; what is equal stays as it came.
pub(super) fn sort(items: &mut [Item<'_>], sort: Sort) {
    if sort.down {
        items.sort_by_cached_key(|item| Reverse(item.key(sort.column)));
    } else {
        items.sort_by_cached_key(|item| item.key(sort.column));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Cause;

    #[test]
    fn every_cause_fits_its_column() {
        let longest = Cause::ALL.iter().map(|cause| cause.slug().len()).max().unwrap();
        for (kind, column, mark) in [(Kind::Incidents, 0, 0), (Kind::Handshakes, 1, 1), (Kind::Groups, 4, 0)] {
            assert!(kind.columns()[column].width >= longest + mark, "{kind:?}: {longest}");
        }
    }

    #[test]
    fn the_least_important_columns_give_way() {
        for kind in [Kind::Incidents, Kind::Handshakes, Kind::Groups] {
            let columns = kind.columns();
            for room in [60, 80, 100, 120, 240] {
                let widths = fit(columns, room);
                let taken = widths.iter().map(|(_, width)| width + 1).sum::<usize>() - 1;
                assert!(taken <= room, "{kind:?} in {room}: {taken}");
            }
            assert_eq!(fit(columns, 240).len(), columns.len(), "{kind:?}");
        }
        let titles = |room| {
            fit(Kind::Incidents.columns(), room).iter().map(|(place, _)| Kind::Incidents.columns()[*place].title).collect::<Vec<_>>()
        };
        assert_eq!(titles(60), ["cause", "where", "failed", "of"]);
        assert_eq!(titles(80), ["cause", "where", "failed", "of", "share", "clients"]);
    }
}
