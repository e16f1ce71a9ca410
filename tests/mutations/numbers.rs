//! Random numbers that are the same for the same seed on every machine.

/// A generator (xorshift64*).
#[derive(Debug, Clone)]
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        let mut numbers = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..8).for_each(|_| _ = numbers.next());
        numbers
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Less than `bound`; zero when that is zero.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 16).checked_rem(bound as u64).unwrap_or(0) as usize
    }

    /// From `low` up to and without `high`.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low))
    }

    pub fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    pub fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[2]
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.byte()).collect()
    }

    /// A number at which something may end: near zero, near a power of two, near the largest of 64 bits, or any.
    pub fn edge(&mut self) -> u64 {
        let near = self.below(3) as u64;
        match self.below(5) {
            0 => near,
            1 => u64::MAX - near,
            2 => self.next(),
            _ => (1_u64 << self.below(64)).wrapping_add(near).wrapping_sub(1),
        }
    }

    /// The same of a number so many bytes long, beside numbers close to the right one.
    pub fn edge_near(&mut self, width: usize, right: u64) -> u64 {
        let all = u64::MAX >> (64 - 8 * width.clamp(1, 8));
        let said = match self.below(4) {
            0 => right.wrapping_add(1),
            1 => right.wrapping_sub(1),
            2 => right.wrapping_mul(2),
            _ => self.edge(),
        };
        said & all
    }
}
