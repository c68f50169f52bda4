//! Who logged in on the app's day, and on the next one: the sketches that are kept while they grow.
//!
//! While they are few they are slots, which take as much room as a sketch's marks and half of its table; then they are a
//! sketch. What is asked for of a past day is made of the logins at the users; see `walk`.
//! Invariant: it holds exactly those whose logins are on the day. What an open batch does is taken in when the batch is kept.
//! Absent on purpose: who logged in on the day before. A late login changes nothing here.

use super::arena::{Arena, Slot};
use super::facts::Facts;
use super::record::{Life, User};
use super::walk::Walks;
use crate::id::Key;
use crate::sketch::Sketch;
use crate::time::Day;

/// Most users of a day that are kept as slots.
const FEW_MAX: usize = 128;

/// The users of the app's day and of the next one: clocks of IM servers may be some minutes ahead.
#[derive(Default)]
pub(super) struct Live {
    today: Daily,
    next: Daily,
    /// Those who walk over all users, if anybody does.
    pub(super) walks: Option<Box<Walks>>,
}

/// The distinct users of one day.
enum Daily {
    Few(Vec<Slot<User>>),
    Many(Box<Sketch>),
}

impl Default for Daily {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

/// What a sketch knows a user by.
pub(super) const fn number(key: Key) -> u128 {
    ((key.high as u128) << 64) | key.low as u128
}

impl Daily {
    #[inline]
    fn add(&mut self, user: Slot<User>, users: &Arena<User>) {
        match self {
            Self::Many(sketch) => sketch.add(number(users.get(user).key)),
            Self::Few(slots) if slots.len() < FEW_MAX => slots.push(user),
            Self::Few(_) => {
                let mut sketch = Box::new(self.sketch(users));
                sketch.add(number(users.get(user).key));
                *self = Self::Many(sketch);
            }
        }
    }

    fn sketch(&self, users: &Arena<User>) -> Sketch {
        match self {
            Self::Many(sketch) => Sketch::clone(sketch),
            Self::Few(slots) => {
                let mut sketch = Sketch::new();
                for slot in slots {
                    sketch.add(number(users.get(*slot).key));
                }
                sketch
            }
        }
    }

    fn replace(&mut self, old: Slot<User>, new: Slot<User>) {
        if let Self::Few(slots) = self
            && let Some(slot) = slots.iter_mut().find(|slot| **slot == old)
        {
            *slot = new;
        }
    }
}

impl Live {
    /// The app's day is another.
    pub(super) fn turn(&mut self, from: Day, to: Day) {
        let next = std::mem::take(&mut self.next);
        self.today = if to == from.next() {
            next
        } else {
            Daily::default()
        };
    }

    /// Those of a day that begins or has begun on `today`.
    fn of(&mut self, today: Day, day: Day) -> Option<&mut Daily> {
        match day {
            _ if day == today => Some(&mut self.today),
            _ if day == today.next() => Some(&mut self.next),
            _ => None,
        }
    }
}

impl Facts {
    /// A registered user has logged in on a day, for the first time.
    #[inline]
    pub(super) fn take_in_login(&mut self, user: Slot<User>, day: Day) {
        if let Some(daily) = self.live.of(self.counts.day(), day) {
            daily.add(user, &self.users);
        }
    }

    /// A user that had been deleted has another slot now, with the logins of before.
    pub(super) fn take_in_return(&mut self, old: Slot<User>, new: Slot<User>) {
        self.live.today.replace(old, new);
        self.live.next.replace(old, new);
        if let Some(walks) = &mut self.live.walks {
            walks.returned(new);
        }
    }

    /// The users of a day whose sketch is kept.
    pub(super) fn live_sketch(&self, day: Day) -> Option<Sketch> {
        let today = self.counts.day();
        match day {
            _ if day == today => Some(self.live.today.sketch(&self.users)),
            _ if day == today.next() => Some(self.live.next.sketch(&self.users)),
            _ => None,
        }
    }

    /// Makes it anew of the logins at the users.
    pub(super) fn restore_live(&mut self) {
        let today = self.counts.day();
        for slot in (0..self.users.len()).map(Slot::from_number) {
            let user = self.users.get(slot);
            let logins = user.logins;
            if user.life == Life::Gone {
                continue;
            }
            for day in [today, today.next()] {
                if logins.on(day) {
                    self.take_in_login(slot, day);
                }
            }
        }
    }
}
