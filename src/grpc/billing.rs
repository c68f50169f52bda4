//! BillingService: months and bills, accounts and their money.
//!
//! Invariant: what is answered is on the disk and in force; a call that has begun is finished, also when its caller goes away. What is
//! shown is as it is now: what has fallen due has happened before. Absent on purpose: who may call; the service listens where
//! operators are.

use std::collections::HashMap;
use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::bill::{self, Draft, Terms};
use super::convert::timestamp;
use super::{account, operator, read};
use crate::clock::Clock;
use crate::control::{AccountView, ControlError, ControlPlane, Received};
use crate::id::AccountId;
use crate::ledger::{BillPage, StatementPage};
use crate::proto::billing_service_server::BillingService;
use crate::proto::{
    self, AddCreditRequest, CloseMonthRequest, CloseMonthResponse, GetAccountRequest,
    GetAccountResponse, GetBillRequest, ListAccountsRequest, ListAccountsResponse,
    ListBillsRequest, ListBillsResponse, PreviewBillRequest, Receipt, TopUpRequest,
};
use crate::time::{Month, Timestamp};

/// The calls of BillingService.
#[derive(Clone)]
pub struct Billing {
    plane: Arc<ControlPlane>,
    clock: Clock,
}

impl Billing {
    /// The service over the operators' side of a gateway.
    pub fn new(plane: Arc<ControlPlane>, clock: Clock) -> Self {
        Self { plane, clock }
    }

    fn refused(&self, error: impl Into<ControlError>) -> Status {
        operator::refused(&error.into(), &self.plane.gateway().terms())
    }

    /// Lets happen what has fallen due. Where that cannot be written down, what is known is shown all the same.
    async fn advanced(&self) -> Result<Timestamp, Status> {
        let (plane, now) = (Arc::clone(&self.plane), self.clock.now());
        let advanced = operator::finished(async move { plane.advance(now).await }).await?;
        if let Err(error) = advanced {
            tracing::warn!("what has fallen due cannot be done: {error}");
        }
        Ok(now)
    }

    async fn view(&self, account: &AccountId) -> Result<AccountView, Status> {
        let view = self.plane.account(account, self.clock.now()).await;
        view.map_err(|error| self.refused(error))
    }

    fn account(&self, view: &AccountView) -> proto::Account {
        account::shown(view, self.plane.gateway())
    }

    /// What is answered to money that has come in.
    async fn receipt(
        &self,
        account: &AccountId,
        received: Result<Received, ControlError>,
    ) -> Result<Response<Receipt>, Status> {
        let received = received.map_err(|error| self.refused(error))?;
        let view = self.view(account).await?;
        let shown = self.account(&view);
        Ok(Response::new(account::receipt(&received, shown)))
    }

    /// An account's bill of a month that has closed.
    async fn made(&self, account: &AccountId, month: Month) -> Result<proto::Bill, Status> {
        let view = self.view(account).await?;
        let found = self.plane.bill(account, month).await;
        let found = found.map_err(|error| self.refused(error))?;
        let found = found.ok_or_else(|| {
            let message = format!(
                "{account} has no bill of {month}: that month has not closed, or it had no app then"
            );
            Status::not_found(message)
        })?;
        let is_unpaid = view.unpaid.iter().any(|bill| bill.month == month);
        let terms = self.plane.gateway().terms();
        Ok(bill::made(&found, is_unpaid, Terms::of(&terms)))
    }
}

#[tonic::async_trait]
impl BillingService for Billing {
    async fn close_month(
        &self,
        request: Request<CloseMonthRequest>,
    ) -> Result<Response<CloseMonthResponse>, Status> {
        let (plane, caller) = (Arc::clone(&self.plane), operator::caller(&request));
        let month = read::maybe_month(&request.into_inner().month)?;
        let now = self.clock.now();
        let work = async move { plane.close_month(&caller, month, now).await };
        let closed = operator::finished(work).await?;
        let closed = closed.map_err(|error| self.refused(error))?;
        let terms = self.plane.gateway().terms();
        Ok(Response::new(CloseMonthResponse {
            month: closed.month.to_string(),
            closed_at: Some(timestamp(closed.at)),
            bills: closed.bills,
            total: closed.total.to_string(),
            currency: terms.catalog.currency.to_string(),
            time_zone: terms.zone.to_string(),
        }))
    }

    async fn preview_bill(
        &self,
        request: Request<PreviewBillRequest>,
    ) -> Result<Response<proto::Bill>, Status> {
        let request = request.into_inner();
        let account = read::account(&request.account)?;
        let month = read::maybe_month(&request.month)?;
        let as_of = self.advanced().await?;
        let terms = Arc::clone(&self.plane.gateway().terms());
        let named = month.unwrap_or_else(|| terms.zone.day(as_of).month());
        let Some(closes_at) = self.plane.closes_at(named).await else {
            return self.made(&account, named).await.map(Response::new);
        };
        let draft = self.plane.preview_bill(&account, Some(named), as_of).await;
        let draft = draft.map_err(|error| self.refused(error))?;
        let until = Draft { as_of, closes_at };
        Ok(Response::new(bill::draft(&draft, until, Terms::of(&terms))))
    }

    async fn list_bills(
        &self,
        request: Request<ListBillsRequest>,
    ) -> Result<Response<ListBillsResponse>, Status> {
        let request = request.into_inner();
        let size = read::page_size(request.page_size)?;
        let page = BillPage {
            account: read::maybe_account(&request.account)?,
            month: read::maybe_month(&request.month)?,
            after: after(&request.page_token)?,
            // One more than asked for tells whether there is another page.
            size: size + 1,
        };
        self.advanced().await?;
        let heads = self.plane.bills(&page).await;
        let mut heads = heads.map_err(|error| self.refused(error))?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let more = heads.len() > size;
        heads.truncate(size);
        let last = heads.last().filter(|_| more);
        let next_page_token = last.map(|it| format!("{}/{}", it.month, it.account.as_str()));
        let mut unpaid: HashMap<AccountId, Vec<Month>> = HashMap::new();
        let terms = Arc::clone(&self.plane.gateway().terms());
        let mut bills = Vec::with_capacity(heads.len());
        for head in &heads {
            if !unpaid.contains_key(&head.account) {
                let view = self.view(&head.account).await?;
                let months = view.unpaid.iter().map(|bill| bill.month).collect();
                unpaid.insert(head.account.clone(), months);
            }
            let months = unpaid.get(&head.account);
            let is_unpaid = months.is_some_and(|months| months.contains(&head.month));
            bills.push(bill::head(head, is_unpaid, Terms::of(&terms)));
        }
        Ok(Response::new(ListBillsResponse {
            bills,
            next_page_token: next_page_token.unwrap_or_default(),
        }))
    }

    async fn get_bill(
        &self,
        request: Request<GetBillRequest>,
    ) -> Result<Response<proto::Bill>, Status> {
        let request = request.into_inner();
        let account = read::account(&request.account)?;
        let month = read::month(&request.month)?;
        self.advanced().await?;
        self.made(&account, month).await.map(Response::new)
    }

    async fn top_up(&self, request: Request<TopUpRequest>) -> Result<Response<Receipt>, Status> {
        let (plane, caller) = (Arc::clone(&self.plane), operator::caller(&request));
        let request = request.into_inner();
        let account = read::account(&request.account)?;
        let amount = read::amount(&request.amount)?;
        let reference = read::reference(&request.reference)?.to_owned();
        let (now, of) = (self.clock.now(), account.clone());
        let work = async move { plane.top_up(&caller, of, amount, &reference, now).await };
        let received = operator::finished(work).await?;
        self.receipt(&account, received).await
    }

    async fn add_credit(
        &self,
        request: Request<AddCreditRequest>,
    ) -> Result<Response<Receipt>, Status> {
        let (plane, caller) = (Arc::clone(&self.plane), operator::caller(&request));
        let request = request.into_inner();
        let account = read::account(&request.account)?;
        let amount = read::amount(&request.amount)?;
        let reference = read::reference(&request.reference)?.to_owned();
        let reason = read::reason(&request.reason)?.to_owned();
        let (now, of) = (self.clock.now(), account.clone());
        let work = async move {
            plane
                .credit(&caller, of, amount, &reason, &reference, now)
                .await
        };
        let received = operator::finished(work).await?;
        self.receipt(&account, received).await
    }

    async fn get_account(
        &self,
        request: Request<GetAccountRequest>,
    ) -> Result<Response<GetAccountResponse>, Status> {
        let request = request.into_inner();
        let account = read::account(&request.account)?;
        let size = read::page_size(request.page_size)?;
        let page = StatementPage {
            before: read::page_token(&request.page_token)?,
            size: size + 1,
        };
        self.advanced().await?;
        let view = self.view(&account).await?;
        let statement = self.plane.statement(&account, page).await;
        let mut statement = statement.map_err(|error| self.refused(error))?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let more = statement.len() > size;
        statement.truncate(size);
        let last = statement.last().filter(|_| more);
        Ok(Response::new(GetAccountResponse {
            account: Some(self.account(&view)),
            next_page_token: last.map(|it| it.sequence.to_string()).unwrap_or_default(),
            statement: statement.into_iter().map(account::entry).collect(),
        }))
    }

    async fn list_accounts(
        &self,
        request: Request<ListAccountsRequest>,
    ) -> Result<Response<ListAccountsResponse>, Status> {
        let request = request.into_inner();
        let size = usize::try_from(read::page_size(request.page_size)?).unwrap_or(usize::MAX);
        let mut after = match request.page_token.as_str() {
            "" => None,
            token => Some(AccountId::new(token).map_err(|_| read::no_token())?),
        };
        self.advanced().await?;
        let mut accounts = Vec::new();
        loop {
            // One more than has room tells whether there is another page.
            let ids = self.plane.accounts(after.as_ref(), size + 1).await;
            let is_last = ids.len() <= size;
            for id in ids {
                let view = self.view(&id).await?;
                if request.in_arrears && view.unpaid.is_empty() {
                    after = Some(id);
                    continue;
                }
                if accounts.len() == size {
                    let next_page_token = after.map(|it| it.as_str().to_owned());
                    return Ok(Response::new(ListAccountsResponse {
                        accounts,
                        next_page_token: next_page_token.unwrap_or_default(),
                    }));
                }
                accounts.push(self.account(&view));
                after = Some(id);
            }
            if is_last {
                return Ok(Response::new(ListAccountsResponse {
                    accounts,
                    next_page_token: String::new(),
                }));
            }
        }
    }
}

/// Where the page of bills before ended: its last month and account.
fn after(token: &str) -> Result<Option<(Month, AccountId)>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let parts = token.split_once('/').and_then(|(month, account)| {
        Some((Month::parse(month).ok()?, AccountId::new(account).ok()?))
    });
    parts.map(Some).ok_or_else(read::no_token)
}
