//! The operators' calls: apps, their editions and overrides, the audit trail, the configuration.
//!
//! Invariant: no policy answers any of them. Absent on purpose: patience; where the default deadline is short for it, as for a
//! reload of large files, set another with [`Client::with_deadline`].

use super::call::Client;
use super::error::ClientError;
use crate::proto::{
    App, ChangeConfigurationRequest, CreateAppRequest, DisableRequest, GetAppRequest,
    ListAppsRequest, ListAppsResponse, ListAuditRequest, ListAuditResponse, PreviewChangeRequest,
    PreviewChangeResponse, ReloadRequest, ReloadResponse, RemoveOverrideRequest, SetEditionRequest,
    SetOverrideRequest, SetPrepaidRequest, SnapshotRequest, SnapshotResponse, UpgradeRequest,
};

impl Client {
    /// Creates an app on an edition; on the catalog's first if the name is empty. It has an account of its own.
    pub async fn create_app(&self, app: u32, edition: &str) -> Result<App, ClientError> {
        self.create_app_for(app, edition, "").await
    }

    /// Creates an app that an account pays for.
    pub async fn create_app_for(
        &self,
        app: u32,
        edition: &str,
        account: &str,
    ) -> Result<App, ClientError> {
        let request = CreateAppRequest {
            sdk_app_id: app,
            edition: edition.into(),
            account: account.into(),
        };
        self.control(request, |mut service, request| async move {
            service.create_app(request).await
        })
        .await
    }

    /// An app and its limits.
    pub async fn get_app(&self, app: u32) -> Result<App, ClientError> {
        let request = GetAppRequest { sdk_app_id: app };
        self.control(request, |mut service, request| async move {
            service.get_app(request).await
        })
        .await
    }

    /// A page of up to 1,000 apps, by SDKAppID; `page_token` is the last page's `next_page_token`, or empty for the first.
    pub async fn list_apps(&self, page_token: &str) -> Result<ListAppsResponse, ClientError> {
        let request = ListAppsRequest {
            page_size: 1000,
            page_token: page_token.into(),
        };
        self.control(request, |mut service, request| async move {
            service.list_apps(request).await
        })
        .await
    }

    /// Puts an app on the free edition on a paid one, with add-ons, at once.
    pub async fn upgrade(&self, request: UpgradeRequest) -> Result<App, ClientError> {
        self.control(request, |mut service, request| async move {
            service.upgrade(request).await
        })
        .await
    }

    /// Changes the edition or add-ons of an app on a paid edition, at once.
    pub async fn change_configuration(
        &self,
        request: ChangeConfigurationRequest,
    ) -> Result<App, ClientError> {
        self.control(request, |mut service, request| async move {
            service.change_configuration(request).await
        })
        .await
    }

    /// What a change would do; nothing changes.
    pub async fn preview_change(
        &self,
        request: PreviewChangeRequest,
    ) -> Result<PreviewChangeResponse, ClientError> {
        self.control(request, |mut service, request| async move {
            service.preview_change(request).await
        })
        .await
    }

    /// Disables an app for ever, at once; `confirm` must be the same number again.
    pub async fn disable(&self, app: u32, confirm: u32) -> Result<App, ClientError> {
        let request = DisableRequest {
            sdk_app_id: app,
            confirm_sdk_app_id: confirm,
        };
        self.control(request, |mut service, request| async move {
            service.disable(request).await
        })
        .await
    }

    /// Says until which day, like `2026-12-31`, an app's plan is paid ahead.
    pub async fn set_prepaid(&self, app: u32, expires: &str) -> Result<App, ClientError> {
        let request = SetPrepaidRequest {
            sdk_app_id: app,
            expires: expires.into(),
        };
        self.control(request, |mut service, request| async move {
            service.set_prepaid(request).await
        })
        .await
    }

    /// Puts an app on any edition, at once, whatever the calendar's rules say.
    pub async fn set_edition(&self, app: u32, edition: &str) -> Result<App, ClientError> {
        let request = SetEditionRequest {
            sdk_app_id: app,
            edition: edition.into(),
        };
        self.control(request, |mut service, request| async move {
            service.set_edition(request).await
        })
        .await
    }

    /// Overrides one limit of one app, at once.
    pub async fn set_override(&self, request: SetOverrideRequest) -> Result<App, ClientError> {
        self.control(request, |mut service, request| async move {
            service.set_override(request).await
        })
        .await
    }

    /// Takes back what [`Client::set_override`] has set for a limit.
    pub async fn remove_override(&self, app: u32, limit: &str) -> Result<App, ClientError> {
        let request = RemoveOverrideRequest {
            sdk_app_id: app,
            limit: limit.into(),
        };
        self.control(request, |mut service, request| async move {
            service.remove_override(request).await
        })
        .await
    }

    /// A page of the audit trail, newest first.
    pub async fn list_audit(
        &self,
        request: ListAuditRequest,
    ) -> Result<ListAuditResponse, ClientError> {
        self.control(request, |mut service, request| async move {
            service.list_audit(request).await
        })
        .await
    }

    /// Reads the configuration files anew.
    pub async fn reload(&self) -> Result<ReloadResponse, ClientError> {
        self.control(ReloadRequest {}, |mut service, request| async move {
            service.reload(request).await
        })
        .await
    }

    /// Takes a snapshot of the facts now. It takes as long as writing them does.
    pub async fn snapshot(&self) -> Result<SnapshotResponse, ClientError> {
        self.control(SnapshotRequest {}, |mut service, request| async move {
            service.snapshot(request).await
        })
        .await
    }
}
