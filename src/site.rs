//! Who saw a packet: the site, whose addresses mean something there only, and the sensor, one of its taps.
//!
//! A site is an address space. Two sites may use the same private addresses for different hosts, so a site is part of whatever tells flows,
//! servers, names and clients apart. A sensor is not: two taps of one site see the same hosts.

use std::cmp::Ordering;
use std::path::{Component, Path};
use std::sync::{Arc, Mutex, PoisonError};

/// A site, by its number among the names seen by this process. Numbers never leave the process.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Site(u16);

impl Site {
    /// The site of a capture that names none.
    pub const NONE: Self = Self(0);

    /// The site of this name, without spaces around it; an empty name is none. `None` where a process has met more than 65,534 names.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.trim();
        if name.is_empty() {
            return Some(Self::NONE);
        }
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        let place = names.iter().position(|known| **known == *name).unwrap_or(names.len());
        let number = u16::try_from(place.checked_add(1)?).ok()?;
        if place == names.len() {
            names.push(Arc::from(name));
        }
        Some(Self(number))
    }

    /// Its name; `None` where the capture names none.
    pub fn name(self) -> Option<Arc<str>> {
        let place = usize::from(self.0).checked_sub(1)?;
        NAMES.lock().unwrap_or_else(PoisonError::into_inner).get(place).cloned()
    }

    /// Its number: 0 for none, and another for each name.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// What makes a hash another for each site.
    pub const fn salt(self) -> u64 {
        (self.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// No site is named.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// By name: the numbers depend on the order in which sites are met.
impl Ord for Site {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.0 == other.0 { Ordering::Equal } else { self.name().cmp(&other.name()) }
    }
}

impl PartialOrd for Site {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The names of sites that were met, each once.
static NAMES: Mutex<Vec<Arc<str>>> = Mutex::new(Vec::new());

/// Who captured: a site and one of its sensors.
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
pub struct Observer {
    /// The address space.
    pub site: Site,
    /// The tap; `None` where it has no name.
    pub sensor: Option<Arc<str>>,
}

impl Observer {
    /// Nobody in particular.
    pub const NONE: Self = Self { site: Site::NONE, sensor: None };

    /// What the directories of a path say, as data sets are partitioned: `site=berlin/sensor=core-1/2026/11/29.pcap`.
    pub fn of_path(path: &Path) -> Self {
        let mut observer = Self::default();
        for part in path.components() {
            let Component::Normal(part) = part else { continue };
            match part.to_str().and_then(|part| part.split_once('=')) {
                Some(("site", name)) => observer.site = Site::named(name).unwrap_or_default(),
                Some(("sensor", name)) if !name.trim().is_empty() => observer.sensor = Some(Arc::from(name.trim())),
                _ => {}
            }
        }
        observer
    }

    /// This one, and where it says nothing the other.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            site: if self.site.is_none() { other.site } else { self.site },
            sensor: self.sensor.as_ref().or(other.sensor.as_ref()).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_site() {
        let (one, other) = (Site::named("tests-one").unwrap(), Site::named("tests-other").unwrap());
        assert_eq!(Site::named(" tests-one "), Some(one));
        assert_ne!(one, other);
        assert_eq!((one.name().as_deref(), other.name().as_deref()), (Some("tests-one"), Some("tests-other")));
        assert_eq!((Site::named(" "), Site::NONE.name()), (Some(Site::NONE), None));
    }

    #[test]
    fn directories_name_site_and_sensor() {
        let of = |path: &str| {
            let observer = Observer::of_path(Path::new(path));
            (observer.site.name().map(|name| name.to_string()), observer.sensor.map(|name| name.to_string()))
        };
        let told = |site: &str, sensor: &str| (Some(site.to_owned()), Some(sensor.to_owned()));
        assert_eq!(of("raw/site=berlin/sensor=core-1/2026/site.pcap"), told("berlin", "core-1"));
        assert_eq!(of("/site=a/site=b/sensor=x/date=2026-11-29/f.pcap"), told("b", "x"), "the innermost counts");
        assert_eq!(of("website=a/sensor=/f.pcap"), (None, None));
    }
}
