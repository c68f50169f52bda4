//! Which of the nine operations something is, and the operations as calls and as parts of batches.
//!
//! Invariant: the match on the wire's operations has no arm for the rest: a new one must be named here. Absent on purpose: what
//! any of them does.

use crate::operation::OperationKind;
use crate::proto::{AdmitRequest, Operation, admit_request, operation};

impl From<&admit_request::Operation> for OperationKind {
    fn from(operation: &admit_request::Operation) -> Self {
        use admit_request::Operation as Asked;
        match operation {
            Asked::RegisterUser(_) => Self::RegisterUser,
            Asked::DeleteUser(_) => Self::DeleteUser,
            Asked::Login(_) => Self::Login,
            Asked::AddFriend(_) => Self::AddFriend,
            Asked::RemoveFriend(_) => Self::RemoveFriend,
            Asked::CreateGroup(_) => Self::CreateGroup,
            Asked::DeleteGroup(_) => Self::DeleteGroup,
            Asked::JoinGroup(_) => Self::JoinGroup,
            Asked::LeaveGroup(_) => Self::LeaveGroup,
        }
    }
}

impl From<&operation::Operation> for OperationKind {
    fn from(operation: &operation::Operation) -> Self {
        use operation::Operation as Part;
        match operation {
            Part::RegisterUser(_) => Self::RegisterUser,
            Part::DeleteUser(_) => Self::DeleteUser,
            Part::Login(_) => Self::Login,
            Part::AddFriend(_) => Self::AddFriend,
            Part::RemoveFriend(_) => Self::RemoveFriend,
            Part::CreateGroup(_) => Self::CreateGroup,
            Part::DeleteGroup(_) => Self::DeleteGroup,
            Part::JoinGroup(_) => Self::JoinGroup,
            Part::LeaveGroup(_) => Self::LeaveGroup,
        }
    }
}

/// A call as a part of a batch; the app and the mode are the batch's.
impl From<AdmitRequest> for Operation {
    fn from(request: AdmitRequest) -> Self {
        use admit_request::Operation as Asked;
        use operation::Operation as Part;
        let operation = request.operation.map(|operation| match operation {
            Asked::RegisterUser(it) => Part::RegisterUser(it),
            Asked::DeleteUser(it) => Part::DeleteUser(it),
            Asked::Login(it) => Part::Login(it),
            Asked::AddFriend(it) => Part::AddFriend(it),
            Asked::RemoveFriend(it) => Part::RemoveFriend(it),
            Asked::CreateGroup(it) => Part::CreateGroup(it),
            Asked::DeleteGroup(it) => Part::DeleteGroup(it),
            Asked::JoinGroup(it) => Part::JoinGroup(it),
            Asked::LeaveGroup(it) => Part::LeaveGroup(it),
        });
        let at = request.at;
        Self { at, operation }
    }
}
