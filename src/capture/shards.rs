//! Which part of an archive condensates are: everything, or one shard with what crosses shards.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use super::WindowGap;
use super::discover::Pending;
use crate::condensate::Head;
use crate::error::{Error, Result};
use crate::shard::Shard;
use crate::time::Timestamp;

/// A window, whatever part of it a condensate holds.
type Window<'a> = (Option<&'a str>, Option<&'a str>, Option<i64>, Option<i64>);

fn window(head: &Head) -> Window<'_> {
    (head.site.as_deref(), head.sensor.as_deref(), head.since, head.until)
}

/// The shard that is read by itself; none where all is there, divided or not.
///
/// # Errors
/// Where a part is missing without which what is said would be another thing.
pub(super) fn wanted(condensates: &VecDeque<Pending>) -> Result<Option<Shard>> {
    let known = || condensates.iter().filter_map(|pending| Some((pending.path.as_path(), pending.head.as_ref()?)));
    let Some((first, shard)) = known().find_map(|(path, head)| Some((path, head.shard?))) else { return Ok(None) };
    if let Some((path, _)) = known().find(|(_, head)| head.shard.is_none_or(|other| other.of != shard.of)) {
        return refuse(
            path,
            format!("it is not divided as {} is, into {} shards; condense all windows with the same --shards", first.display(), shard.of),
        );
    }
    let mut windows: BTreeMap<u16, BTreeSet<Window<'_>>> = BTreeMap::new();
    for (_, head) in known() {
        windows.entry(head.shard.map_or(0, |shard| shard.number)).or_default().insert(window(head));
    }
    let numbers: Vec<u16> = windows.keys().copied().filter(|number| *number > 0).collect();
    let (own, others) = match numbers.as_slice() {
        [] => return refuse(first, "it holds what crosses shards; read a shard with it".to_owned()),
        [own] => (Some(Shard { number: *own, of: shard.of }), vec![0]),
        _ if numbers.len() == usize::from(shard.of) => (None, numbers.clone()),
        _ => {
            return refuse(
                first,
                format!("{} of {} shards are there; read one with the side table, or all of them", numbers.len(), shard.of),
            );
        }
    };
    if shard.of == 1 {
        return Ok(None);
    }
    let all: BTreeSet<&Window<'_>> = windows.values().flatten().collect();
    let lacks = |number: &u16| all.iter().any(|window| windows.get(number).is_none_or(|there| !there.contains(*window)));
    let looked_at = others.iter().chain(&numbers);
    match looked_at.copied().find(lacks).zip(own.or(Some(shard))) {
        None => Ok(own),
        Some((0, own)) => refuse(
            first,
            format!(
                "the side table of shard {} is missing, or lacks one of its windows; name side-of-{}/ as well: without it the shard would say other things than the whole",
                own.number, own.of
            ),
        ),
        Some((number, _)) => refuse(first, format!("shard {number} lacks a window that others have; condense it again")),
    }
}

/// Times between windows of a sensor in which it has none. Those may have been left out on purpose, so that they are only told.
pub(super) fn gaps(condensates: &VecDeque<Pending>) -> Vec<WindowGap> {
    let windows: BTreeSet<Window<'_>> = condensates.iter().filter_map(|pending| pending.head.as_ref()).map(window).collect();
    let mut gaps = Vec::new();
    let mut before: Option<Window<'_>> = None;
    // Sorted by sensor, then by beginning; what has none begins before all.
    for next in windows {
        let (site, sensor, since, until) = next;
        let Some(known) = before.as_mut().filter(|known| (known.0, known.1) == (site, sensor)) else {
            before = Some(next);
            continue;
        };
        if let (Some(from), Some(to)) = (known.3, since)
            && from < to
        {
            let [from, to] = [from, to].map(Timestamp::from_nanos);
            gaps.push(WindowGap { site: site.map(str::to_owned), sensor: sensor.map(str::to_owned), from, to });
        }
        known.3 = known.3.zip(until).map(|(known, until)| known.max(until));
    }
    gaps
}

fn refuse<T>(path: &Path, why: String) -> Result<T> {
    Err(Error::Condensate { path: path.to_owned(), why })
}
