//! Why an operation is denied. Each reason has one name, and a code in the catalog file (RULES 3).

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Why an operation is denied.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
        }

        impl Reason {
            /// Every reason, in the order of the declaration.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// The name in files and answers.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

reasons! {
    /// No app of that id: it never existed (3.2).
    AppNotFound = "APP_NOT_FOUND",
    /// The app is suspended: its account is in arrears, or its prepaid plan ran out (6.9).
    AppSuspended = "APP_SUSPENDED",
    /// The app was disabled, for ever (6.8).
    AppDisabled = "APP_DISABLED",
    /// The app's resources were repossessed after 90 days of suspension (6.9, rule 57).
    AppRepossessed = "APP_REPOSSESSED",
    /// The user, the friend or an initial member is unknown (section 2).
    UserNotFound = "USER_NOT_FOUND",
    /// The group is unknown (section 2).
    GroupNotFound = "GROUP_NOT_FOUND",
    /// A group of that id exists with another owner (section 2).
    GroupExists = "GROUP_EXISTS",
    /// `max_users` is reached.
    UserLimit = "USER_LIMIT",
    /// `daily_users` is reached: another user of the day (B26).
    TrialDauLimit = "TRIAL_DAU_LIMIT",
    /// `friends` is reached on the own list.
    FriendLimit = "FRIEND_LIMIT",
    /// `friends` is reached on the other side's list.
    PeerFriendLimit = "PEER_FRIEND_LIMIT",
    /// `joined_groups` is reached.
    JoinedGroupLimit = "JOINED_GROUP_LIMIT",
    /// `group_members` is reached and buying more would help (3.1).
    GroupMemberLimit = "GROUP_MEMBER_LIMIT",
    /// The cap of the group's type is reached: buying would not help (3.1).
    GroupFull = "GROUP_FULL",
    /// `av_chat_rooms` is reached.
    AvChatRoomLimit = "AV_CHAT_ROOM_LIMIT",
    /// `broadcast_rooms` is reached, where an override bounds it (B32).
    BroadcastRoomLimit = "BROADCAST_ROOM_LIMIT",
    /// `daily_broadcast_rooms` is reached.
    DailyBroadcastLimit = "DAILY_BROADCAST_LIMIT",
    /// `daily_groups` is reached.
    DailyGroupLimit = "DAILY_GROUP_LIMIT",
    /// `groups` is reached (B27).
    TrialGroupLimit = "TRIAL_GROUP_LIMIT",
    /// The gateway's own budget of entries is used up, for this app or in all.
    BudgetExceeded = "BUDGET_EXCEEDED",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The code that an IM server hands to its clients, for each reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReasonCodes([i32; Reason::ALL.len()]);

impl ReasonCodes {
    /// A code for each reason.
    pub fn from_fn(mut make: impl FnMut(Reason) -> i32) -> Self {
        Self(Reason::ALL.map(&mut make))
    }

    /// The code of a reason.
    #[expect(
        clippy::indexing_slicing,
        reason = "one element for each reason, by construction"
    )]
    pub const fn get(&self, reason: Reason) -> i32 {
        self.0[reason as usize]
    }
}
