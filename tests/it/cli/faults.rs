//! Every kind of bad line: it ends the replay with its place, what is wrong and what to do.

use super::{SMALL, file, path, run};

/// What follows `{"at":"2026-03-01T00:00:00Z",` in a line, and how the complaint begins.
const FIELDS: &str = r#"
"op":"log_in","user":"a"}  =>  op: there is no operation "log_in"; there are register_user, delete_user, login
"user":"a"}  =>  missing field `op`
"op":"login","user":"a","userr":"a"}  =>  unknown field `userr`, expected one of `at`, `op`, `user`
"op":"login","user":"a","user":"a"}  =>  duplicate field `user`
"op":"login"}  =>  login needs the field "user"; add it
"op":"login","user":null}  =>  invalid type: null, expected a string (near byte 53)
"op":"login","user":7}  =>  invalid type: integer `7`, expected a string
"op":"login","user":"a","group":"g"}  =>  login takes no field "group"; remove it
"op":"leave_group","group":"g","user":"a","type":"Public"}  =>  leave_group takes no field "type"; remove it
"op":"login","user":""}  =>  user: an id that is empty: an id has 1 to 128 bytes
"op":"delete_group","group":""}  =>  group: an id that is empty
"op":"add_friend","user":"a","friend":"a"}  =>  friend: a user cannot befriend themselves; name another user
"op":"add_friend","user":"a","friend":"b","one_way":"yes"}  =>  invalid type: string "yes", expected a boolean
"op":"create_group","group":"g","type":"Community","owner":"a"}  =>  type: the catalog has no "Community"; it has Private (or Work), Public, 
"op":"create_group","group":"g","type":"Public"}  =>  create_group needs the field "owner"; add it
"op":"create_group","group":"g","owner":"a"}  =>  create_group needs the field "type"; add it
"op":"create_group","group":"g","type":"Public","owner":"a","members":[""]}  =>  members: an id that is empty
"op":"create_group","group":"g","type":"AVChatRoom","owner":"a","members":["b"]}  =>  members: nobody can be named a member when a group of type AVChatRoom
"op":"join_group","group":"g","user":"a","type":"x"}  =>  type: the catalog has no "x"
"op":"set_edition","edition":"gold"}  =>  edition: the catalog has no "gold"; it has trial, pro, flagship
"op":"set_edition","edition":"pro","user":"a"}  =>  set_edition takes no field "user"; remove it
"op":"login","user":"a"  =>  EOF while parsing an object
"op":"login","user":"a"} {}  =>  trailing characters
"op":"login","user":"\ud800"}  =>  unexpected end of hex escape
"#;

/// Whole lines, for what is wrong before a field is.
const LINES: [(&[u8], &str); 6] = [
    (b"login u1", "is no JSON object; write it like {\"at\":"),
    (
        b"[\"2026-03-01T00:00:00Z\",\"login\",\"a\"]",
        "is no JSON object",
    ),
    (
        b"{\"at\":\"today\",\"op\":\"login\"}",
        "at: \"today\" is no time: write it like 2026-",
    ),
    (
        b"{\"at\":\"1969-12-31T00:00:00Z\",\"op\":\"login\"}",
        "at: 1969-12-31T00:00:00Z is outside",
    ),
    (
        b"{\"at\":\"2026-03-01T00:00:00Z\",\"op\":\"\xff\"}",
        "is not UTF-8 at byte 36",
    ),
    (b" \t\r\n{}", "is empty, and more lines follow; remove it"),
];

#[test]
fn a_line_that_is_no_operation_ends_the_replay_with_its_place() {
    let rows = FIELDS.lines().skip(1).map(|row| {
        let (fields, expected) = row.split_once("  =>  ").expect("two columns");
        let line = format!("{{\"at\":\"2026-03-01T00:00:00Z\",{fields}");
        (line.into_bytes(), expected)
    });
    let lines = LINES.map(|(line, expected)| (line.to_vec(), expected));
    for (line, expected) in rows.chain(lines) {
        let trace = file([SMALL.as_bytes(), &line, b"\n"].concat());
        let (status, stdout, stderr) = run(&["replay", path(&trace)]);
        let shown = String::from_utf8_lossy(&line);
        assert_eq!((status, stdout.as_str()), (2, ""), "{shown}");
        let said = stderr.strip_prefix(&format!("quotagate: {}:9: ", path(&trace)));
        assert!(
            said.is_some_and(|said| said.starts_with(expected)),
            "{shown} says {stderr}"
        );
    }
}
