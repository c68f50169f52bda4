//! A usage record: what an app used on a day, as far as one gateway knows, from the day's beginning on.
//!
//! Invariant: of one gateway, app and day a record with a higher sequence has no lower count, so that the newest stands for all.
//! Absent on purpose: how it is sent and written.

use std::fmt;

use crate::id::SdkAppId;
use crate::sketch::{Estimate, Sketch};
use crate::time::Day;

/// What an app used on a day, as far as one gateway knows.
#[derive(Clone, PartialEq, Debug)]
pub struct UsageRecord {
    /// The gateway's name.
    pub gateway: Box<str>,
    /// The app.
    pub app: SdkAppId,
    /// The day.
    pub day: Day,
    /// Grows with every change of the gateway's.
    pub sequence: u64,
    /// Distinct users that logged in there.
    pub users: u64,
    /// The same users, for merging; absent if nobody was there, of old days, or if it was not asked for.
    pub sketch: Option<Sketch>,
    /// Most groups that existed at once.
    pub peak_groups: u64,
    /// Most AVChatRooms that existed at once.
    pub peak_av_chat_rooms: u64,
    /// The highest bandwidth of on-screen comments, in bits a second.
    pub bandwidth_bps: u64,
    /// Whether nothing of it can change any more.
    pub is_final: bool,
}

/// What cannot be true of a record, or of two of one gateway, app and day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Contradiction {
    /// The sketch is of other users than were counted.
    #[error("it counts {users} users, and its sketch {}; the record is damaged, or put together of two", .estimate.estimate)]
    Sketch {
        /// Those counted.
        users: u64,
        /// Those in the sketch.
        estimate: Estimate,
    },
    /// One sequence, two counts.
    #[error(
        "sequence {sequence} has {one} {count} here and {other} in an earlier record of this gateway, app and day: are there two \
         gateways of one name? Name each by `gateway` of [metering] in gateway.toml"
    )]
    Twins {
        /// Of both.
        sequence: u64,
        /// What differs.
        count: Count,
        /// In the one that is told of.
        one: u64,
        /// In the one before it.
        other: u64,
    },
    /// A count that was lowered.
    #[error(
        "sequence {sequence} has {lower} {count}, and the older {older} had {higher}: counts only grow. If the gateway's data \
         were put back from a backup between the two, leave out what it told before"
    )]
    Lowered {
        /// Of the newer one.
        sequence: u64,
        /// Of the older one.
        older: u64,
        /// What was lowered.
        count: Count,
        /// To this.
        lower: u64,
        /// From this.
        higher: u64,
    },
}

/// One of a record's counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Count {
    /// Distinct users.
    Users,
    /// Most groups at once.
    Groups,
    /// Most AVChatRooms at once.
    AvChatRooms,
    /// The highest bandwidth.
    Bandwidth,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Users => "users",
            Self::Groups => "groups at the peak",
            Self::AvChatRooms => "AVChatRooms at the peak",
            Self::Bandwidth => "bits a second at the peak",
        })
    }
}

impl UsageRecord {
    /// That its sketch can be one of the users counted.
    pub fn check(&self) -> Result<(), Contradiction> {
        let Some(sketch) = &self.sketch else {
            return Ok(());
        };
        let (users, estimate) = (self.users, sketch.count());
        // Six standard errors, and the few that a small set may be short.
        let off = users / 20 + 8;
        if estimate.estimate.abs_diff(users) > off {
            return Err(Contradiction::Sketch { users, estimate });
        }
        Ok(())
    }

    /// Its counts, each with what it counts.
    pub const fn counts(&self) -> [(Count, u64); 4] {
        [
            (Count::Users, self.users),
            (Count::Groups, self.peak_groups),
            (Count::AvChatRooms, self.peak_av_chat_rooms),
            (Count::Bandwidth, self.bandwidth_bps),
        ]
    }

    /// What stands where this record is told after `held`, of the same gateway, app and day: the newest, with a sketch and
    /// the finality that only the other one has.
    pub(super) fn after(self, held: Self) -> Result<Self, Contradiction> {
        self.contradicts(&held)?;
        let (mut newer, older) = if self.sequence > held.sequence {
            (self, held)
        } else {
            (held, self)
        };
        if newer.sequence == older.sequence {
            newer.is_final |= older.is_final;
            newer.sketch = newer.sketch.or(older.sketch);
        }
        Ok(newer)
    }

    fn contradicts(&self, held: &Self) -> Result<(), Contradiction> {
        let pairs = self.counts().into_iter().zip(held.counts());
        for ((count, one), (_, other)) in pairs {
            let (newer, older) = if self.sequence > held.sequence {
                ((self.sequence, one), (held.sequence, other))
            } else {
                ((held.sequence, other), (self.sequence, one))
            };
            if newer.0 == older.0 && one != other {
                return Err(Contradiction::Twins {
                    sequence: self.sequence,
                    count,
                    one,
                    other,
                });
            }
            if newer.1 < older.1 {
                return Err(Contradiction::Lowered {
                    sequence: newer.0,
                    older: older.0,
                    count,
                    lower: newer.1,
                    higher: older.1,
                });
            }
        }
        Ok(())
    }
}
