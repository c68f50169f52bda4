//! The domain's values as the messages of the proto files have them.
//!
//! Invariant: every case of the domain has one on the wire; a new one does not compile until it has. Absent on purpose: the other
//! way, which is for `request`.

use std::time::Duration;

use crate::admission::{Denial, Explanation, Reached, Remedy, Subject};
use crate::catalog::{LimitName, Reason};
use crate::entitlement::{Enforcement, Entitlements, Limit, Source};
use crate::proto;
use crate::subscription::{AppState, Standing};
use crate::time::Timestamp;
use crate::usage::{AppUsage, GroupUsage, UserUsage};

/// A span of time. None of ours is beyond what the message holds.
pub(super) fn duration(span: Duration) -> prost_types::Duration {
    prost_types::Duration::try_from(span).unwrap_or_default()
}

pub(super) fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    let ms = at.as_unix_ms();
    prost_types::Timestamp {
        seconds: ms.div_euclid(1_000),
        nanos: i32::try_from(ms.rem_euclid(1_000) * 1_000_000).unwrap_or(0),
    }
}

fn reason(reason: Reason) -> proto::Reason {
    match reason {
        Reason::AppNotFound => proto::Reason::AppNotFound,
        Reason::AppSuspended => proto::Reason::AppSuspended,
        Reason::AppDisabled => proto::Reason::AppDisabled,
        Reason::AppRepossessed => proto::Reason::AppRepossessed,
        Reason::UserNotFound => proto::Reason::UserNotFound,
        Reason::GroupNotFound => proto::Reason::GroupNotFound,
        Reason::GroupExists => proto::Reason::GroupExists,
        Reason::UserLimit => proto::Reason::UserLimit,
        Reason::TrialDauLimit => proto::Reason::TrialDauLimit,
        Reason::FriendLimit => proto::Reason::FriendLimit,
        Reason::PeerFriendLimit => proto::Reason::PeerFriendLimit,
        Reason::JoinedGroupLimit => proto::Reason::JoinedGroupLimit,
        Reason::GroupMemberLimit => proto::Reason::GroupMemberLimit,
        Reason::GroupFull => proto::Reason::GroupFull,
        Reason::AvChatRoomLimit => proto::Reason::AvChatRoomLimit,
        Reason::BroadcastRoomLimit => proto::Reason::BroadcastRoomLimit,
        Reason::DailyBroadcastLimit => proto::Reason::DailyBroadcastLimit,
        Reason::DailyGroupLimit => proto::Reason::DailyGroupLimit,
        Reason::TrialGroupLimit => proto::Reason::TrialGroupLimit,
        Reason::BudgetExceeded => proto::Reason::BudgetExceeded,
    }
}

fn subject(subject: Subject) -> proto::Subject {
    match subject {
        Subject::App => proto::Subject::App,
        Subject::User => proto::Subject::User,
        Subject::Friend => proto::Subject::Friend,
        Subject::Group => proto::Subject::Group,
    }
}

/// Where a number comes from; `edition` names the app's, where it is known.
fn source(source: Source, edition: &str) -> proto::Source {
    use proto::source::Kind;
    let (kind, name) = match source {
        Source::Edition => (Kind::Edition, edition),
        Source::AddOn(add_on) => (Kind::AddOn, add_on.name()),
        Source::Override(scope) => (Kind::Override, scope.name()),
        Source::GroupType => (Kind::GroupType, ""),
        Source::Budget => (Kind::Budget, ""),
    };
    proto::Source {
        kind: kind.into(),
        name: name.to_owned(),
    }
}

/// Sets what a denial says without words.
pub(super) fn put_denial(to: &mut proto::AdmitResponse, denial: &Denial) {
    to.reason = reason(denial.reason).into();
    to.subject = subject(denial.subject).into();
    if let Some(Reached {
        limit,
        bound,
        used,
        source: from,
        ..
    }) = denial.reached
    {
        to.limit_name = limit.map(|name| name.name().to_owned()).unwrap_or_default();
        to.limit = bound.finite().unwrap_or(u64::MAX);
        to.used = used;
        to.source = Some(source(from, ""));
    }
}

/// Sets the words of a denial.
pub(super) fn put_explanation(to: &mut proto::AdmitResponse, words: Explanation) {
    to.im_error_code = words.im_error_code;
    to.message = words.sentence;
    to.resets_at = words.resets_at.map(timestamp);
    to.remedy = words.remedy.map(remedy);
    if let Some(from) = &mut to.source
        && from.kind() == proto::source::Kind::Edition
    {
        from.name = words.edition.map(String::from).unwrap_or_default();
    }
}

fn remedy(remedy: Remedy) -> proto::Remedy {
    proto::Remedy {
        description: remedy.to_string(),
        edition: remedy.edition.map(String::from).unwrap_or_default(),
        value: remedy.add_on.and_then(|(_, value)| value.finite()),
        add_on: remedy
            .add_on
            .map(|(add_on, _)| add_on.name().to_owned())
            .unwrap_or_default(),
        monthly_price: remedy.monthly_price.to_string(),
        currency: remedy.currency.into(),
    }
}

fn limit(name: LimitName, limit: &Limit, edition: &str) -> proto::Limit {
    proto::Limit {
        name: name.name().to_owned(),
        value: limit.bound.finite(),
        source: Some(source(limit.source, edition)),
        enforcement: enforcement(limit.enforcement).into(),
    }
}

/// What is done when a limit is reached.
pub(super) fn enforcement(enforcement: Enforcement) -> proto::limit::Enforcement {
    use proto::limit::Enforcement as Wire;
    match enforcement {
        Enforcement::Enforce => Wire::Enforce,
        Enforcement::Shadow => Wire::Shadow,
        Enforcement::Off => Wire::Off,
    }
}

/// Whether a service stands.
pub(super) fn state(state: AppState) -> proto::app::State {
    use proto::app::State;
    match state {
        AppState::Active => State::Active,
        AppState::Suspended => State::Suspended,
        AppState::Disabled => State::Disabled,
        AppState::Repossessed => State::Repossessed,
    }
}

/// From when on a service does not stand; what is not known to come is absent.
fn standing(standing: Standing) -> proto::Standing {
    let known = |at| (at != Timestamp::MAX).then(|| timestamp(at));
    proto::Standing {
        suspended_from: known(standing.suspended_from),
        repossessed_from: known(standing.repossessed_from),
        disabled_from: known(standing.disabled_from),
    }
}

fn published(entitlements: &Entitlements) -> proto::Published {
    proto::Published {
        history_days: entitlements.history_days,
        content_filtering: entitlements.content_filtering,
        comment_bandwidth: entitlements.comment_bandwidth,
    }
}

fn limits(entitlements: &Entitlements) -> Vec<proto::Limit> {
    let edition = &entitlements.edition().name;
    let limits = LimitName::ALL.map(|name| limit(name, entitlements.limit(name), edition));
    limits.into()
}

/// An app as operators see it, without what the ledger knows of it.
pub(super) fn app(number: u32, entitlements: &Entitlements, now: Timestamp) -> proto::App {
    proto::App {
        sdk_app_id: number,
        edition: entitlements.edition().name.to_string(),
        state: state(entitlements.standing.state(now)).into(),
        revision: entitlements.revision,
        limits: limits(entitlements),
        adopt_unknown: entitlements.adopt_unknown,
        published: Some(published(entitlements)),
        standing: Some(standing(entitlements.standing)),
        time_zone: entitlements.zone.to_string(),
        ..proto::App::default()
    }
}

/// What an app may do, for those who watch.
pub(super) fn entitlements(
    number: u32,
    entitlements: &Entitlements,
    now: Timestamp,
) -> proto::AppEntitlements {
    proto::AppEntitlements {
        sdk_app_id: number,
        edition: entitlements.edition().name.to_string(),
        state: state(entitlements.standing.state(now)).into(),
        standing: Some(standing(entitlements.standing)),
        revision: entitlements.revision,
        limits: limits(entitlements),
        adopt_unknown: entitlements.adopt_unknown,
        published: Some(published(entitlements)),
    }
}

fn used(entitlements: &Entitlements, name: LimitName, used: i64) -> proto::LimitUsage {
    let edition = &entitlements.edition().name;
    proto::LimitUsage {
        limit: Some(limit(name, entitlements.limit(name), edition)),
        used,
        resets_at: None,
    }
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What an app has, beside the limits of the whole app.
pub(super) fn app_usage(
    entitlements: &Entitlements,
    usage: &AppUsage,
    now: Timestamp,
) -> proto::GetUsageResponse {
    let zone = entitlements.zone;
    let tomorrow = timestamp(zone.start(zone.day(now).next()));
    let limits = usage
        .counted
        .iter()
        .map(|(name, counted)| proto::LimitUsage {
            resets_at: name.is_of_day().then_some(tomorrow),
            ..used(entitlements, *name, *counted)
        });
    let by_type = usage
        .groups_by_type
        .iter()
        .filter(|(_, groups)| *groups > 0);
    proto::GetUsageResponse {
        revision: entitlements.revision,
        limits: limits.collect(),
        usage: Some(proto::get_usage_response::Usage::App(proto::AppUsage {
            users: usage.users,
            groups: usage.groups,
            memberships: usage.memberships,
            friend_entries: usage.friend_entries,
            groups_by_type: by_type
                .map(|(name, groups)| (name.to_string(), *groups))
                .collect(),
            daily_users: usage.daily_users,
            daily_groups: usage.daily_groups,
        })),
    }
}

/// What a user has, beside the limits of a user.
pub(super) fn user_usage(entitlements: &Entitlements, usage: UserUsage) -> proto::GetUsageResponse {
    proto::GetUsageResponse {
        revision: entitlements.revision,
        limits: vec![
            used(entitlements, LimitName::Friends, count(usage.friends)),
            used(
                entitlements,
                LimitName::JoinedGroups,
                count(usage.joined_groups),
            ),
        ],
        usage: Some(proto::get_usage_response::Usage::User(proto::UserUsage {
            joined_groups: usage.joined_groups,
            friends: usage.friends,
            counted_today: usage.counted_today,
        })),
    }
}

/// What a group has, beside the cap that holds for it: the smaller of its type's and the plan's.
pub(super) fn group_usage(
    entitlements: &Entitlements,
    usage: GroupUsage,
) -> proto::GetUsageResponse {
    let caps = entitlements.member_caps(usage.kind);
    let mut members = used(entitlements, LimitName::GroupMembers, count(usage.members));
    if let Some(limit) = &mut members.limit
        && caps.by_type <= caps.by_plan
    {
        limit.value = caps.by_type.finite();
        limit.source = Some(source(Source::GroupType, ""));
    }
    let kind = entitlements.catalog.group_type(usage.kind);
    proto::GetUsageResponse {
        revision: entitlements.revision,
        limits: vec![members],
        usage: Some(proto::get_usage_response::Usage::Group(proto::GroupUsage {
            r#type: kind.map(|kind| kind.name.to_string()).unwrap_or_default(),
            members: usage.members,
        })),
    }
}
