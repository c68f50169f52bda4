//! How far a reader of the usage stream has got, as a text that it keeps.
//!
//! Invariant: a token is gone on from only where everything before its position is known to have been told; any other begins anew,
//! which costs repetition and loses nothing. Absent on purpose: who has which; the ledger knows.

use crate::gateway::Mark;
use crate::id::SdkAppId;
use crate::journal::{Position, SetId};
use crate::time::Day;

/// Bytes of a token's content; it is written in hexadecimal digits.
const BYTES: usize = 8 + 8 + 8 + 8 + 2;

/// How far a reader has got, of which data and which apps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Token {
    /// Of which data set.
    pub(super) set: SetId,
    /// During which life of the gateway it was given: a backup that is put back has the set's number, but not all that it told.
    pub(super) life: u64,
    /// Of which apps.
    pub(super) apps: Apps,
    /// Up to where.
    pub(super) mark: Mark,
}

/// Which apps were asked for, as a number: 0 for all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Apps(u64);

/// Where tokens are to be gone on from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// The gateway's data set.
    pub(super) set: SetId,
    /// This life of it.
    pub(super) life: u64,
    /// Where the journal was when it began.
    pub(super) began: Position,
    /// Where it is now.
    pub(super) now: Position,
}

impl Apps {
    /// All apps.
    pub(super) const ALL: Self = Self(0);

    /// These apps, each once and in order. FNV-1a: it tells lists apart, it guards nothing.
    pub(super) fn these(ids: &[SdkAppId]) -> Self {
        let bytes = ids.iter().flat_map(|id| id.get().to_le_bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash.max(1))
    }
}

impl Place {
    /// Where a reader of these apps goes on; from the beginning if nothing. What was given before this life must lie within
    /// what this life began with: data may have been put back to an earlier state.
    pub(super) fn resume(&self, token: &Token, apps: Apps) -> Option<Mark> {
        let known = if token.life == self.life {
            self.now
        } else {
            self.began
        };
        let fits = self.has(token) && token.mark.position <= known;
        (fits && (token.apps == apps || token.apps == Apps::ALL)).then_some(token.mark)
    }

    /// Whether a token is of this data, and can have been given.
    pub(super) fn has(&self, token: &Token) -> bool {
        token.set == self.set && token.mark.position <= self.now
    }
}

impl Token {
    /// As readers keep it.
    pub(super) fn text(&self) -> String {
        use std::fmt::Write as _;
        let Mark {
            position,
            final_before,
        } = self.mark;
        let numbers = [self.set.get(), self.life, self.apps.0, position.get()];
        let bytes = numbers.into_iter().flat_map(u64::to_be_bytes);
        let bytes = bytes.chain(final_before.number().to_be_bytes());
        bytes.fold(String::with_capacity(2 * BYTES), |mut text, byte| {
            // A string takes all that it is given.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Reads what [`text`](Self::text) has written; nothing if it is no token.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 2 * BYTES || !text.bytes().all(is_hex) {
            return None;
        }
        let number = |at: usize| u64::from_str_radix(text.get(at..at + 16)?, 16).ok();
        let day = u16::from_str_radix(text.get(64..)?, 16).ok()?;
        Some(Self {
            set: SetId::new(number(0)?),
            life: number(16)?,
            apps: Apps(number(32)?),
            mark: Mark {
                position: Position::new(number(48)?),
                final_before: Day::from_number(day),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place {
        set: SetId::new(0xfeed_0000_0000_0001),
        life: 7,
        began: Position::new(1_000),
        now: Position::new(2_000),
    };

    fn token(life: u64, position: u64) -> Token {
        Token {
            set: PLACE.set,
            life,
            apps: Apps::ALL,
            mark: Mark {
                position: Position::new(position),
                final_before: Day::from_number(20_000),
            },
        }
    }

    fn apps(numbers: &[u32]) -> Apps {
        let ids: Vec<_> = numbers.iter().map(|n| SdkAppId::new(*n).unwrap()).collect();
        Apps::these(&ids)
    }

    #[test]
    fn a_token_is_read_as_it_was_written() {
        for token in [
            token(7, 2_000),
            token(u64::MAX, u64::MAX),
            Token {
                apps: apps(&[1, 2]),
                ..token(0, 0)
            },
        ] {
            let text = token.text();
            assert!(text.len() <= 128, "what the proto promises");
            assert_eq!(Token::parse(&text), Some(token));
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let text = token(7, 5).text();
        let long = format!("{text}0");
        let upper = text.to_uppercase();
        let signed = format!("+{}", &text[1..]);
        for wrong in [
            "",
            "x",
            &text[1..],
            &text[..66],
            &long,
            &upper,
            &signed,
            &"é".repeat(34),
        ] {
            assert_eq!(Token::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn tokens_of_this_life_reach_to_the_journals_end() {
        let at = |position| {
            let token = token(7, position);
            (PLACE.has(&token), PLACE.resume(&token, Apps::ALL).is_some())
        };
        assert_eq!(
            [0, 1_500, 2_000, 2_001].map(at),
            [(true, true), (true, true), (true, true), (false, false)]
        );
    }

    /// After a backup was put back the journal grows over positions that were told before, with other changes.
    #[test]
    fn tokens_of_an_earlier_life_reach_to_where_this_one_began() {
        let resumed = |position| PLACE.resume(&token(6, position), Apps::ALL);
        assert_eq!(resumed(1_000), Some(token(6, 1_000).mark));
        assert_eq!(resumed(1_001), None);
    }

    #[test]
    fn tokens_of_other_data_begin_anew() {
        let other = Token {
            set: SetId::new(1),
            ..token(7, 5)
        };
        assert_eq!(PLACE.resume(&other, Apps::ALL), None);
        assert!(!PLACE.has(&other));
    }

    /// Who has read about all apps has read about some; who has read about some has not about others.
    #[test]
    fn tokens_of_other_apps_begin_anew() {
        let of = |apps| Token {
            apps,
            ..token(7, 5)
        };
        let (one, two) = (apps(&[1]), apps(&[1, 2]));
        let resumes = |told, asked| PLACE.resume(&of(told), asked).is_some();
        assert!(resumes(Apps::ALL, one) && resumes(one, one));
        assert!(!resumes(one, Apps::ALL) && !resumes(one, two) && !resumes(two, one));
    }
}
