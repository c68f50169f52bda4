//! Whatever the text, there is a result: never a panic.

use std::sync::LazyLock;

use proptest::prelude::*;
use quotagate::catalog::Catalog;
use quotagate::config::{builtin, read_catalog, read_policy};

use super::{CATALOG, LAYERS, LIMITS, small};

/// Whatever the text, there is a result, and every fault has a place in the text.
fn reads_without_panic(text: &str) {
    let lines = text.split('\n').count();
    let bundled = builtin_catalog();
    let faults = read_catalog("c", text).err().unwrap_or_default();
    let more = read_policy("l", text, bundled).err().unwrap_or_default();
    for fault in faults.iter().chain(&more) {
        assert!(
            (1..=lines).contains(&fault.line) && fault.column >= 1,
            "{fault}"
        );
    }
    assert!(faults.is_sorted_by_key(|fault| (fault.line, fault.column)));
}

fn builtin_catalog() -> &'static Catalog {
    static BUILTIN: LazyLock<Catalog> = LazyLock::new(|| builtin().catalog);
    &BUILTIN
}

#[test]
fn truncated_files_are_faulty_or_valid_and_never_panic() {
    let catalog = builtin_catalog();
    for end in (0..CATALOG.len()).filter(|end| CATALOG.is_char_boundary(*end)) {
        let _ = read_catalog("c", &CATALOG[..end]);
    }
    for end in (0..LAYERS.len()).filter(|end| LAYERS.is_char_boundary(*end)) {
        let _ = read_policy("l", &LAYERS[..end], catalog);
    }
    for end in (0..LIMITS.len()).filter(|end| LIMITS.is_char_boundary(*end)) {
        assert!(
            read_policy("l", &LIMITS[..end], catalog).is_ok(),
            "only comments"
        );
    }
}

#[test]
fn hostile_texts_never_panic() {
    let deep_key = "a.".repeat(79) + "a";
    let nested = format!("{deep_key} = {{").repeat(100);
    let nested_less = format!("{} = {{\n", "a.".repeat(24) + "a").repeat(100);
    for text in [
        "\u{feff}currency = 1",
        "\0",
        "= 1",
        "[",
        "[[",
        "[]\n[[]]\n",
        "a = \"\"\"\n[b",
        "a = [\n[b]\n[[c]]\n",
        "[a]\n[a.b]\n[a]\n[[a]]\n[a.b]\n",
        "[[codes]]\n[codes.x]\n[codes]\n",
        "a.b = 1\na.b.c = 2\n[a]\n",
        "add_ons = { history = { pro = [[[[[]]]]] } }",
        "editions = [1, {}, [], \"\"]\r\ngroup_types = [{}]\rcodes = {}",
        &"[".repeat(100_000),
        &"a.".repeat(100_000),
        &format!("[{deep_key}]\n{nested}"),
        &nested_less,
        &"{a=".repeat(10_000),
        &"x".repeat(1 << 20),
        &"a = 1\n".repeat(2_000),
    ] {
        reads_without_panic(text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn mutated_files_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize), 1..6),
        lines in any::<bool>(),
    ) {
        let source = if lines { small() } else { LAYERS.to_owned() };
        let mut lines: Vec<String> = source.lines().map(str::to_owned).collect();
        for (at, kind) in edits {
            let count = lines.len();
            let line = lines.get_mut(at.index(count)).expect("an index of a line");
            let key = line.split('=').next().unwrap_or_default();
            *line = match kind {
                0 => String::new(),
                1 => format!("{key}= -1"),
                2 => format!("{key}= 1.5"),
                3 => format!("{key}= \"\""),
                4 => format!("{key}= [1, \"a\", {{}}]"),
                5 => format!("{key}= {{ a = 1 }}"),
                6 => format!("{key}= 99999999999999999999999999999999999999999999"),
                7 => format!("{key}= 1979-05-27"),
                8 => "[[editions]]".to_owned(),
                9 => "[override]".to_owned(),
                10 => line.replace(['"', ']'], ""),
                _ => format!("{line}\n{line}"),
            };
        }
        reads_without_panic(&lines.join("\n"));
    }

    #[test]
    fn any_text_is_read_without_panic(text in "[\\[\\]{}=.,\"'#\n a-c0-9é-]{0,80}") {
        reads_without_panic(&text);
    }
}
