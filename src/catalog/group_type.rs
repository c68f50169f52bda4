//! Types of groups: the caps and counters that each one has (RULES 4).

use super::limit::{Bound, LimitName};

/// Most types a catalog may have; a type's code is below it.
pub const GROUP_TYPES_MAX: usize = 16;

/// A group's type as the facts hold it: the stable `code` that the catalog gives it, 0 to 15.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GroupTypeId(u8);

impl GroupTypeId {
    /// A type from its code, which must be below [`GROUP_TYPES_MAX`].
    pub fn new(code: u64) -> Option<Self> {
        let small = u8::try_from(code).ok()?;
        (usize::from(small) < GROUP_TYPES_MAX).then_some(Self(small))
    }

    /// The code.
    pub const fn code(self) -> u8 {
        self.0
    }

    /// The code, as a place in a table of [`GROUP_TYPES_MAX`].
    #[inline]
    pub const fn place(self) -> usize {
        self.0 as usize
    }
}

/// A set of types.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct GroupTypeSet(u16);

impl GroupTypeSet {
    /// The set whose types are the bits, by their codes.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// A bit for each type, by its code.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The types in it.
    pub fn types(self) -> impl Iterator<Item = GroupTypeId> {
        let codes = (0..16_u8).filter(move |code| self.0 >> code & 1 == 1);
        codes.map(GroupTypeId)
    }
}

impl FromIterator<GroupTypeId> for GroupTypeSet {
    fn from_iter<T: IntoIterator<Item = GroupTypeId>>(types: T) -> Self {
        let bits = types.into_iter().map(|kind| 1 << kind.code());
        Self(bits.fold(0, |set, bit: u16| set | bit))
    }
}

/// A type of group and what the limits make of it (RULES 4.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupType {
    /// The code that stands in the facts; never given to another type.
    pub id: GroupTypeId,
    /// The name, as the IM server writes it.
    pub name: Box<str>,
    /// Other names that are accepted.
    pub aliases: Vec<Box<str>>,
    /// Most members by the type itself.
    pub member_cap: Bound,
    /// Whether `group_members` applies too (6.2, rule 11: not to chat rooms of the live kinds).
    pub group_members_apply: bool,
    /// Whether a membership counts to the user's `joined_groups` (B36).
    pub counts_to_joined_groups: bool,
    /// Whether memberships are remembered at all. Without them every join is allowed and changes nothing.
    pub keeps_members: bool,
    /// Whether members may be named when a group is created (4.2: nobody is invited to a live chat room).
    pub initial_members: bool,
    /// The limit on how many exist, if the type has its own.
    pub existing_limit: Option<LimitName>,
    /// The limit on the day's net number, if the type has its own.
    pub daily_limit: Option<LimitName>,
}

impl GroupType {
    /// Whether that is the type's name, or one of its aliases.
    pub fn is_named(&self, name: &str) -> bool {
        &*self.name == name || self.aliases.iter().any(|alias| &**alias == name)
    }
}
