//! Amounts of money and exact quantities: decimals, never floats.
//!
//! Invariant: an amount is not negative and has at most four decimals (a ten-thousandth of the currency's unit); a quantity is
//! not negative. Only [`Money::of_line`] rounds. Absent on purpose: the currency, which is the catalog's.

use std::fmt;

use rust_decimal::{Decimal, RoundingStrategy};

/// Millionths in one.
const MICROS: u32 = 1_000_000;

/// An amount in the catalog's currency.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Money(Decimal);

/// How much of something is billed: a number of blocks or months, or megabits per second and days.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Quantity(Decimal);

/// Why a text is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no quantity: write a decimal like \"12.5\", not negative, with at most six decimals, below 1,000,000"
)]
pub struct QuantityError(String);

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

    /// What a line of a bill comes to: the price of that many, rounded once, half up, to the cent (RULES B40, trap 7).
    ///
    /// Prices have at most 13 digits and quantities of a line at most 14, so the product is exact before it is rounded.
    #[must_use]
    pub fn of_line(price: Self, quantity: Quantity) -> Self {
        let exact = price.0.saturating_mul(quantity.0);
        Self(exact.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero))
    }

    /// Its millionths, exactly; nothing where they are too many.
    pub fn micros(self) -> Option<i64> {
        micros(self.0)
    }

    /// The amount of that many millionths: not negative, and with at most four decimals.
    pub fn from_micros(micros: i64) -> Option<Self> {
        let amount = of_micros(micros)?;
        (amount.scale() <= 4).then_some(Self(amount))
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
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

impl Quantity {
    /// None.
    pub const ZERO: Self = Self(Decimal::ZERO);
    /// One.
    pub const ONE: Self = Self(Decimal::ONE);

    /// A whole number of something.
    pub fn whole(count: u64) -> Self {
        Self(Decimal::from(count))
    }

    /// Reads a plain decimal like `12.5`.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let fault = || QuantityError(text.to_owned());
        let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let quantity: Decimal = text.parse().map_err(|_| fault())?;
        if plain && quantity.scale() <= 6 && quantity < Decimal::from(1_000_000) {
            Ok(Self(quantity))
        } else {
            Err(fault())
        }
    }

    /// Its millionths, exactly; nothing where they are too many, or do not make it up.
    pub fn micros(self) -> Option<i64> {
        micros(self.0)
    }

    /// The quantity of that many millionths; not negative.
    pub fn from_micros(micros: i64) -> Option<Self> {
        of_micros(micros).map(Self)
    }

    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left after taking `other` away; nothing if it is more.
    #[must_use]
    pub fn minus_or_zero(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(Decimal::ZERO))
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

/// The shortest decimal: `1`, `37.5`.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.normalize().fmt(f)
    }
}

fn micros(decimal: Decimal) -> Option<i64> {
    let micros = decimal.checked_mul(Decimal::from(MICROS))?;
    micros.is_integer().then(|| micros.try_into().ok())?
}

fn of_micros(micros: i64) -> Option<Decimal> {
    let decimal = Decimal::new(micros, MICROS.ilog10()).normalize();
    (micros >= 0).then_some(decimal)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RULES B40, C21, trap 7: one rounding, half up, per line.
    #[test]
    fn lines_are_rounded_once_half_up() {
        for (price, quantity, amount) in [
            ("0.69", "37.5", "25.88"),
            ("0.69", "12.5", "8.63"),
            ("149.99", "123", "18448.77"),
            ("0.6875", "310", "213.13"),
            ("0.01", "0.4999", "0.00"),
            ("0.01", "0.5", "0.01"),
        ] {
            let price = Money::parse(price).expect("valid");
            let quantity = Quantity::parse(quantity).expect("valid");
            assert_eq!(Money::of_line(price, quantity).to_string(), amount);
        }
    }

    #[test]
    fn quantities_show_the_shortest_decimal() {
        for (text, shown) in [("1", "1"), ("37.50", "37.5"), ("310.0", "310"), ("0", "0")] {
            assert_eq!(Quantity::parse(text).expect("valid").to_string(), shown);
        }
        for text in ["", "-1", "1e3", "+1", "1.2345678", "1000000", ".", "many"] {
            assert!(Quantity::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_are_exact_and_show_at_least_cents() {
        let fee = Money::parse("149.99").expect("valid");
        assert_eq!(fee.plus(fee).plus(fee).to_string(), "449.97");
        assert_eq!(Money::parse("0.6875").expect("valid").to_string(), "0.6875");
        assert_eq!(Money::parse("80").expect("valid").to_string(), "80.00");
        assert_eq!(Money::ZERO.minus_or_zero(fee), Money::ZERO);
    }

    #[test]
    fn millionths_are_exact_or_none() {
        for (text, micros) in [
            ("0", 0),
            ("149.99", 149_990_000),
            ("0.6875", 687_500),
            ("999999999.9999", 999_999_999_999_900),
        ] {
            let money = Money::parse(text).expect("valid");
            assert_eq!(money.micros(), Some(micros));
            assert_eq!(Money::from_micros(micros), Some(money));
        }
        for (text, micros) in [("0.000001", 1), ("37.5", 37_500_000)] {
            let quantity = Quantity::parse(text).expect("valid");
            assert_eq!(quantity.micros(), Some(micros));
            assert_eq!(Quantity::from_micros(micros), Some(quantity));
        }
        assert_eq!(Quantity::whole(u64::MAX).micros(), None);
        assert_eq!(Money::from_micros(1), None, "more than four decimals");
        assert_eq!(Money::from_micros(-1_000_000), None);
        assert_eq!(Quantity::from_micros(-1), None);
    }

    #[test]
    fn texts_that_are_no_amount_are_refused() {
        for text in ["", "-1", "1e3", "1.23456", "1_000", "USD 1", "1000000000"] {
            assert!(Money::parse(text).is_err(), "{text}");
        }
    }
}
