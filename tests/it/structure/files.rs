//! What a file must begin with, may hold and be; and the repository's top level.

use super::fault;
use super::rust::{Named, paths};

/// Most lines of a file: more is rarely one idea.
const LINES_MAX: usize = 500;

/// Everything at the top of the repository.
const TOP_LEVEL: &str = ".ci/ .gitignore Cargo.lock Cargo.toml LICENSE README.md benches/ config/ examples/ proto/ src/ tests/";

/// A file that does not begin by saying what it is.
pub fn header(path: &str, text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(str::trim);
    let opening: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let opening = opening.join(" ");
    let ends = |word: &str| word.ends_with(['.', '?']);
    if opening.split(' ').skip(2).any(ends) {
        return Vec::new();
    }
    let message = "begins without a `//!` sentence: say what it is, its invariant, what is absent";
    vec![fault(path, 1, message)]
}

/// A file that is too long.
pub fn length(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let message = format!("{lines} lines, more than {LINES_MAX}: split it where its ideas part");
    (lines > LINES_MAX)
        .then(|| fault(path, lines, &message))
        .into_iter()
        .collect()
}

/// Unsafe code, and what stands in for code to come.
pub fn leftovers(path: &str, text: &str) -> Vec<String> {
    let message = |named: &Named<'_>| match named.segments.last().copied() {
        Some("unsafe") => Some("`unsafe`: show first what safe Rust costs"),
        Some("todo" | "unimplemented") if named.is_macro => {
            Some("not written yet: write it, or return an error")
        }
        Some("dbg") if named.is_macro => Some("`dbg!`: take it out"),
        _ => None,
    };
    let found = paths(text).into_iter();
    found
        .filter_map(|named| message(&named).map(|message| fault(path, named.line, message)))
        .collect()
}

/// Entries at the top that nobody expects, but for those that git ignores.
pub fn top_level(gitignore: &str, names: &[String]) -> Vec<String> {
    let ignored: Vec<_> = gitignore
        .lines()
        .map(|line| line.trim_matches('/'))
        .collect();
    let is_known = |name: &str| {
        let plain = name.trim_end_matches('/');
        plain == ".git" || TOP_LEVEL.split(' ').any(|it| it == name) || ignored.contains(&plain)
    };
    let unknown = names.iter().filter(|name| !is_known(name));
    unknown
        .map(|name| format!("{name}: unexpected at the top: move it to where it belongs"))
        .collect()
}

/// Dependencies whose line does not end in a comment with a reason.
pub fn reasons(path: &str, manifest: &str) -> Vec<String> {
    let mut in_dependencies = false;
    let mut faults = Vec::new();
    for (at, line) in manifest.lines().enumerate() {
        let table = line
            .strip_prefix('[')
            .and_then(|rest| rest.split(']').next());
        in_dependencies = table.map_or(in_dependencies, |table| table.ends_with("dependencies"));
        let is_table = table.is_some_and(|table| table.contains("dependencies."));
        let is_entry = in_dependencies && line.starts_with(|first: char| first.is_alphanumeric());
        if (is_entry || is_table) && comment(line).is_none_or(|reason| reason.trim().is_empty()) {
            let message = "a dependency without `# reason`: say what it is for";
            faults.push(fault(path, at + 1, message));
        }
    }
    faults
}

/// What follows the first `#` outside quotes.
fn comment(line: &str) -> Option<&str> {
    let mut quoted = false;
    let start = line.find(|c: char| {
        quoted ^= c == '"';
        c == '#' && !quoted
    })?;
    line.get(start + 1..)
}

#[cfg(test)]
mod tests {
    use super::super::lines;
    use super::*;

    #[test]
    fn a_file_without_a_sentence_is_caught() {
        for wrong in [
            "",
            "use std::fmt;\n",
            "// A comment.\n",
            "//! (to be written)\n",
            "//! Ids.\n",
            "\n//! Too late it is.\n",
        ] {
            assert_eq!(header("src/id.rs", wrong).len(), 1, "{wrong}");
        }
        let right = "//! What is named\n//! how.\n//!\n//! More\nuse std::fmt;\n";
        assert!(header("src/id.rs", right).is_empty());
    }

    #[test]
    fn a_long_file_is_caught() {
        let faults = length("src/id.rs", &"\n".repeat(501));
        assert_eq!(
            faults,
            ["src/id.rs:501: 501 lines, more than 500: split it where its ideas part"]
        );
        assert!(length("src/id.rs", &"\n".repeat(500)).is_empty());
    }

    #[test]
    fn a_leftover_is_caught() {
        let text = "todo!()\nstd::dbg!(x)\nunimplemented!(\"later\")\nunsafe { x }\n\
                    let todo = dbg; // todo!() unsafe\n";
        let faults = leftovers("src/id.rs", text);
        assert_eq!(lines(&faults), ["1", "2", "3", "4"]);
    }

    #[test]
    fn a_stray_entry_is_caught() {
        let names = [".git", "data/", "notes.md", "src/", "tests"].map(String::from);
        let advice = "unexpected at the top: move it to where it belongs";
        assert_eq!(
            top_level("/target\n/data\n", &names),
            [format!("notes.md: {advice}"), format!("tests: {advice}")]
        );
    }

    #[test]
    fn a_dependency_without_a_reason_is_caught() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\na = \"1\" # why\nb = \"1\"\nc = \"#1\"\n\
                        d = \"1\" #\n[dev-dependencies.e]\nversion = \"1\"\n\
                        [target.'cfg(unix)'.dependencies]\nf = \"1\"\n[profile.release]\nlto = true\n";
        let faults = reasons("Cargo.toml", manifest);
        assert_eq!(lines(&faults), ["5", "6", "7", "8", "11"]);
    }
}
