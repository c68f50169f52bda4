//! What is sold and what it allows: editions, add-ons, prices, types of groups, codes. Pure data.
//!
//! Invariant: a [`Catalog`] is complete and consistent; `config` checks the file before it makes one.
//! Absent on purpose: numbers. Every limit, price and code comes from the catalog file (RULES, preface).

mod group_type;
mod limit;
mod reason;
mod revision;

pub use group_type::{GROUP_TYPES_MAX, GroupType, GroupTypeId, GroupTypeSet};
pub use limit::{Bound, LimitName, PerLimit};
pub use reason::{Reason, ReasonCodes};

use std::fmt;

use crate::money::Money;

/// An edition's place in its catalog; of no meaning beside another catalog.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EditionId(u8);

impl EditionId {
    /// The id of the edition at that place, from 0; a catalog has at most 255.
    pub fn at(place: usize) -> Option<Self> {
        u8::try_from(place).ok().map(Self)
    }
}

/// A plan that an app can be on (RULES 6.1, rule 3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edition {
    /// The name in files and commands: `trial`, `pro`, `flagship`.
    pub name: Box<str>,
    /// The name for people.
    pub title: Box<str>,
    /// The fee of a calendar month (6.1, rule 5).
    pub monthly_price: Money,
    /// Every limit.
    pub limits: PerLimit<Bound>,
    /// Days for which messages are kept free of charge (6.2, rule 17).
    pub history_days: u32,
    /// What usage above the free quota costs; nothing where it cannot happen (6.4).
    pub overage: Option<Overage>,
}

/// Prices of usage above the free quota, by the month's peak (RULES 6.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Overage {
    /// Daily active users.
    pub daily_users: Blocks,
    /// Groups existing at once.
    pub groups: Blocks,
}

/// A free quota, and what each started block above it costs a month.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blocks {
    /// The free quota.
    pub free: u64,
    /// Units in a block; at least 1.
    pub block: u64,
    /// Price of a block.
    pub price: Money,
}

/// A value-added service (RULES 6.5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AddOn {
    /// Unlimited audio-video chat rooms (rule 31).
    AvChatRooms,
    /// More members in a group (rule 32).
    GroupMembers,
    /// More groups for a user (rule 33).
    JoinedGroups,
    /// Filtering of content (rule 34).
    ContentFiltering,
    /// Longer retention of messages (rule 35).
    History,
    /// Bandwidth of on-screen comments (rule 36).
    CommentBandwidth,
}

impl AddOn {
    /// Every add-on, in the order of the declaration.
    pub const ALL: [Self; 6] = [
        Self::AvChatRooms,
        Self::GroupMembers,
        Self::JoinedGroups,
        Self::ContentFiltering,
        Self::History,
        Self::CommentBandwidth,
    ];

    /// The name in files and bills.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AvChatRooms => "av_chat_rooms",
            Self::GroupMembers => "group_members",
            Self::JoinedGroups => "joined_groups",
            Self::ContentFiltering => "content_filtering",
            Self::History => "history",
            Self::CommentBandwidth => "comment_bandwidth",
        }
    }

    /// The add-on of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|add_on| add_on.name() == name)
    }

    /// The limit that the add-on raises, if it raises one that admissions meet.
    pub const fn raises(self) -> Option<LimitName> {
        match self {
            Self::AvChatRooms => Some(LimitName::AvChatRooms),
            Self::GroupMembers => Some(LimitName::GroupMembers),
            Self::JoinedGroups => Some(LimitName::JoinedGroups),
            Self::ContentFiltering | Self::History | Self::CommentBandwidth => None,
        }
    }
}

impl fmt::Display for AddOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One price of an add-on, for apps of one edition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tier {
    /// What is sold.
    pub add_on: AddOn,
    /// To whom.
    pub edition: EditionId,
    /// The highest value that the price covers, for add-ons that have a value (B12).
    pub up_to: Option<Bound>,
    /// Price of a calendar month; of a Mbps and day for `comment_bandwidth`.
    pub price: Money,
}

/// Which activations of a paid edition have their month free of the plan's fee (RULES B5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum FreeActivationMonth {
    /// Each one, as the purchase guide says.
    #[default]
    Every,
    /// An app's first; the month of each later one costs the plan's fee.
    First,
}

impl FreeActivationMonth {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Every, Self::First];

    /// The name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Every => "every",
            Self::First => "first",
        }
    }
}

/// What is sold and what it allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Catalog {
    /// The currency of every price, like `USD`.
    pub currency: Box<str>,
    /// Which activations have their month free; every one unless the file says otherwise (B5).
    pub free_activation_month: FreeActivationMonth,
    editions: Vec<Edition>,
    tiers: Vec<Tier>,
    types: [Option<GroupType>; GROUP_TYPES_MAX],
    assumed: GroupTypeId,
    codes: ReasonCodes,
}

impl Catalog {
    /// A catalog from its parts, which `config` has checked.
    ///
    /// Nothing unless there are 1 to 255 editions (the first is every new app's), tiers only for them, and at most one type
    /// for each code, `assumed` among them. Taken on trust: the tiers of an add-on and edition ascend by `up_to`.
    pub fn new(
        currency: Box<str>,
        editions: Vec<Edition>,
        tiers: Vec<Tier>,
        group_types: Vec<GroupType>,
        assumed: GroupTypeId,
        codes: ReasonCodes,
    ) -> Option<Self> {
        if editions.is_empty() || editions.len() > usize::from(u8::MAX) {
            return None;
        }
        if tiers
            .iter()
            .any(|tier| usize::from(tier.edition.0) >= editions.len())
        {
            return None;
        }
        let mut types = [const { None }; GROUP_TYPES_MAX];
        for group_type in group_types {
            let place = types.get_mut(group_type.id.place())?;
            if place.replace(group_type).is_some() {
                return None;
            }
        }
        types.get(assumed.place())?.as_ref()?;
        Some(Self {
            currency,
            free_activation_month: FreeActivationMonth::default(),
            editions,
            tiers,
            types,
            assumed,
            codes,
        })
    }

    /// The edition of every new app: the first (RULES 6.1, rule 3).
    pub fn first_edition(&self) -> EditionId {
        EditionId(0)
    }

    /// The edition of that name.
    pub fn edition_id(&self, name: &str) -> Option<EditionId> {
        self.editions()
            .find(|(_, edition)| &*edition.name == name)
            .map(|(id, _)| id)
    }

    /// An edition, by an id of this catalog.
    #[expect(clippy::indexing_slicing, reason = "ids are made by this catalog")]
    pub fn edition(&self, id: EditionId) -> &Edition {
        &self.editions[usize::from(id.0)]
    }

    /// Every edition, in the file's order.
    pub fn editions(&self) -> impl Iterator<Item = (EditionId, &Edition)> {
        (0..).map(EditionId).zip(&self.editions)
    }

    /// The tiers of an add-on for an edition, from the smallest up; none where it is not sold.
    pub fn tiers(&self, add_on: AddOn, edition: EditionId) -> impl Iterator<Item = &Tier> {
        self.tiers
            .iter()
            .filter(move |tier| tier.add_on == add_on && tier.edition == edition)
    }

    /// The type of that name or alias.
    pub fn group_type_named(&self, name: &str) -> Option<&GroupType> {
        self.group_types().find(|kind| kind.is_named(name))
    }

    /// A type by its code.
    #[inline]
    pub fn group_type(&self, id: GroupTypeId) -> Option<&GroupType> {
        self.types.get(id.place())?.as_ref()
    }

    /// Every type, by code.
    pub fn group_types(&self) -> impl Iterator<Item = &GroupType> {
        self.types.iter().flatten()
    }

    /// The types whose groups are metered as AVChatRooms: those that the limit on them counts.
    pub fn av_chat_rooms(&self) -> GroupTypeSet {
        let is_counted = |kind: &&GroupType| kind.existing_limit == Some(LimitName::AvChatRooms);
        self.group_types()
            .filter(is_counted)
            .map(|kind| kind.id)
            .collect()
    }

    /// The type that a recorded join gives to a group that is unknown and comes with no type.
    pub fn assumed_group_type(&self) -> GroupTypeId {
        self.assumed
    }

    /// The code for a reason (RULES 3).
    pub const fn code(&self, reason: Reason) -> i32 {
        self.codes.get(reason)
    }
}
