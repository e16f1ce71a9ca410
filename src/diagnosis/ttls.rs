//! The hop counters of a host's packets.

/// A set of TTLs, a bit for each.
#[derive(Debug, Default)]
pub(super) struct Ttls([u64; 4]);

impl Ttls {
    /// Adds one.
    pub(super) fn add(&mut self, ttl: u8) {
        if let Some(word) = self.0.get_mut(usize::from(ttl / 64)) {
            *word |= 1 << (ttl % 64);
        }
    }

    /// Each, the least first.
    pub(super) fn iter(&self) -> impl Iterator<Item = u8> {
        let has = |ttl: &u8| self.0.get(usize::from(ttl / 64)).is_some_and(|word| word >> (ttl % 64) & 1 == 1);
        (0..=u8::MAX).filter(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_there_once_in_order() {
        let mut ttls = Ttls::default();
        for ttl in [255, 0, 64, 63, 64] {
            ttls.add(ttl);
        }
        assert_eq!(ttls.iter().collect::<Vec<_>>(), [0, 63, 64, 255]);
    }
}
