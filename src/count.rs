//! Numbers that others give: what a file claims, what a kernel counted. Sums of them end at the largest number and never overflow. And the halves of
//! numbers of which the other is dropped on purpose.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers from outside never overflow"))]

use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub, SubAssign};

/// How many of something, by somebody else's word. All arithmetic saturates at zero and at `u64::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Count(u64);

impl Count {
    /// None.
    pub const ZERO: Self = Self(0);

    /// So many.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// As a plain number, with which nothing is to be computed.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether there is none.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// The lower 32 bits: sequence numbers are offsets modulo 2^32, and of a hash one half is enough.
#[expect(clippy::cast_possible_truncation, reason = "the upper half is dropped on purpose")]
pub const fn low_bits(number: u64) -> u32 {
    number as u32
}

/// The lower 16 bits of a word that holds two numbers.
#[expect(clippy::cast_possible_truncation, reason = "the upper half is dropped on purpose")]
pub const fn lower_half(word: u32) -> u16 {
    word as u16
}

impl From<u64> for Count {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl From<usize> for Count {
    fn from(number: usize) -> Self {
        Self(u64::try_from(number).unwrap_or(u64::MAX))
    }
}

impl<T: Into<Self>> Add<T> for Count {
    type Output = Self;

    fn add(self, other: T) -> Self {
        Self(self.0.saturating_add(other.into().0))
    }
}

impl<T: Into<Self>> Sub<T> for Count {
    type Output = Self;

    fn sub(self, other: T) -> Self {
        Self(self.0.saturating_sub(other.into().0))
    }
}

impl<T: Into<Self>> AddAssign<T> for Count {
    fn add_assign(&mut self, other: T) {
        *self = *self + other;
    }
}

impl<T: Into<Self>> SubAssign<T> for Count {
    fn sub_assign(&mut self, other: T) {
        *self = *self - other;
    }
}

impl<T: Into<Self>> Sum<T> for Count {
    fn sum<I: Iterator<Item = T>>(numbers: I) -> Self {
        numbers.fold(Self::ZERO, |sum, number| sum + number)
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_end_at_the_largest_number_and_differences_at_zero() {
        let half = Count::new(1 << 63);
        assert_eq!([half, half].into_iter().sum::<Count>(), Count::new(u64::MAX));
        assert_eq!([u64::MAX, 1, u64::MAX].into_iter().sum::<Count>().get(), u64::MAX);
        assert_eq!([2u64, 3].into_iter().sum::<Count>() - 1u64, Count::new(4));
        assert!((Count::new(3) - half).is_zero());
        let mut count = half;
        count += u64::MAX;
        count -= 1u64;
        assert_eq!(count.to_string(), "18446744073709551614");
    }
}
