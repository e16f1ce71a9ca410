//! From the files of one sensor to its windows: which there are, and which files each needs.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers from outside never overflow"))]

use std::time::Duration;

use crate::time::Timestamp;

/// A file of a sensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// From the archive's root on, or a URL.
    pub(super) name: String,
    /// Its length; none where nobody said.
    pub(super) bytes: Option<u64>,
    /// What is another one when the file is.
    pub(super) version: String,
    /// Its first packet's time.
    pub(super) first: Timestamp,
    /// Its latest packet's time, where it was looked for.
    pub(super) last: Option<Timestamp>,
}

/// A span of time of one sensor, and what is needed to see every handshake that begins in it to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Window<'a> {
    /// Where it begins: its name.
    pub(super) begin: Timestamp,
    /// The bound to the left: none for the first, as packets may stand in a file before their time.
    pub(super) since: Option<Timestamp>,
    /// The bound to the right, which does not belong to it; none for the last.
    pub(super) until: Option<Timestamp>,
    pub(super) files: Vec<&'a File>,
}

/// A sensor's files in the order of time, and how far each reaches.
pub(super) struct Spans<'a> {
    files: &'a [File],
    /// The end of each: its latest packet, or where that is not known the beginning of the next.
    ends: Vec<Timestamp>,
    /// The latest end up to each.
    reached: Vec<Timestamp>,
}

impl<'a> Spans<'a> {
    /// The files must be sorted by their first packet.
    pub(super) fn new(files: &'a [File]) -> Self {
        let mut ends: Vec<Timestamp> = Vec::with_capacity(files.len());
        for (index, file) in files.iter().enumerate() {
            let rest = files.get(index..).unwrap_or_default();
            let next = rest.get(rest.partition_point(|other| other.first <= file.first)).map(|other| other.first);
            ends.push(file.last.or(next).unwrap_or(Timestamp::MAX));
        }
        let reached = ends.iter().scan(Timestamp::MIN, |most, end| {
            *most = (*most).max(*end);
            Some(*most)
        });
        let reached = reached.collect();
        Self { files, ends, reached }
    }

    /// Where windows begin: with each file, or at each whole `every` in which there may be packets. `None` when that is more than `most`.
    pub(super) fn begins(&self, every: Option<Duration>, most: usize) -> Option<Vec<Timestamp>> {
        let Some(every) = every else {
            let mut begins: Vec<Timestamp> = self.files.iter().map(|file| file.first).collect();
            begins.dedup();
            return (begins.len() <= most).then_some(begins);
        };
        let step = i64::try_from(every.as_nanos()).unwrap_or(i64::MAX).max(1);
        let mut begins: Vec<Timestamp> = Vec::new();
        for (file, end) in self.files.iter().zip(&self.ends) {
            let first = file.first.nanos().div_euclid(step);
            // Where nobody knows how long it goes on, the last window has no end.
            let last = if *end == Timestamp::MAX { first } else { end.nanos().div_euclid(step) };
            for index in first..=last.max(first) {
                let begin = Timestamp::from_nanos(index.saturating_mul(step));
                if begins.last().is_none_or(|before| *before < begin) {
                    begins.push(begin);
                }
                if begins.len() > most {
                    return None;
                }
            }
        }
        Some(begins)
    }

    /// The windows that begin there, each with the files that reach to within `overlap` of it.
    pub(super) fn windows(&self, begins: &[Timestamp], overlap: Duration) -> impl Iterator<Item = Window<'a>> {
        let ends = begins.iter().skip(1).copied().map(Some).chain([None]);
        begins.iter().zip(ends).enumerate().map(move |(index, (begin, until))| Window {
            begin: *begin,
            since: (index > 0).then_some(*begin),
            until,
            files: self.around(*begin, until, overlap),
        })
    }

    fn around(&self, since: Timestamp, until: Option<Timestamp>, overlap: Duration) -> Vec<&'a File> {
        let from = since.before(overlap);
        let to = until.map_or(Timestamp::MAX, |until| until.after(overlap));
        let low = self.reached.partition_point(|end| *end < from);
        let near = self.files.iter().zip(&self.ends).skip(low).take_while(|(file, _)| file.first < to);
        near.filter(|(_, end)| **end >= from).map(|(file, _)| file).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_parts(second, 0)
    }

    fn files(firsts: &[i64]) -> Vec<File> {
        let file = |first: &i64| File { name: format!("{first}"), bytes: Some(1), version: String::new(), first: at(*first), last: None };
        firsts.iter().map(file).collect()
    }

    fn told(files: &[File], every: Option<u64>, overlap: u64) -> Vec<(Option<i64>, Option<i64>, String)> {
        let spans = Spans::new(files);
        let begins = spans.begins(every.map(Duration::from_secs), 1000).unwrap();
        let windows = spans.windows(&begins, Duration::from_secs(overlap));
        let names = |window: &Window<'_>| window.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join(" ");
        windows.map(|window| (window.since.map(Timestamp::seconds), window.until.map(Timestamp::seconds), names(&window))).collect()
    }

    #[test]
    fn each_file_has_a_window_with_its_neighbours() {
        let told = told(&files(&[0, 100, 200, 300]), None, 1);
        let expected = [
            (None, Some(100), "0 100"),
            (Some(100), Some(200), "0 100 200"),
            (Some(200), Some(300), "100 200 300"),
            (Some(300), None, "200 300"),
        ];
        assert_eq!(told, expected.map(|(since, until, names)| (since, until, names.to_owned())));
    }

    #[test]
    fn short_files_are_put_together_and_long_ones_divided() {
        let short = told(&files(&[3, 8, 13, 18]), Some(10), 1);
        // What begins at 8 ends at 13; nobody knows where the last one does.
        assert_eq!(short, [(None, Some(10), "3 8".to_owned()), (Some(10), None, "8 13 18".to_owned())]);
        let mut long = files(&[5]);
        long[0].last = Some(at(25));
        assert_eq!(told(&long, Some(10), 1).len(), 3);
    }

    #[test]
    fn a_gap_has_no_window_and_no_time_is_left_out() {
        let mut two = files(&[0, 1000]);
        (two[0].last, two[1].last) = (Some(at(5)), Some(at(1005)));
        // The second file begins within the overlap of the first window.
        assert_eq!(told(&two, Some(10), 1), [(None, Some(1000), "0 1000".to_owned()), (Some(1000), None, "1000".to_owned())]);
    }

    #[test]
    fn a_file_that_reaches_far_goes_with_every_window_it_reaches() {
        let mut overlapping = files(&[0, 10, 20, 30]);
        for (file, last) in overlapping.iter_mut().zip([25, 19, 29, 39]) {
            file.last = Some(at(last));
        }
        let names: Vec<String> = told(&overlapping, None, 1).into_iter().map(|(_, _, names)| names).collect();
        assert_eq!(names, ["0 10", "0 10 20", "0 10 20 30", "20 30"]);
    }

    #[test]
    fn a_clock_that_jumped_makes_no_million_windows() {
        let mut far = files(&[0]);
        far[0].last = Some(at(1 << 33));
        assert_eq!(Spans::new(&far).begins(Some(Duration::from_secs(1)), 1000), None);
    }
}
