//! Puts a trace to a gateway in this process: app 1, empty at the trace's first instant, at the trace's own times.
//!
//! Invariant: each line sees what the lines before it have left. Absent on purpose: the limits. The gateway decides; this asks and counts.

use super::fault::{Fault, TraceError};
use super::reader::Reader;
use super::report::{Report, Tally};
use super::said::Action;
use crate::admission::Mode;
use crate::entitlement::Terms;
use crate::gateway::{AppError, Gateway};
use crate::id::{IdKey, SdkAppId};
use crate::subscription::{Plan, Standing};

/// Why a replay stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The trace cannot be read on.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// There is no edition to begin with.
    #[error(transparent)]
    Edition(Fault),
    /// The gateway does not take the app or its plan.
    #[error(transparent)]
    App(#[from] AppError),
}

/// Replays a trace as `app`, on an edition until the trace sets another. The report's `elapsed` is left for the caller.
pub fn replay(
    reader: &mut Reader,
    terms: &Terms,
    app: SdkAppId,
    edition: &str,
) -> Result<Report, ReplayError> {
    if terms.catalog.edition_id(edition).is_none() {
        let fault = Fault::unknown_edition(edition, &terms.catalog);
        return Err(ReplayError::Edition(fault));
    }
    let gateway = Gateway::new(terms.clone(), IdKey::random());
    let mut tally = Tally::default();
    while let Some(line) = reader.next_line()? {
        let entry = line.entry(&terms.catalog)?;
        if tally.span().is_none() {
            gateway.create_app(app, Plan::of(edition), Standing::GOOD, entry.at)?;
        }
        tally.line(entry.at);
        match &entry.action {
            Action::Admit(request) => {
                let answer = gateway.admit(app, request, Mode::Enforce, entry.at);
                tally.verdict(request.name(), answer.decision.outcome.name());
            }
            Action::SetEdition(edition) => gateway.set_plan(app, Plan::of(edition), entry.at)?,
        }
    }
    let end = tally.span().map(|(_, last)| last);
    let usage = end.and_then(|end| gateway.app_usage(app, end));
    Ok(tally.report(usage.as_ref(), terms.zone))
}
