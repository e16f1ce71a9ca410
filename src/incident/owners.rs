//! Whose the ends of an incident's handshakes are: counted by process, at each side, within a bound.

use std::sync::Arc;

use crate::flow::{PerSide, Side};
use crate::report::{CommonOwner, Owner};

/// The owners of both sides' ends.
pub(super) type Ends<'a> = PerSide<Option<&'a Arc<Owner>>>;

/// Counts owners.
#[derive(Debug, Default)]
pub(super) struct Owners(PerSide<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// Ends whose process is known.
    known: u64,
    /// Those of one process, or of processes of one name in one place.
    kinds: Vec<Kind>,
}

#[derive(Debug)]
struct Kind {
    /// One of them.
    owner: Arc<Owner>,
    /// All are the same process.
    is_one: bool,
    count: u64,
}

impl Owners {
    /// Takes what is known of a handshake's ends.
    pub(super) fn take(&mut self, ends: Ends<'_>) {
        for side in Side::BOTH {
            if let Some(owner) = ends.of(side).filter(|owner| owner.process.is_some()) {
                self.0.of_mut(side).add(Kind { owner: Arc::clone(owner), is_one: true, count: 1 });
            }
        }
    }

    /// Adds another's counts.
    pub(super) fn unite(&mut self, other: Self) {
        let PerSide { client, server } = other.0;
        for (side, counts) in [(Side::Client, client), (Side::Server, server)] {
            let own = self.0.of_mut(side);
            let known = own.known.saturating_add(counts.known);
            counts.kinds.into_iter().for_each(|kind| own.add(kind));
            own.known = known;
        }
    }

    /// At each side the owner of most ends whose owner is known.
    pub(super) fn common(&self) -> Vec<CommonOwner> {
        Side::BOTH.into_iter().filter_map(|side| self.0.of(side).common(side)).collect()
    }
}

impl Counts {
    fn add(&mut self, more: Kind) {
        self.known = self.known.saturating_add(more.count);
        if let Some(kind) = self.kinds.iter_mut().find(|kind| is_alike(&kind.owner, &more.owner)) {
            kind.is_one &= more.is_one && is_same(&kind.owner, &more.owner);
            kind.count = kind.count.saturating_add(more.count);
            return;
        }
        // What is most of all comes again; what came once gives way to it.
        if self.kinds.len() >= KINDS
            && let Some(once) = self.kinds.iter().position(|kind| kind.count == 1)
        {
            self.kinds.swap_remove(once);
        }
        if self.kinds.len() < KINDS {
            self.kinds.push(more);
        }
    }

    fn common(&self, side: Side) -> Option<CommonOwner> {
        let most = self.kinds.iter().find(|kind| kind.count.saturating_mul(2) > self.known)?;
        let Owner { process, container, pod, unit, .. } = &*most.owner;
        let process = process.as_ref()?;
        Some(CommonOwner {
            side,
            process: process.name.clone(),
            pid: most.is_one.then_some(process.pid),
            container: container.clone(),
            pod: pod.clone(),
            unit: unit.clone(),
            handshakes: most.count,
        })
    }
}

/// Processes of one name in one place: a worker that took over, or the next run of a command.
fn is_alike(one: &Owner, other: &Owner) -> bool {
    let name = |owner: &Owner| owner.process.as_ref().map(|process| process.name.clone());
    name(one) == name(other) && one.container == other.container && one.pod == other.pod && one.unit == other.unit
}

fn is_same(one: &Owner, other: &Owner) -> bool {
    let mark = |owner: &Owner| owner.process.as_ref().map(|process| (process.pid, process.start));
    mark(one) == mark(other)
}

/// Kinds of owners told apart at each side of an incident.
const KINDS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn owner(pid: u32, name: &str) -> Arc<Owner> {
        let mut owner = samples::owner();
        if let Some(process) = &mut owner.process {
            (process.pid, process.name) = (pid, name.to_owned());
        }
        Arc::new(owner)
    }

    fn taken(clients: &[(u32, &str)]) -> Owners {
        let mut owners = Owners::default();
        for (pid, name) in clients {
            owners.take(PerSide { client: Some(&owner(*pid, name)), server: None });
        }
        owners
    }

    fn told(owners: &Owners) -> Vec<(Side, String, Option<u32>, u64)> {
        owners.common().into_iter().map(|owner| (owner.side, owner.process, owner.pid, owner.handshakes)).collect()
    }

    #[test]
    fn the_owner_of_most_is_told_and_its_number_where_it_is_one_process() {
        let one = |name: &str, pid, count| vec![(Side::Client, name.to_owned(), pid, count)];
        assert_eq!(told(&taken(&[(812, "python3"), (7, "curl"), (812, "python3")])), one("python3", Some(812), 2));
        assert_eq!(told(&taken(&[(7, "curl"), (8, "curl"), (812, "python3")])), one("curl", None, 2));
        assert_eq!(told(&taken(&[(7, "curl"), (812, "python3")])), []);
        let mut both = taken(&[(812, "python3"), (7, "curl")]);
        both.unite(taken(&[(812, "python3")]));
        assert_eq!(told(&both), one("python3", Some(812), 2));
        assert_eq!(told(&Owners::default()), []);
    }

    #[test]
    fn an_owner_without_a_process_is_none() {
        let mut owners = taken(&[(812, "python3")]);
        for _ in 0..3 {
            owners.take(PerSide { client: Some(&Arc::new(Owner::unknown(crate::report::Basis::Gone))), server: None });
        }
        assert_eq!(told(&owners), [(Side::Client, "python3".to_owned(), Some(812), 1)]);
    }

    #[test]
    fn many_that_came_once_keep_nobody_out() {
        let mut many: Vec<(u32, String)> = (0..100).map(|n| (n, format!("once{n}"))).collect();
        many.extend((0..200).map(|_| (812, "python3".to_owned())));
        let many: Vec<(u32, &str)> = many.iter().map(|(pid, name)| (*pid, name.as_str())).collect();
        let owners = taken(&many);
        assert_eq!(told(&owners), [(Side::Client, "python3".to_owned(), Some(812), 200)]);
        assert!(owners.0.client.kinds.len() <= KINDS);
    }
}
