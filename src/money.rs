//! Amounts of money: exact decimals, never floats.
//!
//! Invariant: an amount is not negative and has at most four decimals (a ten-thousandth of the currency's unit).
//! Absent on purpose: the currency, which is the catalog's, and rounding, which belongs to a bill's line.

use std::fmt;

use rust_decimal::Decimal;

/// An amount in the catalog's currency.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Money(Decimal);

/// Why a text is no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no amount: write a decimal like \"149.99\", not negative, with at most four decimals, below 1,000,000,000"
)]
pub struct MoneyError(String);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Reads a plain decimal like `149.99`.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let fault = || MoneyError(text.to_owned());
        let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let amount: Decimal = text.parse().map_err(|_| fault())?;
        if plain && amount.scale() <= 4 && amount < Decimal::from(1_000_000_000) {
            Ok(Self(amount))
        } else {
            Err(fault())
        }
    }

    /// The sum. Amounts are bounded far below what a decimal holds.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left after taking `other` away; nothing if it is more.
    #[must_use]
    pub fn minus_or_zero(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(Decimal::ZERO))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = self.0.normalize().scale().max(2) as usize;
        write!(f, "{:.decimals$}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_and_show_at_least_cents() {
        let fee = Money::parse("149.99").expect("valid");
        assert_eq!(fee.plus(fee).plus(fee).to_string(), "449.97");
        assert_eq!(Money::parse("0.6875").expect("valid").to_string(), "0.6875");
        assert_eq!(Money::parse("80").expect("valid").to_string(), "80.00");
        assert_eq!(Money::ZERO.minus_or_zero(fee), Money::ZERO);
    }

    #[test]
    fn texts_that_are_no_amount_are_refused() {
        for text in ["", "-1", "1e3", "1.23456", "1_000", "USD 1", "1000000000"] {
            assert!(Money::parse(text).is_err(), "{text}");
        }
    }
}
