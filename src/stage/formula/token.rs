//! Words, numbers, texts and signs of an expression.

/// A piece of SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name or a key word, in lower case: SQL does not tell cases apart.
    Word(String),
    /// A name in double quotes.
    Quoted(String),
    /// Digits, perhaps with a point.
    Number(String),
    /// A text without its quotes.
    Text(String),
    Sign(&'static str),
}

/// Longer signs first.
const SIGNS: [&str; 17] =
    ["||", "<>", "!=", "<=", ">=", "=", "<", ">", "+", "-", "*", "/", "(", ")", "[", "]", ","];

/// All tokens, or `None` where something else stands in the text: comments, casts by `::`,
/// parameters, exponents.
pub(super) fn tokens(sql: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut rest = sql.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            'a'..='z' | 'A'..='Z' | '_' => word(rest)?,
            '0'..='9' => number(rest)?,
            '\'' => quoted(rest, '\'').map(|(text, length)| (Token::Text(text), length))?,
            '"' => {
                let (name, length) = quoted(rest, '"')?;
                (Token::Quoted(name.to_ascii_lowercase()), length)
            }
            '.' => (Token::Sign("."), 1),
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign))?;
                (Token::Sign(sign), sign.len())
            }
        };
        if rest.starts_with("--") || rest.starts_with("//") || rest.starts_with("/*") {
            return None;
        }
        found.push(token);
        rest = rest[length..].trim_start();
    }
    Some(found)
}

fn word(rest: &str) -> Option<(Token, usize)> {
    let end = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let length = rest.find(end).unwrap_or(rest.len());
    // A letter beyond ASCII may belong to the name.
    let clean = rest[length..].chars().next().is_none_or(|next| next.is_ascii() && next != '$');
    clean.then(|| (Token::Word(rest[..length].to_ascii_lowercase()), length))
}

fn number(rest: &str) -> Option<(Token, usize)> {
    let length = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
    let text = &rest[..length];
    let ends_well = !rest[length..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let one_point = text.matches('.').count() <= 1 && !text.ends_with('.');
    (ends_well && one_point).then(|| (Token::Number(text.to_owned()), length))
}

/// A quoted piece, a doubled quote standing for one; with its length in the source.
fn quoted(rest: &str, quote: char) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if c != quote {
            text.push(c);
        } else if characters.peek().is_some_and(|(_, next)| *next == quote) {
            characters.next();
            text.push(quote);
        } else {
            return Some((text, at + 1));
        }
    }
    None
}
