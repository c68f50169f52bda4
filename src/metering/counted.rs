//! A count of distinct things: exact, or an estimate with its bounds.
//!
//! Invariant: the lower bound is what is billed, so an estimate is never paid for beyond what is sure. Absent on purpose: how an
//! estimate is made.

use std::cmp::Ordering;
use std::fmt;

/// A count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Counted {
    /// So many.
    Exact(u64),
    /// About so many; with 95 % confidence within the bounds.
    Estimated {
        /// At least.
        lower: u64,
        /// Most likely.
        estimate: u64,
        /// At most.
        upper: u64,
    },
}

impl Counted {
    /// None.
    pub const ZERO: Self = Self::Exact(0);

    /// What it is at least: what is billed.
    pub const fn lower(self) -> u64 {
        match self {
            Self::Exact(count) => count,
            Self::Estimated { lower, .. } => lower,
        }
    }

    /// What it most likely is.
    pub const fn estimate(self) -> u64 {
        match self {
            Self::Exact(count) => count,
            Self::Estimated { estimate, .. } => estimate,
        }
    }

    /// What it is at most.
    pub const fn upper(self) -> u64 {
        match self {
            Self::Exact(count) => count,
            Self::Estimated { upper, .. } => upper,
        }
    }
}

impl Default for Counted {
    fn default() -> Self {
        Self::ZERO
    }
}

/// By what is billed, then by what is likely; of two with the same bounds the exact one is the higher.
impl Ord for Counted {
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |it: &Self| {
            let is_exact = matches!(it, Self::Exact(_));
            (it.lower(), it.estimate(), it.upper(), is_exact)
        };
        rank(self).cmp(&rank(other))
    }
}

impl PartialOrd for Counted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(count) => write!(f, "{count}"),
            Self::Estimated {
                lower,
                estimate,
                upper,
            } => write!(
                f,
                "{lower} at least: an estimate of {estimate}, 95 % within {lower} to {upper}"
            ),
        }
    }
}
