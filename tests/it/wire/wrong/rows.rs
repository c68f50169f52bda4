//! The table of wrong requests, and each of them as a call and in a batch.

use bytes::Bytes;
use prost::encoding::encode_varint;
use quotagate::clock;

/// Numbers of operations in requests.
const REGISTER: u64 = 5;
const DELETE: u64 = 6;
const LOGIN: u64 = 7;
const BEFRIEND: u64 = 8;
const UNFRIEND: u64 = 9;
const CREATE: u64 = 10;
const DISBAND: u64 = 11;
const JOIN: u64 = 12;
const LEAVE: u64 = 13;

/// A request for one operation, the field that is wrong with it, and words of what is said.
pub struct Row {
    app: u64,
    mode: u64,
    operation: Vec<u8>,
    pub field: &'static str,
    pub says: &'static str,
}

fn number(field: u64, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    encode_varint(field << 3, &mut out);
    encode_varint(value, &mut out);
    out
}

fn text(field: u64, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let (mut out, bytes) = (Vec::new(), bytes.as_ref());
    encode_varint(field << 3 | 2, &mut out);
    encode_varint(bytes.len() as u64, &mut out);
    out.extend_from_slice(bytes);
    out
}

fn operation(kind: u64, fields: &[Vec<u8>]) -> Vec<u8> {
    text(kind, fields.concat())
}

/// An operation with a time beside it, seconds from now.
fn timed(kind: u64, ahead: i64, nanos: u64) -> Vec<u8> {
    let seconds = clock::now().as_unix_ms() / 1_000 + ahead;
    let at = [number(1, seconds.cast_unsigned()), number(2, nanos)].concat();
    [text(3, at), operation(kind, &[text(1, "a")])].concat()
}

#[expect(clippy::too_many_lines, reason = "a table")]
pub fn rows() -> Vec<Row> {
    let row = |operation, field, says| Row {
        app: 1,
        mode: 0,
        operation,
        field,
        says,
    };
    let fine = operation(REGISTER, &[text(1, "a")]);
    let long = "x".repeat(129);
    let a = || text(1, "a");
    let group = |rest: &[Vec<u8>]| {
        let fields = [&[text(1, "g")][..], rest].concat();
        operation(CREATE, &fields)
    };
    let members = |kind: &str, count: usize| {
        let fixed = [text(2, kind), text(3, "a")];
        let members = (0..count).map(|place| text(4, format!("m{place}")));
        group(&fixed.into_iter().chain(members).collect::<Vec<_>>())
    };
    let number_for_time = number(3, 1);
    vec![
        row(
            Vec::new(),
            "operation",
            "is missing: name one of register_user",
        ),
        Row {
            app: 0,
            ..row(fine.clone(), "sdk_app_id", "is 0")
        },
        Row {
            mode: 3,
            ..row(fine.clone(), "mode", "3 is no mode")
        },
        row(operation(REGISTER, &[]), "register_user.user", "is empty"),
        row(
            operation(REGISTER, &[text(1, &long)]),
            "register_user.user",
            "has 129 bytes",
        ),
        row(
            operation(REGISTER, &[text(1, b"\xff")]),
            "register_user.user",
            "is not UTF-8",
        ),
        row(operation(DELETE, &[]), "delete_user.user", "is empty"),
        row(
            operation(LOGIN, &[text(1, &long)]),
            "login.user",
            "has 129 bytes",
        ),
        row(operation(BEFRIEND, &[a()]), "add_friend.friend", "is empty"),
        row(
            operation(BEFRIEND, &[text(2, "b")]),
            "add_friend.user",
            "is empty",
        ),
        row(
            operation(BEFRIEND, &[a(), text(2, "a")]),
            "add_friend.friend",
            "cannot befriend",
        ),
        row(
            operation(UNFRIEND, &[a(), text(2, b"\xc3")]),
            "remove_friend.friend",
            "is not UTF-8",
        ),
        row(
            group(&[text(2, "Community"), text(3, "a")]),
            "create_group.type",
            "\"Community\"; it has Private",
        ),
        row(
            group(&[text(3, "a")]),
            "create_group.type",
            "has no type \"\"",
        ),
        row(
            group(&[text(2, "Public")]),
            "create_group.owner",
            "is empty",
        ),
        row(
            group(&[text(2, "Public"), text(3, "a"), text(4, "b"), text(4, "")]),
            "create_group.members[1]",
            "is empty",
        ),
        row(
            members("AVChatRoom", 1),
            "create_group.members",
            "nobody can be named a member",
        ),
        row(
            members("Public", 10_001),
            "create_group.members",
            "at most 10000 initial members",
        ),
        row(
            operation(CREATE, &[text(1, &long), text(2, "Public"), text(3, "a")]),
            "create_group.group",
            "has 129 bytes",
        ),
        row(operation(DISBAND, &[]), "delete_group.group", "is empty"),
        row(
            operation(JOIN, &[text(1, "g"), text(2, "")]),
            "join_group.user",
            "is empty",
        ),
        row(
            operation(JOIN, &[text(1, b"\xed\xa0\x80"), text(2, "a")]),
            "join_group.group",
            "is not UTF-8",
        ),
        row(
            operation(JOIN, &[text(1, "g"), text(2, "a"), text(3, "public")]),
            "join_group.type",
            "has no type \"public\"",
        ),
        row(
            operation(LEAVE, &[text(1, "g")]),
            "leave_group.user",
            "is empty",
        ),
        row(timed(REGISTER, 0, 0), "at", "is for login alone"),
        row(timed(LOGIN, -32 * 86_400, 0), "at", "at most 31 days"),
        row(timed(LOGIN, i64::MIN / 2, 0), "at", "at most 31 days"),
        row(timed(LOGIN, 3_600, 0), "at", "more than 5 minutes ahead"),
        row(timed(LOGIN, 0, 1_000_000_000), "at.nanos", "must be from 0"),
        row(
            timed(LOGIN, 0, (-1_i64).cast_unsigned()),
            "at.nanos",
            "must be from 0",
        ),
        // A message in a field that is cut, a text where a number belongs, a field number of 0, a text that is too long.
        row(vec![0x2a, 3, 10, 1], "", "no protobuf"),
        row(
            operation(BEFRIEND, &[a(), text(2, "b"), text(3, "x")]),
            "",
            "no protobuf",
        ),
        row([fine.clone(), vec![0, 0]].concat(), "", "no protobuf"),
        row(operation(REGISTER, &[vec![10, 5, b'a']]), "", "no protobuf"),
        row([fine, number_for_time].concat(), "", "no protobuf"),
    ]
}

impl Row {
    pub fn call(&self) -> Bytes {
        let head = [number(1, self.app), number(2, self.mode)].concat();
        [head, self.operation.clone()].concat().into()
    }

    /// The same behind an operation that is right.
    pub fn batch(&self, batch_id: u64) -> Bytes {
        let fine = operation(REGISTER, &[text(1, "b")]);
        let fields = [
            number(1, self.app),
            number(2, self.mode),
            number(4, batch_id),
            text(5, fine),
            text(5, &self.operation),
        ];
        fields.concat().into()
    }

    pub fn field_in_batch(&self) -> String {
        match self.field {
            "" => "operations[1]".to_owned(),
            "sdk_app_id" | "mode" => self.field.to_owned(),
            field => format!("operations[1].{field}"),
        }
    }
}
