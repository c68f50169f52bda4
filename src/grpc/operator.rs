//! What the operators' calls share: who calls, overrides in and out, the audit trail out, and refusals as statuses.
//!
//! Invariant: what a caller says of themselves has a bound before it is kept. Absent on purpose: whether to believe it.

use std::sync::Arc;

use tonic::{Code, Request, Status};
use tonic_types::{ErrorDetails, PreconditionViolation, StatusExt as _};

use super::convert::{enforcement, timestamp};
use super::fault::Fault;
use crate::catalog::{Bound, LimitName};
use crate::control::ControlError;
use crate::entitlement::{Enforcement, Override, Terms};
use crate::gateway::{AppError, Stranded};
use crate::id::SdkAppId;
use crate::ledger::{Audited, Caller};
use crate::proto;
use crate::reload::ReloadError;
use crate::subscription::Refusal;
use crate::time::Timestamp;

/// Metadata in which callers say who they are.
const ACTOR: &str = "x-quotagate-actor";
/// Most faults that a status carries: it travels in headers, which clients bound at some 8 KiB.
const FAULTS_MAX: usize = 20;
/// Most characters of a reason.
const REASON_CHARS_MAX: usize = 500;

/// Where a call comes from, as the server puts it into a request's extensions.
#[derive(Clone, Debug)]
pub struct Peer(pub Arc<str>);

/// Who calls.
pub(super) fn caller<T>(request: &Request<T>) -> Caller {
    let actor = request.metadata().get(ACTOR);
    let actor = actor.map(|value| String::from_utf8_lossy(value.as_encoded_bytes()));
    let peer = request.extensions().get::<Peer>();
    Caller::new(
        &actor.unwrap_or_default(),
        peer.map_or("", |Peer(address)| address),
    )
}

/// A limit by its name.
pub(super) fn limit(name: &str) -> Result<LimitName, Status> {
    LimitName::from_name(name).ok_or_else(|| {
        let known = LimitName::ALL.map(LimitName::name).join(", ");
        let name: String = name.chars().take(64).collect();
        Fault::of("limit", format!("there is no {name:?}; there are {known}")).status()
    })
}

/// What is to be set for a limit.
pub(super) fn override_of(
    request: &proto::SetOverrideRequest,
    now: Timestamp,
) -> Result<Override, Status> {
    use proto::limit::Enforcement as Wire;
    use proto::set_override_request::Value;
    let wrong =
        |field: &'static str, problem: &'static str| Err(Fault::of(field, problem).status());
    let bound = match request.value {
        None => None,
        Some(Value::AtMost(count)) => match Bound::at_most(count) {
            Some(bound) => Some(bound),
            None => return wrong("at_most", "must be at most 1000000000000, or unlimited"),
        },
        Some(Value::Unlimited(true)) => Some(Bound::UNLIMITED),
        Some(Value::Unlimited(false)) => {
            return wrong("unlimited", "must be true; set `at_most` for a number");
        }
    };
    let enforcement = match Wire::try_from(request.enforcement) {
        Ok(Wire::Unspecified) => None,
        Ok(Wire::Enforce) => Some(Enforcement::Enforce),
        Ok(Wire::Shadow) => Some(Enforcement::Shadow),
        Ok(Wire::Off) => Some(Enforcement::Off),
        Err(_) => return wrong("enforcement", "must be ENFORCE, SHADOW or OFF"),
    };
    if bound.is_none() && enforcement.is_none() {
        return wrong(
            "value",
            "there is none: set `at_most`, `unlimited` or `enforcement`",
        );
    }
    let reason = request.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return wrong("reason", "must have 1 to 500 characters: say why");
    }
    let expires = match &request.expires {
        None => Timestamp::MAX,
        Some(at) => instant(at).filter(|at| *at > now).ok_or_else(|| {
            Fault::of(
                "expires",
                "must lie ahead, before the year 2149; leave it out for no end",
            )
            .status()
        })?,
    };
    Ok(Override {
        bound,
        enforcement,
        reason: reason.into(),
        expires,
    })
}

/// An instant of a message; nothing if it is none, or out of range.
pub(super) fn instant(at: &prost_types::Timestamp) -> Option<Timestamp> {
    let ms = at.seconds.checked_mul(1_000)?;
    let ms = ms.checked_add(i64::from(at.nanos / 1_000_000))?;
    let held = Timestamp::from_unix_ms_saturating(ms);
    (held.as_unix_ms() == ms && (0..1_000_000_000).contains(&at.nanos)).then_some(held)
}

/// What is set for a limit.
pub(super) fn shown(limit: LimitName, one: &Override) -> proto::Override {
    proto::Override {
        limit: limit.name().to_owned(),
        value: one.bound.and_then(Bound::finite),
        unlimited: one.bound == Some(Bound::UNLIMITED),
        enforcement: one.enforcement.map_or(0, |it| enforcement(it).into()),
        reason: one.reason.to_string(),
        expires: (one.expires != Timestamp::MAX).then(|| timestamp(one.expires)),
    }
}

/// An entry of the audit trail.
pub(super) fn entry(entry: Audited) -> proto::AuditEntry {
    proto::AuditEntry {
        sequence: entry.sequence,
        at: Some(timestamp(entry.at)),
        actor: entry.caller.actor,
        peer: entry.caller.peer,
        call: entry.call,
        sdk_app_id: entry.app.map_or(0, SdkAppId::get),
        before: entry.before.unwrap_or_default(),
        after: entry.after.unwrap_or_default(),
        outcome: entry.outcome,
    }
}

/// Does what must not be broken off, whether or not its caller goes away: between what is written down and what is in force.
pub(super) async fn finished<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Status> {
    let done = tokio::spawn(work).await;
    done.map_err(|_| Status::internal("the call broke off"))
}

/// A change that a rule forbids, as a status: the rule, and what to do.
pub(super) fn forbidden(app: Option<SdkAppId>, refusal: Refusal) -> Status {
    let (reason, rule, remedy) = (refusal.name(), refusal.rule(), refusal.remedy());
    let subject = app.map_or_else(|| "the app".to_owned(), |app| format!("app {app}"));
    let why = format!("{reason}: {rule}; {remedy}");
    let violation = PreconditionViolation::new(reason, &*subject, &*why);
    precondition(format!("{subject}: {why}"), std::iter::once(violation))
}

fn violated(kind: &str, subject: &str, why: &str) -> Status {
    let violation = PreconditionViolation::new(kind, subject, why);
    precondition(format!("{subject}: {why}"), std::iter::once(violation))
}

/// A control call that was not done as a status.
pub(super) fn refused(error: &ControlError, terms: &Terms) -> Status {
    match error {
        ControlError::App(AppError::Exists(_)) => Status::already_exists(error.to_string()),
        ControlError::App(AppError::NotFound(_))
        | ControlError::NoOverride { .. }
        | ControlError::UnknownAccount(_)
        | ControlError::NothingToBill(_) => Status::not_found(error.to_string()),
        ControlError::Refused(refusal) => forbidden(None, *refusal),
        ControlError::Confirm(_) => Fault::of("confirm_sdk_app_id", error.to_string()).status(),
        ControlError::NoAmount => Fault::of("amount", error.to_string()).status(),
        ControlError::ReferenceUsed { amount, at } => {
            let (at, currency) = (terms.zone.show(*at), &terms.catalog.currency);
            let why = format!(
                "it was used for {amount} {currency} at {at}; use another one for another payment"
            );
            violated("REFERENCE_USED", "reference", &why)
        }
        ControlError::NotDue { month, at } => {
            let why = format!("closes at {}, not before", terms.zone.show(*at));
            violated("NOT_DUE", &month.to_string(), &why)
        }
        ControlError::NoApps => violated("NOTHING_TO_CLOSE", "month", &error.to_string()),
        ControlError::App(AppError::NoEdition(name)) => {
            let known: Vec<_> = terms
                .catalog
                .editions()
                .map(|(_, one)| &*one.name)
                .collect();
            let known = known.join(", ");
            let name: String = name.chars().take(64).collect();
            let problem = format!("the catalog has no edition {name:?}; it has {known}");
            Fault::of("edition", problem).status()
        }
        ControlError::Stranded(stranded) => {
            precondition(error.to_string(), stranded.iter().map(in_use))
        }
        ControlError::Ledger(error) => Status::unavailable(format!("nothing was changed: {error}")),
    }
}

/// A failed reload as a status: what is wrong in the files, each fault with its place.
pub(super) fn not_reloaded(error: &ReloadError, terms: &Terms) -> Status {
    match error {
        ReloadError::BuiltIn => precondition(error.to_string(), std::iter::empty()),
        ReloadError::Faults(faults) => {
            let each = faults.iter().map(|fault| {
                let place = format!("{}:{}:{}", fault.file, fault.line, fault.column);
                PreconditionViolation::new("CONFIG_FAULT", place, &*fault.message)
            });
            precondition(error.to_string(), each)
        }
        ReloadError::BrokeOff => Status::internal(error.to_string()),
        ReloadError::Control(error) => refused(error, terms),
    }
}

fn in_use(one: &Stranded) -> PreconditionViolation {
    let what = format!(
        "is on edition \"{}\", which the new catalog lacks",
        one.edition
    );
    PreconditionViolation::new("EDITION_IN_USE", format!("app {}", one.app), what)
}

fn precondition(
    message: String,
    violations: impl Iterator<Item = PreconditionViolation>,
) -> Status {
    let violations: Vec<_> = violations.take(FAULTS_MAX).collect();
    let details = ErrorDetails::with_precondition_failure(violations);
    Status::with_error_details(Code::FailedPrecondition, message, details)
}
