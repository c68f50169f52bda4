//! Calls about overrides: what operators set for one limit of one app.

use super::{ControlError, ControlPlane, words};
use crate::catalog::LimitName;
use crate::entitlement::Override;
use crate::gateway::{AppError, Control};
use crate::id::SdkAppId;
use crate::ledger::{Caller, Change};
use crate::time::Timestamp;

impl ControlPlane {
    /// Sets something for a limit of an app, in place of what a call has set before.
    pub async fn set_override(
        &self,
        caller: &Caller,
        id: SdkAppId,
        limit: LimitName,
        one: Override,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        let mut call = self.begin("SetOverride", caller, Some(id), now).await?;
        let mut overrides = call.unless_refused(self.control(id)).await?.overrides;
        let before = overrides.get(&limit);
        let before = before.map(|one| words::override_of(limit, one));
        let entry = call.done(before, Some(words::override_of(limit, &one)));
        let change = Change::SetOverride(id, limit, &one);
        self.ledger.write(&[change], &[entry]).await?;
        tracing::info!(app = id.get(), limit = limit.name(), "override set");
        overrides.insert(limit, one);
        Ok(self.gateway.set_overrides(id, overrides, now)?)
    }

    /// Takes back what a call has set for a limit of an app.
    pub async fn remove_override(
        &self,
        caller: &Caller,
        id: SdkAppId,
        limit: LimitName,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        let mut call = self.begin("RemoveOverride", caller, Some(id), now).await?;
        let held = self.control(id).map_err(ControlError::from);
        let removed = held.and_then(|Control { mut overrides, .. }| {
            let removed = overrides.remove(&limit);
            let removed = removed.ok_or(ControlError::NoOverride { app: id, limit })?;
            Ok((overrides, removed))
        });
        let (overrides, removed) = call.unless_refused(removed).await?;
        let entry = call.done(Some(words::override_of(limit, &removed)), None);
        let change = Change::RemoveOverride(id, limit);
        self.ledger.write(&[change], &[entry]).await?;
        tracing::info!(app = id.get(), limit = limit.name(), "override removed");
        Ok(self.gateway.set_overrides(id, overrides, now)?)
    }

    fn control(&self, id: SdkAppId) -> Result<Control, AppError> {
        self.gateway.control(id).ok_or(AppError::NotFound(id))
    }
}
