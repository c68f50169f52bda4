//! A Rust file as the paths that its code names, outside comments and literals.
//!
//! Absent on purpose: a grammar. A path is words joined by `::`, which is enough to see what a file reaches for.

/// A path that code names, nested braces unfolded: `use a::{b, c::*}` names `a::b` and `a::c::*`.
pub struct Named<'a> {
    pub segments: Vec<&'a str>,
    pub line: usize,
    /// How many `mod x { … }` of this file it stands in.
    pub depth: usize,
    /// A macro is called: `path!`.
    pub is_macro: bool,
}

struct Token<'a> {
    text: &'a str,
    line: usize,
}

/// Every path in a file's code; a lone word is one too. Visibilities, fields and methods are none.
pub fn paths(text: &str) -> Vec<Named<'_>> {
    let tokens = tokens(text);
    let (mut found, mut braces, mut modules, mut at) = (Vec::new(), 0_usize, Vec::new(), 0);
    while let Some(token) = tokens.get(at) {
        let before = |back| at.checked_sub(back).map_or("", |it| text_at(&tokens, it));
        match (before(2), before(1), token.text) {
            ("mod", _, "{") => {
                braces += 1;
                modules.push(braces);
            }
            (_, _, "{") => braces += 1,
            (_, _, "}") => {
                modules.pop_if(|opened| *opened == braces);
                braces = braces.saturating_sub(1);
            }
            ("pub", "(", _) => {
                let inside = tokens.iter().skip(at);
                at += inside.take_while(|token| token.text != ")").count();
            }
            (before, ".", _) if before != "." => {}
            (_, _, word) if is_word(word) => {
                at = unfold(&tokens, at, &[], modules.len(), &mut found);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Adds the paths that begin at a token, and says where they end.
fn unfold<'a>(
    tokens: &[Token<'a>],
    mut at: usize,
    prefix: &[&'a str],
    depth: usize,
    found: &mut Vec<Named<'a>>,
) -> usize {
    let text = |at| text_at(tokens, at);
    let mut segments = prefix.to_vec();
    while text(at) != "{" {
        segments.push(text(at));
        at += 1;
        if text(at) != "::" || !(is_word(text(at + 1)) || matches!(text(at + 1), "{" | "*")) {
            found.push(Named {
                segments,
                line: tokens.get(at - 1).map_or(0, |token| token.line),
                depth,
                is_macro: text(at) == "!" && text(at + 1) != "=",
            });
            return at;
        }
        at += 1;
    }
    at += 1;
    while !matches!(text(at), "}" | "") {
        at = match text(at) {
            "as" => at + 2,
            "," => at + 1,
            _ => unfold(tokens, at, &segments, depth, found),
        };
    }
    at + 1
}

fn text_at<'a>(tokens: &[Token<'a>], at: usize) -> &'a str {
    tokens.get(at).map_or("", |token| token.text)
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let (mut found, mut rest, mut line) = (Vec::new(), text, 1);
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        let not_code = comment(rest).or_else(|| literal(rest));
        let length = not_code.unwrap_or(match word.unwrap_or(rest.len()) {
            0 if rest.starts_with("::") => 2,
            0 => first.len_utf8(),
            word => word,
        });
        let (text, after) = rest.split_at(length);
        if not_code.is_none() && !first.is_whitespace() {
            found.push(Token { text, line });
        }
        line += text.matches('\n').count();
        rest = after;
    }
    found
}

/// How long the comment is that a text begins with. Block comments are not nested.
fn comment(text: &str) -> Option<usize> {
    let (open, close) = [("//", "\n"), ("/*", "*/")]
        .into_iter()
        .find(|(open, _)| text.starts_with(open))?;
    let inside = text.strip_prefix(open)?;
    let end = inside.find(close).map(|at| open.len() + at + close.len());
    Some(end.unwrap_or(text.len()))
}

/// How long the string or character is that a text begins with; a lifetime is none.
fn literal(text: &str) -> Option<usize> {
    let raw = ["r", "br", "cr"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix));
    if let Some(body) = raw {
        let inside = body.trim_start_matches('#').strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(body.len() - inside.len() - 1));
        return Some(text.len() - inside.len() + inside.find(&end)? + end.len());
    }
    let mut chars = text.char_indices();
    let (_, quote) = chars.next().filter(|(_, c)| matches!(c, '"' | '\''))?;
    let (second, third) = (chars.clone().next()?.1, chars.clone().nth(1));
    if quote == '\'' && second != '\\' && third.is_none_or(|(_, c)| c != '\'') {
        return None;
    }
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            _ if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    Some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(text: &str) -> Vec<String> {
        let shown = |named: &Named<'_>| format!("{} {}", named.line, named.segments.join("::"));
        let paths = paths(text);
        let of_several = paths.iter().filter(|named| named.segments.len() > 1);
        of_several.map(shown).collect()
    }

    #[test]
    fn braces_are_unfolded() {
        let uses = "use crate::{a::{self, B as C},\n    d::*};";
        assert_eq!(
            joined(uses),
            ["1 crate::a::self", "1 crate::a::B", "2 crate::d::*"]
        );
        let inline = "fn f(x: &::a::B) -> <T as c::D>::E { f::g::<h::I>(0..j::K) }";
        assert_eq!(
            joined(inline),
            ["1 a::B", "1 c::D", "1 f::g", "1 h::I", "1 j::K"]
        );
        assert_eq!(
            joined("pub(in a::b) struct C(pub(crate) d::E);"),
            ["1 d::E"]
        );
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        let text = r##"// a::b
            /* c::d */ "e::f \" g::h" r#"i::j " k::l"# b"m::n" '"' '\'' o::p // "
            fn f<'a>(x: &'a q::r) { br"\"; s::t; '\u{1F600}'; r#u::v } "##;
        assert_eq!(joined(text), ["2 o::p", "3 q::r", "3 s::t", "3 u::v"]);
    }

    #[test]
    fn modules_macros_and_fields_are_told_apart() {
        let text = "mod m { fn f() { one!(); x.field != y } mod n { two } } three";
        let paths = paths(text);
        let found = |word| {
            let named = paths.iter().find(|named| named.segments == [word])?;
            Some((named.depth, named.is_macro))
        };
        assert_eq!(found("one"), Some((1, true)));
        assert_eq!(found("y"), Some((1, false)));
        assert_eq!(found("two"), Some((2, false)));
        assert_eq!(found("three"), Some((0, false)));
        assert_eq!(found("field"), None);
    }
}
