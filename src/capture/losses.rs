//! When a capture lost packets: what a verdict is worth depends on whether any were lost while its handshake was under way.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::count::Count;
use crate::limits;
use crate::time::Timestamp;

/// Windows of time in which packets were lost, by interface. Shared between those who capture and those who judge.
#[derive(Debug, Clone, Default)]
pub struct Losses(Arc<Mutex<Vec<VecDeque<Window>>>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    from: Timestamp,
    until: Timestamp,
    packets: u64,
}

impl Losses {
    /// Between these moments so many packets were lost on an interface.
    pub fn add(&self, interface: u32, from: Timestamp, until: Timestamp, packets: u64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = interface as usize;
        if packets == 0 || place >= limits::INTERFACES {
            return;
        }
        if all.len() <= place {
            all.resize_with(place.saturating_add(1), VecDeque::new);
        }
        let Some(windows) = all.get_mut(place) else { return };
        match windows.back_mut() {
            // Several threads share an interface, and a long flood is one window.
            Some(last) if from <= last.until && last.from <= until => {
                *last = Window { from: last.from.min(from), until: last.until.max(until), packets: last.packets.saturating_add(packets) };
            }
            _ => windows.push_back(Window { from, until, packets }),
        }
        if windows.len() > limits::LOSS_WINDOWS {
            windows.pop_front();
        }
    }

    /// Packets lost on an interface in windows that touch this span: more than were lost within it, never fewer.
    pub fn between(&self, interface: u32, from: Timestamp, until: Timestamp) -> u64 {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let windows = all.get(interface as usize).into_iter().flatten().rev().take_while(|window| window.until >= from);
        windows.filter(|window| window.from <= until).map(|window| window.packets).sum::<Count>().get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_parts(second, 0)
    }

    #[test]
    fn a_loss_counts_for_what_it_overlaps() {
        let losses = Losses::default();
        losses.add(1, at(10), at(12), 3);
        losses.add(1, at(12), at(13), 4);
        losses.add(1, at(20), at(21), 5);
        losses.add(1, at(30), at(31), 0);
        for (from, until, expected) in [(0, 9, 0), (9, 10, 7), (11, 12, 7), (13, 19, 7), (14, 19, 0), (5, 50, 12), (21, 40, 5), (22, 40, 0)]
        {
            assert_eq!(losses.between(1, at(from), at(until)), expected, "{from} to {until}");
        }
        assert_eq!((losses.between(0, at(0), at(50)), losses.between(9, at(0), at(50))), (0, 0));
    }

    #[test]
    fn windows_are_bounded() {
        let losses = Losses::default();
        for second in 0..2 * i64::try_from(limits::LOSS_WINDOWS).unwrap() {
            losses.add(0, at(second * 10), at(second * 10 + 1), 1);
        }
        assert_eq!(losses.between(0, Timestamp::MIN, Timestamp::MAX), limits::LOSS_WINDOWS as u64);
    }
}
