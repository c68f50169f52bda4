//! A method for each operation, in mode ENFORCE.
//!
//! Invariant: each is one call of [`Client::admit`], which has the rest: modes, late logins, types of groups to adopt.

use super::answer::Answer;
use super::call::Client;
use super::error::InvalidRequest;
use crate::proto::admit_request::Operation;
use crate::proto::{
    AddFriend, AdmitRequest, CreateGroup, DeleteGroup, DeleteUser, JoinGroup, LeaveGroup, Login,
    RegisterUser, RemoveFriend,
};

/// Whose lists a friendship is on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Sides {
    /// Both users' lists.
    Both,
    /// The acting user's own list alone.
    Own,
}

impl Client {
    /// May the user exist?
    pub async fn register_user(&self, app: u32, user: &str) -> Result<Answer, InvalidRequest> {
        let user = user.into();
        let operation = Operation::RegisterUser(RegisterUser { user });
        self.enforce(app, operation).await
    }

    /// The user leaves all groups and friend lists and is gone.
    pub async fn delete_user(&self, app: u32, user: &str) -> Result<Answer, InvalidRequest> {
        let user = user.into();
        let operation = Operation::DeleteUser(DeleteUser { user });
        self.enforce(app, operation).await
    }

    /// May the user log in now?
    pub async fn login(&self, app: u32, user: &str) -> Result<Answer, InvalidRequest> {
        let user = user.into();
        self.enforce(app, Operation::Login(Login { user })).await
    }

    /// May the friendship begin?
    pub async fn add_friend(
        &self,
        app: u32,
        user: &str,
        friend: &str,
        sides: Sides,
    ) -> Result<Answer, InvalidRequest> {
        let operation = Operation::AddFriend(AddFriend {
            user: user.into(),
            friend: friend.into(),
            one_way: sides == Sides::Own,
        });
        self.enforce(app, operation).await
    }

    /// The friendship ends.
    pub async fn remove_friend(
        &self,
        app: u32,
        user: &str,
        friend: &str,
        sides: Sides,
    ) -> Result<Answer, InvalidRequest> {
        let operation = Operation::RemoveFriend(RemoveFriend {
            user: user.into(),
            friend: friend.into(),
            one_way: sides == Sides::Own,
        });
        self.enforce(app, operation).await
    }

    /// May the group begin to exist, with its owner and these members? `kind` is a type of the catalog or an alias.
    pub async fn create_group(
        &self,
        app: u32,
        group: &str,
        kind: &str,
        owner: &str,
        members: &[&str],
    ) -> Result<Answer, InvalidRequest> {
        let operation = Operation::CreateGroup(CreateGroup {
            group: group.into(),
            r#type: kind.into(),
            owner: owner.into(),
            members: members.iter().map(|&member| member.into()).collect(),
        });
        self.enforce(app, operation).await
    }

    /// The group and all its memberships end.
    pub async fn delete_group(&self, app: u32, group: &str) -> Result<Answer, InvalidRequest> {
        let group = group.into();
        let operation = Operation::DeleteGroup(DeleteGroup { group });
        self.enforce(app, operation).await
    }

    /// May the user become a member?
    pub async fn join_group(
        &self,
        app: u32,
        group: &str,
        user: &str,
    ) -> Result<Answer, InvalidRequest> {
        let operation = Operation::JoinGroup(JoinGroup {
            group: group.into(),
            user: user.into(),
            r#type: String::new(),
        });
        self.enforce(app, operation).await
    }

    /// The user is no member any more.
    pub async fn leave_group(
        &self,
        app: u32,
        group: &str,
        user: &str,
    ) -> Result<Answer, InvalidRequest> {
        let operation = Operation::LeaveGroup(LeaveGroup {
            group: group.into(),
            user: user.into(),
        });
        self.enforce(app, operation).await
    }

    async fn enforce(&self, app: u32, operation: Operation) -> Result<Answer, InvalidRequest> {
        let request = AdmitRequest {
            sdk_app_id: app,
            operation: Some(operation),
            ..AdmitRequest::default()
        };
        self.admit(request).await
    }
}
