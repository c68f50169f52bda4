//! The shape of the repository, checked: what stands where, and what may name what.
//!
//! Each check is a function from a file's path and text to its faults, tested beside it with examples that are wrong.

mod files;
mod layers;
mod rust;

use std::fs;
use std::path::Path;

/// A fault as people and editors read it.
fn fault(path: &str, line: usize, message: &str) -> String {
    format!("{path}:{line}: {message}")
}

/// The line numbers of faults.
fn lines(faults: &[String]) -> Vec<&str> {
    faults
        .iter()
        .filter_map(|fault| fault.split(':').nth(1))
        .collect()
}

fn text_of(path: &str) -> String {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(full).expect("a readable file of the repository")
}

/// The names in a directory of the repository; a directory's ends with a slash.
fn names_in(dir: &str) -> Vec<String> {
    let listed = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(dir));
    let name = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().expect("a name in UTF-8");
        let is_dir = entry.file_type().expect("a file's type").is_dir();
        if is_dir { name + "/" } else { name }
    };
    let mut names: Vec<_> = listed
        .expect("a directory of the repository")
        .map(|entry| name(entry.expect("a readable directory")))
        .collect();
    names.sort();
    names
}

/// The Rust files under a directory given with its slash, as paths from the repository's root.
fn rust_files(dir: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in names_in(dir) {
        let path = format!("{dir}{name}");
        if path.ends_with('/') {
            found.extend(rust_files(&path));
        } else if Path::new(&path).extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
    found
}

fn none_in(dirs: &[&str], check: impl Fn(&str, &str) -> Vec<String>) {
    let files: Vec<_> = dirs.iter().flat_map(|dir| rust_files(dir)).collect();
    assert!(!files.is_empty(), "no Rust files: nothing would be checked");
    none(files.iter().flat_map(|path| check(path, &text_of(path))));
}

fn none(faults: impl IntoIterator<Item = String>) {
    let faults: Vec<_> = faults.into_iter().collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn modules_use_only_those_above_them() {
    let library = text_of("src/lib.rs");
    let order = layers::order(&library);
    none_in(&["src/"], |path, text| layers::upward(&order, path, text));
}

#[test]
fn only_the_clock_reads_the_time() {
    none_in(&["src/"], layers::clocks);
}

#[test]
fn pure_modules_name_no_io() {
    let library = text_of("src/lib.rs");
    let order = layers::order(&library);
    for pure in layers::PURE.split(' ') {
        assert!(order.contains(&pure), "src/lib.rs has no module {pure}");
    }
    none_in(&["src/"], layers::purity);
}

#[test]
fn formats_and_terminals_stay_at_the_edges() {
    none_in(&["src/"], layers::edges);
}

#[test]
fn files_say_what_they_are() {
    none_in(&["src/", "tests/", "benches/"], files::header);
}

#[test]
fn files_fit_in_the_head() {
    none_in(&["src/"], files::length);
}

#[test]
fn nothing_is_unsafe_or_left_for_later() {
    none_in(&["src/", "tests/", "benches/"], files::leftovers);
}

#[test]
fn the_top_level_is_tidy() {
    none(files::top_level(&text_of(".gitignore"), &names_in("")));
}

#[test]
fn dependencies_have_reasons() {
    none(files::reasons("Cargo.toml", &text_of("Cargo.toml")));
}
