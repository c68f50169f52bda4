//! What tests share: a gateway with one app, and short names for operations. Everything has a default.

#![allow(dead_code, reason = "each test uses what it needs")]

use std::sync::{Arc, LazyLock};

use quotagate::admission::{Decision, Mode, NewFriendship, NewGroup, Operation, Request, Sides};
use quotagate::catalog::{AddOn, Catalog, Edition, EditionId, GroupType, ReasonCodes, Tier};
use quotagate::config;
use quotagate::entitlement::{Policy, Terms};
use quotagate::gateway::Gateway;
use quotagate::id::{GroupId, IdKey, SdkAppId, UserId};
use quotagate::subscription::{Plan, Standing};
use quotagate::time::{Timestamp, Zone};

/// A morning, in UTC+8.
pub const MORNING: &str = "2026-03-02T09:00:00+08:00";

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("valid time")
}

pub fn app(number: u32) -> SdkAppId {
    SdkAppId::new(number).expect("not 0")
}

/// The bundled catalog.
pub fn catalog() -> Arc<Catalog> {
    static BUNDLED: LazyLock<Arc<Catalog>> = LazyLock::new(|| Arc::new(config::builtin().catalog));
    Arc::clone(&BUNDLED)
}

/// The bundled catalog with other types of groups.
pub fn catalog_with(edit: impl Fn(&mut GroupType)) -> Arc<Catalog> {
    let bundled = catalog();
    let mut tiers = Vec::new();
    for add_on in AddOn::ALL {
        for (edition, _) in bundled.editions() {
            tiers.extend(bundled.tiers(add_on, edition).cloned());
        }
    }
    let types = bundled.group_types().cloned().map(|mut kind| {
        edit(&mut kind);
        kind
    });
    let catalog = Catalog::new(
        bundled.currency.clone(),
        bundled
            .editions()
            .map(|(_, edition)| edition.clone())
            .collect(),
        tiers,
        types.collect(),
        bundled.assumed_group_type(),
        ReasonCodes::from_fn(|reason| bundled.code(reason)),
    );
    Arc::new(catalog.expect("as consistent as the bundled one"))
}

/// The bundled catalog with other editions and tiers.
pub fn catalog_selling(
    edit: impl Fn(&mut Vec<Edition>),
    price: impl Fn(&mut Tier),
) -> Arc<Catalog> {
    let bundled = catalog();
    let mut editions: Vec<_> = bundled.editions().map(|(_, it)| it.clone()).collect();
    edit(&mut editions);
    let mut tiers = Vec::new();
    for add_on in AddOn::ALL {
        for (id, edition) in bundled.editions() {
            let place = editions.iter().position(|it| it.name == edition.name);
            let Some(place) = place.and_then(EditionId::at) else {
                continue;
            };
            for tier in bundled.tiers(add_on, id) {
                let mut tier = tier.clone();
                tier.edition = place;
                price(&mut tier);
                tiers.push(tier);
            }
        }
    }
    let types = bundled.group_types().cloned().collect();
    let codes = ReasonCodes::from_fn(|reason| bundled.code(reason));
    let assumed = bundled.assumed_group_type();
    let currency = bundled.currency.clone();
    let made = Catalog::new(currency, editions, tiers, types, assumed, codes);
    Arc::new(made.expect("a consistent catalog"))
}

/// The bundled catalog with the rules of a limits file.
pub fn terms(limits_toml: &str) -> Terms {
    let catalog = catalog();
    let policy = match limits_toml {
        "" => Policy::default(),
        text => config::read_policy("limits.toml", text, &catalog).expect("valid limits"),
    };
    Terms {
        catalog,
        policy: Arc::new(policy),
        zone: Zone::default(),
    }
}

/// A gateway with app 1 on an edition, created at [`MORNING`].
pub fn gateway(edition: &str, limits_toml: &str) -> Gateway {
    let gateway = Gateway::new(terms(limits_toml), IdKey::new(*b"a key for tests."));
    gateway
        .create_app(app(1), Plan::of(edition), Standing::GOOD, at(MORNING))
        .expect("new app");
    gateway
}

pub fn user(id: &str) -> UserId<'_> {
    UserId::new(id).expect("valid id")
}

pub fn group(id: &str) -> GroupId<'_> {
    GroupId::new(id).expect("valid id")
}

pub fn register(id: &str) -> Request<'_> {
    Operation::RegisterUser { user: user(id) }
}

pub fn delete_user(id: &str) -> Request<'_> {
    Operation::DeleteUser { user: user(id) }
}

pub fn login(id: &str) -> Request<'_> {
    Operation::Login {
        user: user(id),
        at: None,
    }
}

pub fn befriend<'a>(id: &'a str, friend: &'a str, sides: Sides) -> Request<'a> {
    Operation::AddFriend(NewFriendship::new(user(id), user(friend), sides).expect("two users"))
}

pub fn unfriend<'a>(id: &'a str, friend: &'a str, sides: Sides) -> Request<'a> {
    Operation::RemoveFriend {
        user: user(id),
        friend: user(friend),
        sides,
    }
}

pub fn create<'a>(
    catalog: &Catalog,
    id: &'a str,
    kind: &str,
    owner: &'a str,
    members: &[&'a str],
) -> Request<'a> {
    let kind = catalog
        .group_type_named(kind)
        .expect("a type of the catalog");
    let members = members.iter().map(|id| user(id)).collect();
    Operation::CreateGroup(
        NewGroup::new(group(id), kind, user(owner), members).expect("valid group"),
    )
}

pub fn disband(id: &str) -> Request<'_> {
    Operation::DeleteGroup { group: group(id) }
}

pub fn join<'a>(id: &'a str, who: &'a str) -> Request<'a> {
    Operation::JoinGroup {
        group: group(id),
        user: user(who),
        kind: None,
    }
}

pub fn leave<'a>(id: &'a str, who: &'a str) -> Request<'a> {
    Operation::LeaveGroup {
        group: group(id),
        user: user(who),
    }
}

/// Admits to app 1 in ENFORCE mode.
pub fn admit(gateway: &Gateway, request: &Request<'_>, now: &str) -> Decision {
    gateway
        .admit(app(1), request, Mode::Enforce, at(now))
        .decision
}
