//! The judge: asks a gateway for every fact that was ever asked for, and compares it with what was acknowledged.
//!
//! Invariant: it changes nothing, for it asks by dry runs, for usage, and once more for what is there. Every
//! acknowledged addition must be there unless its removal was sent since, and the other way round; every count must be that of
//! the facts that are there, and no count above its limit.

use quotagate::proto::admission_service_client::AdmissionServiceClient;
use quotagate::proto::get_usage_request::Subject;
use quotagate::proto::get_usage_response::Usage;
use quotagate::proto::{AdmitBatchRequest, GetUsageRequest, GetUsageResponse, Mode, Operation};
use tonic::Status;
use tonic::transport::Channel;

use super::deed::{APPS, DAYS, Fact, LIMITS, group_name, is_room, kind_of, user_name};
use super::ledger::{Facts, Ledger, State};
use super::told::{Answer, Broken};

/// Why there is no clean judgement.
#[derive(Debug)]
pub enum Finding {
    Broken(Broken),
    /// The gateway could not be asked.
    Unasked(Status),
}

impl From<Status> for Finding {
    fn from(status: Status) -> Self {
        Self::Unasked(status)
    }
}

/// What is asked for once more when it has been seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Repeat {
    /// Everything that is there.
    Everything,
    Nothing,
}

/// What a gateway says of an app.
struct Seen {
    /// Each fact asked for that can be told, and whether it is there.
    facts: Vec<(Fact, bool)>,
    app: GetUsageResponse,
    users: Vec<(u8, GetUsageResponse)>,
    groups: Vec<(u8, GetUsageResponse)>,
}

/// What was asked, what should have come, and what came.
type Wrong = (String, String, String);

/// Asks for everything, and settles in the ledger what was open. `noon` is the time of today's logins.
pub async fn judge(
    channel: &Channel,
    ledger: &mut Ledger,
    noon: i64,
    again: Repeat,
) -> Result<(), Finding> {
    for app in APPS {
        let facts = ledger.of(app);
        let broken = |(asked, expected, found)| {
            Finding::Broken(Broken {
                app,
                asked,
                expected,
                found,
            })
        };
        let seen = look(channel, app, facts, noon).await?;
        compare(facts, &seen).map_err(broken)?;
        if again == Repeat::Everything {
            repeat(channel, app, facts, noon).await?.map_err(broken)?;
        }
    }
    Ok(())
}

async fn look(channel: &Channel, app: u32, facts: &Facts, noon: i64) -> Result<Seen, Status> {
    // What hangs on others goes first: in a batch the later operations see the earlier ones.
    let mut known: Vec<_> = facts.known().into_iter().map(|(fact, _)| fact).collect();
    known.sort_by(|one, other| other.cmp(one));
    let (logins, known): (Vec<_>, Vec<_>) = known
        .into_iter()
        .partition(|fact| matches!(fact, Fact::Login(..)));
    let removals = known.iter().map(|fact| fact.removal().ask(noon));
    let answers = ask(channel, app, Mode::DryRun, removals.collect()).await?;
    let mut seen: Vec<_> = known
        .into_iter()
        .zip(answers.iter().map(|it| it.changed))
        .collect();
    let is_there = |user| seen.contains(&(Fact::User(user), true));
    // A login of a user that is not registered would register it, and tells nothing.
    let can_tell = |fact: &Fact| matches!(*fact, Fact::Login(user, _) if is_there(user));
    let logins: Vec<_> = logins.into_iter().filter(can_tell).collect();
    let repeated = logins.iter().map(|fact| fact.addition().ask(noon));
    let answers = ask(channel, app, Mode::DryRun, repeated.collect()).await?;
    let unchanged = answers.iter().map(|it| it.allowed && !it.changed);
    let logins: Vec<_> = logins.into_iter().zip(unchanged).collect();
    let (mut users, mut groups) = (Vec::new(), Vec::new());
    for (fact, _) in seen.iter().filter(|(_, there)| *there) {
        match *fact {
            Fact::User(user) => {
                let subject = Subject::User(user_name(user));
                users.push((user, usage(channel, app, Some(subject)).await?));
            }
            Fact::Group(group) => {
                let subject = Subject::Group(group_name(group));
                groups.push((group, usage(channel, app, Some(subject)).await?));
            }
            Fact::Member(..) | Fact::Friend(..) | Fact::Login(..) => {}
        }
    }
    seen.extend(logins);
    Ok(Seen {
        facts: seen,
        app: usage(channel, app, None).await?,
        users,
        groups,
    })
}

/// Everything that is there is asked for once more: allowed, and nothing changes.
async fn repeat(
    channel: &Channel,
    app: u32,
    facts: &Facts,
    noon: i64,
) -> Result<Result<(), Wrong>, Status> {
    let known = facts.known().into_iter();
    let there = known.filter(|(_, state)| *state == State::There);
    let is_told = |fact: &Fact| match fact {
        Fact::Login(user, _) => facts.state(Fact::User(*user)) == State::There,
        Fact::User(_) | Fact::Group(_) | Fact::Member(..) | Fact::Friend(..) => true,
    };
    let there: Vec<_> = there.map(|(fact, _)| fact).filter(is_told).collect();
    let additions = there.iter().map(|fact| fact.addition().ask(noon));
    let answers = ask(channel, app, Mode::Enforce, additions.collect()).await?;
    let wrong = there
        .iter()
        .zip(answers)
        .find(|(_, answer)| !answer.allowed || answer.changed);
    Ok(wrong.map_or(Ok(()), |(fact, answer)| {
        let asked = format!("{:?} once more", fact.addition());
        let expected = "ALLOWED, unchanged: it is there".to_owned();
        Err((asked, expected, answer.to_string()))
    }))
}

async fn ask(
    channel: &Channel,
    app: u32,
    mode: Mode,
    operations: Vec<Operation>,
) -> Result<Vec<Answer>, Status> {
    if operations.is_empty() {
        return Ok(Vec::new());
    }
    let asked = operations.len();
    let request = AdmitBatchRequest {
        sdk_app_id: app,
        mode: mode.into(),
        operations,
        ..AdmitBatchRequest::default()
    };
    let mut service = AdmissionServiceClient::new(channel.clone());
    let answers = service.admit_batch(request).await?.into_inner().results;
    assert_eq!(answers.len(), asked, "an answer for each");
    Ok(answers.into_iter().map(Answer::from).collect())
}

async fn usage(
    channel: &Channel,
    app: u32,
    subject: Option<Subject>,
) -> Result<GetUsageResponse, Status> {
    let mut service = AdmissionServiceClient::new(channel.clone());
    let request = GetUsageRequest {
        sdk_app_id: app,
        subject,
    };
    Ok(service.get_usage(request).await?.into_inner())
}

fn compare(facts: &mut Facts, seen: &Seen) -> Result<(), Wrong> {
    for &(fact, is_there) in &seen.facts {
        facts.see(fact, is_there).map_err(|known| {
            let expected = match known {
                State::There => "there: it was acknowledged",
                State::Gone | State::Open => {
                    "gone: its end was acknowledged, or it was never asked for"
                }
            };
            let found = if is_there { "there" } else { "gone" };
            (format!("{fact:?}"), expected.to_owned(), found.to_owned())
        })?;
    }
    if let Some(torn) = facts.torn() {
        let expected = "all of it, or nothing".to_owned();
        return Err((
            "an all-or-nothing batch".to_owned(),
            expected,
            format!("{torn:?}"),
        ));
    }
    within_limits("the app", &seen.app)?;
    count_app(facts, seen)?;
    for (user, usage) in &seen.users {
        let who = format!("user {user}");
        within_limits(&who, usage)?;
        let Some(Usage::User(counts)) = &usage.usage else {
            return Err((who, "a user's usage".to_owned(), format!("{usage:?}")));
        };
        let joined = |fact| matches!(fact, Fact::Member(_, it) if it == *user);
        exact(
            &who,
            "joined groups",
            counts.joined_groups,
            facts.count(joined),
        )?;
        let friends = |fact| matches!(fact, Fact::Friend(it, _) if it == *user);
        exact(&who, "friends", counts.friends, facts.count(friends))?;
        let today = |fact| fact == Fact::Login(*user, 0);
        let counted = u64::from(counts.counted_today);
        exact(&who, "logins today", counted, facts.count(today))?;
    }
    for (group, usage) in &seen.groups {
        let which = format!("group {group}");
        if !is_room(*group) {
            within_limits(&which, usage)?;
        }
        let Some(Usage::Group(counts)) = &usage.usage else {
            return Err((which, "a group's usage".to_owned(), format!("{usage:?}")));
        };
        let members = |fact| matches!(fact, Fact::Member(it, _) if it == *group);
        exact(&which, "members", counts.members, facts.count(members))?;
        if counts.r#type != kind_of(*group) {
            return Err((which, kind_of(*group).to_owned(), counts.r#type.clone()));
        }
    }
    Ok(())
}

fn count_app(facts: &Facts, seen: &Seen) -> Result<(), Wrong> {
    let Some(Usage::App(counts)) = &seen.app.usage else {
        let found = format!("{:?}", seen.app);
        return Err(("the app".to_owned(), "an app's usage".to_owned(), found));
    };
    let is = |what: &str, found: u64, is_of_kind: &dyn Fn(Fact) -> bool| {
        exact("the app", what, found, facts.count(is_of_kind))
    };
    is("users", counts.users, &|it| matches!(it, Fact::User(_)))?;
    is("groups", counts.groups, &|it| matches!(it, Fact::Group(_)))?;
    let memberships = counts.memberships;
    is("memberships", memberships, &|it| {
        matches!(it, Fact::Member(..))
    })?;
    let friends = counts.friend_entries;
    is("friend entries", friends, &|it| {
        matches!(it, Fact::Friend(..))
    })?;
    let today = counts.daily_users;
    is("users today", today, &|it| matches!(it, Fact::Login(_, 0)))?;
    // All groups are of today.
    let net = u64::try_from(counts.daily_groups).unwrap_or(u64::MAX);
    is("groups of the day", net, &|it| matches!(it, Fact::Group(_)))?;
    for kind in ["Public", "ChatRoom", "AVChatRoom", "BChatRoom"] {
        let found = counts.groups_by_type.get(kind).copied().unwrap_or(0);
        is(
            kind,
            found,
            &|it| matches!(it, Fact::Group(group) if kind_of(group) == kind),
        )?;
    }
    for day in 1..DAYS {
        // Late days are not told, but no more are admitted than the limit allows.
        let (counted, _) = facts.count(|it| matches!(it, Fact::Login(_, on) if on == day));
        let limit = limit_of("daily_users");
        if counted > limit {
            let asked = format!("users {day} days ago");
            return Err((asked, format!("at most {limit}"), counted.to_string()));
        }
    }
    Ok(())
}

fn exact(whose: &str, what: &str, found: u64, (certain, open): (u64, u64)) -> Result<(), Wrong> {
    if (certain..=certain + open).contains(&found) {
        return Ok(());
    }
    let expected = match open {
        0 => format!("{certain} {what}"),
        _ => format!("{certain} to {} {what}", certain + open),
    };
    Err((format!("usage of {whose}"), expected, found.to_string()))
}

/// Every limit is in force, and none is exceeded.
fn within_limits(whose: &str, usage: &GetUsageResponse) -> Result<(), Wrong> {
    for of in &usage.limits {
        let Some(limit) = &of.limit else { continue };
        let (name, expected) = (&limit.name, limit_of(&limit.name));
        let asked = || format!("usage of {whose}: {name}");
        if limit.value != Some(expected) {
            let found = format!("{:?}", limit.value);
            return Err((asked(), format!("the limit {expected}"), found));
        }
        if of.used > i64::try_from(expected).unwrap_or(i64::MAX) {
            return Err((asked(), format!("at most {expected}"), of.used.to_string()));
        }
    }
    if usage.limits.is_empty() {
        let asked = format!("usage of {whose}");
        return Err((asked, "its limits".to_owned(), "none".to_owned()));
    }
    Ok(())
}

fn limit_of(name: &str) -> u64 {
    let found = LIMITS.iter().find(|(it, _)| *it == name);
    found.map_or(0, |(_, limit)| *limit)
}
