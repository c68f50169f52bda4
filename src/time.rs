//! Instants, and calendar days and months in the deployment's zone.
//!
//! Invariant: a zone is a fixed offset, so every day has 24 hours and every instant one day.
//! Absent on purpose: the clock. `now` is an argument everywhere; see `clock`.

use std::fmt;

/// Milliseconds in a day.
pub const DAY_MS: i64 = 86_400_000;

/// An instant: milliseconds since 1970-01-01T00:00:00Z, from [`Self::MIN`] to [`Self::MAX`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A calendar day in the deployment's zone: days since 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u16);

/// A calendar month in the deployment's zone: months since 1970-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(u16);

/// The deployment's zone: a fixed offset from UTC. UTC+8 by default (RULES B25).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone {
    offset_ms: i64,
}

/// Why a text is no instant or zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not RFC 3339.
    #[error("\"{0}\" is no time: write it like 2026-03-01T00:00:00Z or 2026-03-01T08:00:00+08:00")]
    Malformed(String),
    /// Outside of the range of [`Timestamp`].
    #[error("{0} is outside of the years 1970 to 2148")]
    OutOfRange(String),
    /// Not a calendar day.
    #[error("\"{0}\" is no day: write it like 2026-03-01")]
    NoDay(String),
    /// Not a calendar month, or out of range.
    #[error("\"{0}\" is no month: write it like 2026-03, from 1970 to 2148")]
    NoMonth(String),
    /// Not an offset like `+08:00`, or beyond 18 hours.
    #[error("\"{0}\" is no zone: write a fixed offset like +08:00, at most 18 hours from UTC")]
    Zone(String),
}

impl Timestamp {
    /// The first instant.
    pub const MIN: Self = Self(0);
    /// The last instant, 2148-12-30T00:00:00Z; stands for "never" in a limit's expiry.
    pub const MAX: Self = Self(65_377 * DAY_MS);

    /// An instant from milliseconds since the Unix epoch; outside of the range, the nearest end.
    pub const fn from_unix_ms_saturating(ms: i64) -> Self {
        if ms < 0 {
            Self::MIN
        } else if ms > Self::MAX.0 {
            Self::MAX
        } else {
            Self(ms)
        }
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_unix_ms(self) -> i64 {
        self.0
    }

    /// The instant `ms` later, within the range.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self::from_unix_ms_saturating(self.0.saturating_add(ms))
    }

    /// Reads RFC 3339, with any offset.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let instant: jiff::Timestamp = text
            .parse()
            .map_err(|_| TimeError::Malformed(text.to_owned()))?;
        let ms = instant.as_millisecond();
        let held = Self::from_unix_ms_saturating(ms);
        if held.0 == ms {
            Ok(held)
        } else {
            Err(TimeError::OutOfRange(text.to_owned()))
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => instant.fmt(f),
            Err(_) => write!(f, "{} ms since 1970", self.0),
        }
    }
}

impl Zone {
    /// UTC+8, the zone of the official statistics and so of days and bills (RULES B25).
    pub const UTC_PLUS_8: Self = Self {
        offset_ms: 8 * 3_600_000,
    };

    /// Reads a fixed offset like `+08:00`, `-03:30` or `Z`.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let fault = || TimeError::Zone(text.to_owned());
        if text == "Z" {
            return Ok(Self { offset_ms: 0 });
        }
        let sign = match text.as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(fault()),
        };
        let digits = |range: std::ops::Range<usize>| -> Option<i64> {
            let part = text.get(range)?;
            part.bytes().all(|b| b.is_ascii_digit()).then_some(())?;
            part.parse().ok()
        };
        match (text.len(), digits(1..3), text.get(3..4), digits(4..6)) {
            (6, Some(hours), Some(":"), Some(minutes))
                if hours * 60 + minutes <= 18 * 60 && minutes < 60 =>
            {
                Ok(Self {
                    offset_ms: sign * (hours * 60 + minutes) * 60_000,
                })
            }
            _ => Err(fault()),
        }
    }

    /// The calendar day of an instant.
    #[inline]
    pub fn day(self, at: Timestamp) -> Day {
        let days = (at.0 + self.offset_ms).div_euclid(DAY_MS);
        // West of UTC the first instants belong to 1969: they count to the first day.
        Day(u16::try_from(days.max(0)).unwrap_or(u16::MAX))
    }

    /// The instant at which a day begins.
    pub fn start(self, day: Day) -> Timestamp {
        Timestamp::from_unix_ms_saturating(i64::from(day.0) * DAY_MS - self.offset_ms)
    }

    /// An instant written in this zone, to the second: `2026-03-08T00:00:00+08:00`.
    pub fn show(self, at: Timestamp) -> String {
        let day = self.day(at);
        let seconds = (at.0 + self.offset_ms).rem_euclid(DAY_MS) / 1000;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{day}T{hour:02}:{minute:02}:{second:02}{self}")
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC_PLUS_8
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.offset_ms / 60_000;
        let sign = if minutes < 0 { '-' } else { '+' };
        let minutes = minutes.abs();
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

impl Day {
    /// The day that is `number` days after 1970-01-01.
    pub const fn from_number(number: u16) -> Self {
        Self(number)
    }

    /// Days since 1970-01-01.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Reads a calendar day like `2026-03-01`, from 1970 to 2148.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let fault = || TimeError::NoDay(text.to_owned());
        let number = |range: std::ops::Range<usize>, after: Option<u8>| -> Option<i16> {
            let is_after = text.as_bytes().get(range.end).copied() == after;
            let part = text.get(range)?;
            let plain = is_after && part.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| part.parse().ok()).flatten()
        };
        let parts = (
            number(0..4, Some(b'-')),
            number(5..7, Some(b'-')),
            number(8..10, None),
        );
        let (Some(year), Some(month), Some(day)) = parts else {
            return Err(fault());
        };
        let part = |number: i16| i8::try_from(number).map_err(|_| fault());
        let date = jiff::civil::Date::new(year, part(month)?, part(day)?).map_err(|_| fault())?;
        let since = date - jiff::civil::date(1970, 1, 1);
        let held = u16::try_from(since.get_days()).map(Self);
        let held = held.map_err(|_| TimeError::OutOfRange(text.to_owned()))?;
        if i64::from(held.0) * DAY_MS < Timestamp::MAX.0 {
            Ok(held)
        } else {
            Err(TimeError::OutOfRange(text.to_owned()))
        }
    }

    /// The day after.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The day that is `days` later.
    #[must_use]
    pub const fn plus(self, days: u16) -> Self {
        Self(self.0.saturating_add(days))
    }

    fn date(self) -> jiff::civil::Date {
        let days = jiff::Span::new().days(i64::from(self.0));
        jiff::civil::date(1970, 1, 1).saturating_add(days)
    }

    /// The month that the day is in.
    pub fn month(self) -> Month {
        let date = self.date();
        let months = (i32::from(date.year()) - 1970) * 12 + i32::from(date.month()) - 1;
        Month(u16::try_from(months).unwrap_or(0))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date().fmt(f)
    }
}

impl Month {
    /// Reads a calendar month like `2026-03`.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let first = Day::parse(&format!("{text}-01"));
        first
            .map(Day::month)
            .map_err(|_| TimeError::NoMonth(text.to_owned()))
    }

    /// The first day of the month.
    pub fn first_day(self) -> Day {
        let year = i16::try_from(1970 + self.0 / 12).unwrap_or(i16::MAX);
        let month = i8::try_from(self.0 % 12 + 1).unwrap_or(1);
        let since = jiff::civil::date(year.min(9_999), month, 1) - jiff::civil::date(1970, 1, 1);
        Day(u16::try_from(since.get_days()).unwrap_or(u16::MAX))
    }

    /// The month after.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The month before.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:02}", 1970 + self.0 / 12, self.0 % 12 + 1)
    }
}

macro_rules! debug_as_display {
    ($($kind:ty),*) => {$(
        impl fmt::Debug for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}
debug_as_display!(Timestamp, Zone, Day, Month);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("valid time")
    }

    /// RULES B24, B25 and trap 4: the day turns at 16:00:00Z.
    #[test]
    fn days_and_months_turn_at_16_utc() {
        let zone = Zone::default();
        for (instant, day, month) in [
            ("2026-03-31T15:59:59Z", "2026-03-31", "2026-03"),
            ("2026-03-31T16:00:00Z", "2026-04-01", "2026-04"),
            ("2028-02-28T16:00:00Z", "2028-02-29", "2028-02"),
            ("1970-01-01T00:00:00Z", "1970-01-01", "1970-01"),
        ] {
            assert_eq!(zone.day(at(instant)).to_string(), day);
            assert_eq!(zone.day(at(instant)).month().to_string(), month);
        }
        let start = zone.start(zone.day(at("2026-04-01T00:00:00Z")));
        assert_eq!(start, at("2026-03-31T16:00:00Z"));
        assert_eq!(zone.show(start), "2026-04-01T00:00:00+08:00");
    }

    #[test]
    fn days_are_read_and_months_begin() {
        for text in [
            "1970-01-01",
            "2026-02-28",
            "2028-02-29",
            "2100-12-31",
            "2148-12-29",
        ] {
            let day = Day::parse(text).expect("a day");
            assert_eq!(day.to_string(), text);
            let first = day.month().first_day();
            assert_eq!(first.to_string(), format!("{}-01", &text[..7]));
            assert_eq!(first.month(), day.month());
            assert_eq!(Month::parse(&text[..7]), Ok(day.month()));
        }
        for text in [
            "",
            "2026-02-29",
            "2026-2-1",
            "2026-02-1x",
            "20260201",
            "2026-02-011",
            "+026-02-01",
            "1969-12-31",
            "2148-12-31",
            "2026-02-01T00:00:00Z",
        ] {
            assert!(Day::parse(text).is_err(), "{text}");
            assert!(Month::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_time_or_zone_are_refused() {
        assert!(matches!(
            Timestamp::parse("yesterday"),
            Err(TimeError::Malformed(_))
        ));
        assert!(matches!(
            Timestamp::parse("1969-12-31T23:59:59Z"),
            Err(TimeError::OutOfRange(_))
        ));
        for text in [
            "",
            "08:00",
            "+8:00",
            "+18:01",
            "+08:60",
            "+08:00x",
            "Asia/Shanghai",
            "+é:00",
        ] {
            assert!(Zone::parse(text).is_err(), "{text}");
        }
        for text in ["+08:00", "-03:30", "+00:00", "+18:00"] {
            assert_eq!(Zone::parse(text).expect("valid zone").to_string(), text);
        }
    }

    #[test]
    fn zones_west_of_utc_shift_the_other_way() {
        let zone = Zone::parse("-05:00").expect("valid zone");
        assert_eq!(
            zone.day(at("2026-03-01T04:59:59Z")).to_string(),
            "2026-02-28"
        );
    }
}
