//! The types of groups of the catalog file (RULES 4).
//!
//! Invariant: a name or alias means one type, and so does a code.
//! Absent on purpose: what the settings do; see `admission`.

use std::collections::BTreeMap;

use crate::catalog::{Bound, GROUP_TYPES_MAX, GroupType, GroupTypeId, LimitName};

use super::document::{Section, Value};
use super::values::{bound, named_once, number, one_of};

pub(super) fn group_types(value: Value<'_>) -> Option<Vec<GroupType>> {
    let mut names = BTreeMap::new();
    let mut codes = BTreeMap::new();
    value.list("a list, each type under [[group_types]]", |item| {
        item.table("the type", |section| {
            group_type(section, &mut names, &mut codes)
        })
    })
}

fn group_type<'d>(
    section: &Section<'d>,
    names: &mut BTreeMap<&'d str, usize>,
    codes: &mut BTreeMap<GroupTypeId, usize>,
) -> Option<GroupType> {
    let mut own_name = |value: Value<'d>| {
        let name = value.text()?;
        named_once(value, "type or alias", name, names).then(|| name.into())
    };
    let name = section.required("name", &mut own_name);
    let aliases = section.optional("aliases", Vec::new(), |value| {
        value.list("a list of names", own_name)
    });
    let id = section.required("code", |value| type_code(value, codes));
    let member_cap = section.required("member_cap", bound);
    let group_members_apply = section.optional("group_members_apply", true, Value::flag);
    let counts_to_joined_groups = section.optional("counts_to_joined_groups", true, Value::flag);
    let keeps_members = section.optional("keeps_members", true, |value| {
        let keeps = value.flag()?;
        let limited = [
            member_cap? != Bound::UNLIMITED,
            group_members_apply?,
            counts_to_joined_groups?,
        ];
        if !keeps && limited.contains(&true) {
            value.fault(
                "`keeps_members` can be false only where no limit needs the members: member_cap = \"unlimited\", \
                 group_members_apply = false, counts_to_joined_groups = false",
            );
        }
        Some(keeps)
    });
    let initial_members = section.optional("initial_members", true, Value::flag);
    let existing_limit = section.optional("existing_limit", None, |value| {
        let limits = [LimitName::AvChatRooms, LimitName::BroadcastRooms];
        one_of(value, &limits, LimitName::name).map(Some)
    });
    let daily_limit = section.optional("daily_limit", None, |value| {
        one_of(value, &[LimitName::DailyBroadcastRooms], LimitName::name).map(Some)
    });
    Some(GroupType {
        id: id?,
        name: name?,
        aliases: aliases?,
        member_cap: member_cap?,
        group_members_apply: group_members_apply?,
        counts_to_joined_groups: counts_to_joined_groups?,
        keeps_members: keeps_members?,
        initial_members: initial_members?,
        existing_limit: existing_limit?,
        daily_limit: daily_limit?,
    })
}

fn type_code(value: Value<'_>, codes: &mut BTreeMap<GroupTypeId, usize>) -> Option<GroupTypeId> {
    let most = i128::try_from(GROUP_TYPES_MAX - 1).ok()?;
    let id = number(value, 0..=most).and_then(GroupTypeId::new)?;
    if let Some(line) = codes.get(&id) {
        value.fault(format!(
            "another type has the code {} already, on line {line}: choose another code",
            id.place()
        ));
        return None;
    }
    codes.insert(id, value.line());
    Some(id)
}

/// The type that `assumed_group_type` names.
pub(super) fn assumed_type(value: Value<'_>, types: &[GroupType]) -> Option<GroupTypeId> {
    let name = value.text()?;
    let found = types.iter().find(|kind| kind.is_named(name));
    if found.is_none() {
        let names: Vec<_> = types.iter().map(|kind| &*kind.name).collect();
        value.unknown_name("group type", name, &names);
    }
    found.map(|kind| kind.id)
}
