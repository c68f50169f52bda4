//! A denial in words: the code for the IM server's clients, a sentence for people, when it resets, what would lift it.
//!
//! Made after the decision, outside of any lock, from the entitlements that the decision was made with.

use std::fmt;

use super::{Denial, Reached, Request, Subject};
use crate::catalog::{AddOn, Bound, Catalog, EditionId, LimitName, Reason};
use crate::entitlement::{Entitlements, Source};
use crate::id::{GroupId, UserId};
use crate::money::Money;
use crate::time::Timestamp;

/// A denial in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// The code that the catalog has for the reason (RULES 3).
    pub im_error_code: i32,
    /// What is the matter, in a sentence.
    pub sentence: String,
    /// The app's edition; nothing where there is no app.
    pub edition: Option<Box<str>>,
    /// When the day that was counted ends, for a day's limit.
    pub resets_at: Option<Timestamp>,
    /// The cheapest purchase that would lift the limit; nothing where none would.
    pub remedy: Option<Remedy>,
}

/// Something to buy that would lift a limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remedy {
    /// The edition to change to; nothing if the present one will do.
    pub edition: Option<Box<str>>,
    /// The add-on to have and the value to set, if one is needed.
    pub add_on: Option<(AddOn, Bound)>,
    /// What it costs a month more than what the app has now.
    pub monthly_price: Money,
    /// The price's currency.
    pub currency: Box<str>,
}

impl Explanation {
    /// There is no such app, so nothing is known of it but the catalog.
    pub fn no_such_app(catalog: &Catalog) -> Self {
        Self {
            im_error_code: catalog.code(Reason::AppNotFound),
            sentence: "There is no such app.".to_owned(),
            edition: None,
            resets_at: None,
            remedy: None,
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.edition, &self.add_on) {
            (Some(edition), Some((add_on, value))) => {
                write!(f, "edition {edition} with add-on {add_on} at {value}")?;
            }
            (Some(edition), None) => write!(f, "edition {edition}")?,
            (None, Some((add_on, value))) => write!(f, "add-on {add_on} at {value}")?,
            (None, None) => f.write_str("nothing")?,
        }
        write!(f, ", {} {} more a month", self.monthly_price, self.currency)
    }
}

/// Puts a denial of `request` into words. Of an initial member's denial, the request is that member's join.
pub fn explain(denial: &Denial, request: &Request<'_>, entitlements: &Entitlements) -> Explanation {
    let day = denial.reached.and_then(|reached| reached.day);
    Explanation {
        im_error_code: entitlements.catalog.code(denial.reason),
        sentence: sentence(denial, request, entitlements),
        edition: Some(entitlements.edition().name.clone()),
        resets_at: day.map(|day| entitlements.zone.start(day.next())),
        remedy: denial
            .reached
            .and_then(|reached| remedy(&reached, entitlements)),
    }
}

fn sentence(denial: &Denial, request: &Request<'_>, entitlements: &Entitlements) -> String {
    let who = Named {
        subject: denial.subject,
        request,
    };
    match (denial.reason, &denial.reached) {
        (Reason::AppNotFound, _) => "There is no such app.".to_owned(),
        (Reason::AppSuspended, _) => {
            "The app is suspended: removing is possible, adding is not, until the account is in order."
                .to_owned()
        }
        (Reason::AppDisabled, _) => "The app is disabled, for ever.".to_owned(),
        (Reason::AppRepossessed, _) => "The app's resources have been repossessed.".to_owned(),
        (Reason::UserNotFound | Reason::GroupNotFound, _) => format!("There is no {who}."),
        (Reason::GroupExists, _) => format!("There is a {who} already, with another owner."),
        (reason, Some(reached)) => counted(reason, reached, &who, entitlements),
        (reason, None) => format!("{who}: {reason}."),
    }
}

fn counted(
    reason: Reason,
    reached: &Reached,
    who: &Named<'_, '_>,
    entitlements: &Entitlements,
) -> String {
    let Reached {
        bound,
        used,
        source,
        ..
    } = reached;
    let what = match reason {
        Reason::UserLimit => "registered users",
        Reason::TrialDauLimit => "users that logged in that day",
        Reason::FriendLimit | Reason::PeerFriendLimit => "friends",
        Reason::JoinedGroupLimit => "groups joined",
        Reason::GroupMemberLimit | Reason::GroupFull => "members",
        Reason::AvChatRoomLimit => "audio-video chat rooms",
        Reason::BroadcastRoomLimit => "broadcasting chat rooms",
        Reason::DailyBroadcastLimit => "broadcasting chat rooms more than at the day's start",
        Reason::DailyGroupLimit => "groups more than at the day's start",
        Reason::TrialGroupLimit => "groups",
        Reason::BudgetExceeded => "entries of this kind in the gateway's memory",
        Reason::AppNotFound
        | Reason::AppSuspended
        | Reason::AppDisabled
        | Reason::AppRepossessed
        | Reason::UserNotFound
        | Reason::GroupNotFound
        | Reason::GroupExists => "entries",
    };
    let from = match source {
        Source::Edition => format!("{} edition", entitlements.edition().name),
        other => other.to_string(),
    };
    let limit = reached
        .limit
        .map_or_else(|| "budget".to_owned(), |limit| format!("limit {limit}"));
    format!("The {who} has {used} of at most {bound} {what} ({limit}, from the {from}).")
}

/// The subject of a denial with its id from the request.
struct Named<'r, 'a> {
    subject: Subject,
    request: &'r Request<'a>,
}

impl fmt::Display for Named<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, friend, group) = self.request.ids();
        let (kind, id) = match self.subject {
            Subject::App => ("app", None),
            Subject::User => ("user", user.map(UserId::as_str)),
            Subject::Friend => ("user", friend.map(UserId::as_str)),
            Subject::Group => ("group", group.map(GroupId::as_str)),
        };
        match id {
            Some(id) => write!(f, "{kind} {id:?}"),
            None => f.write_str(kind),
        }
    }
}

/// The cheapest edition or add-on with room for one more; nothing against an override, a type's cap or a budget.
fn remedy(reached: &Reached, entitlements: &Entitlements) -> Option<Remedy> {
    let limit = reached.limit?;
    match reached.source {
        Source::Edition | Source::AddOn(_) => {}
        Source::Override(_) | Source::GroupType | Source::Budget => return None,
    }
    let catalog = &*entitlements.catalog;
    let paid = match reached.source {
        Source::AddOn(add_on) => {
            tier_price(catalog, entitlements.edition_id, add_on, reached.bound)
        }
        _ => Money::ZERO,
    };
    let present = entitlements.edition().monthly_price;
    let offers = catalog.editions().filter_map(|(id, edition)| {
        // A cheaper edition would take other things away: it is no remedy.
        if edition.monthly_price < present {
            return None;
        }
        let (add_on, price) = cheapest(catalog, id, limit, reached.used)?;
        let stays = id == entitlements.edition_id;
        let whole = edition.monthly_price.plus(price);
        Some(Remedy {
            edition: (!stays).then(|| edition.name.clone()),
            add_on,
            monthly_price: whole.minus_or_zero(present.plus(paid)),
            currency: catalog.currency.clone(),
        })
    });
    offers.min_by_key(|offer| offer.monthly_price)
}

/// What an add-on costs at a value: the smallest tier that covers it.
fn tier_price(catalog: &Catalog, edition: EditionId, add_on: AddOn, value: Bound) -> Money {
    let covers = |top: Option<Bound>| top.is_none_or(|top| value <= top);
    let tier = catalog
        .tiers(add_on, edition)
        .find(|tier| covers(tier.up_to));
    tier.map_or(Money::ZERO, |tier| tier.price)
}

/// What an edition needs so that a limit has room for one more: nothing, or the cheapest tier of an add-on.
fn cheapest(
    catalog: &Catalog,
    edition: EditionId,
    limit: LimitName,
    used: u64,
) -> Option<(Option<(AddOn, Bound)>, Money)> {
    if catalog.edition(edition).limits.get(limit).has_room(used, 1) {
        return Some((None, Money::ZERO));
    }
    let add_on = AddOn::ALL
        .into_iter()
        .find(|add_on| add_on.raises() == Some(limit))?;
    catalog
        .tiers(add_on, edition)
        .map(|tier| (tier.up_to.unwrap_or(Bound::UNLIMITED), tier.price))
        .filter(|(value, _)| value.has_room(used, 1))
        .min_by_key(|(_, price)| *price)
        .map(|(value, price)| (Some((add_on, value)), price))
}
