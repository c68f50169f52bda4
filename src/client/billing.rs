//! The billing people's calls: months and bills, accounts and their money.
//!
//! Invariant: no policy answers any of them. Absent on purpose: patience; where the default deadline is short for it, as for the close
//! of a month, set another with [`Client::with_deadline`].

use super::call::Client;
use super::error::ClientError;
use crate::proto::{
    AddCreditRequest, Bill, CloseMonthRequest, CloseMonthResponse, GetAccountRequest,
    GetAccountResponse, GetBillRequest, ListAccountsRequest, ListAccountsResponse,
    ListBillsRequest, ListBillsResponse, PreviewBillRequest, Receipt, TopUpRequest,
};

impl Client {
    /// Closes a month that is due, like `2026-03`; every one that is due if empty. Closing it again gives the same answer.
    pub async fn close_month(&self, month: &str) -> Result<CloseMonthResponse, ClientError> {
        let request = CloseMonthRequest {
            month: month.into(),
        };
        self.billing(request, |mut service, request| async move {
            service.close_month(request).await
        })
        .await
    }

    /// What an account's bill of a month would be by what is known now; of the running month if `month` is empty.
    pub async fn preview_bill(&self, account: &str, month: &str) -> Result<Bill, ClientError> {
        let request = PreviewBillRequest {
            account: account.into(),
            month: month.into(),
        };
        self.billing(request, |mut service, request| async move {
            service.preview_bill(request).await
        })
        .await
    }

    /// A page of the bills of closed months, newest month first.
    pub async fn list_bills(
        &self,
        request: ListBillsRequest,
    ) -> Result<ListBillsResponse, ClientError> {
        self.billing(request, |mut service, request| async move {
            service.list_bills(request).await
        })
        .await
    }

    /// An account's bill of a closed month, like `2026-03`.
    pub async fn get_bill(&self, account: &str, month: &str) -> Result<Bill, ClientError> {
        let request = GetBillRequest {
            account: account.into(),
            month: month.into(),
        };
        self.billing(request, |mut service, request| async move {
            service.get_bill(request).await
        })
        .await
    }

    /// Money has arrived. Asking again with the same reference and amount takes nothing again.
    pub async fn top_up(
        &self,
        account: &str,
        amount: &str,
        reference: &str,
    ) -> Result<Receipt, ClientError> {
        let request = TopUpRequest {
            account: account.into(),
            amount: amount.into(),
            reference: reference.into(),
        };
        self.billing(request, |mut service, request| async move {
            service.top_up(request).await
        })
        .await
    }

    /// Gives an account money that nobody has paid, with a reason. Asking again takes nothing again, as of [`Client::top_up`].
    pub async fn add_credit(&self, request: AddCreditRequest) -> Result<Receipt, ClientError> {
        self.billing(request, |mut service, request| async move {
            service.add_credit(request).await
        })
        .await
    }

    /// An account, with a page of its statement, newest first.
    pub async fn get_account(
        &self,
        request: GetAccountRequest,
    ) -> Result<GetAccountResponse, ClientError> {
        self.billing(request, |mut service, request| async move {
            service.get_account(request).await
        })
        .await
    }

    /// A page of the accounts, by id.
    pub async fn list_accounts(
        &self,
        request: ListAccountsRequest,
    ) -> Result<ListAccountsResponse, ClientError> {
        self.billing(request, |mut service, request| async move {
            service.list_accounts(request).await
        })
        .await
    }
}
