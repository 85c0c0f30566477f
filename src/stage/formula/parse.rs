//! From the text of an expression to its tree.
//!
//! The grammar is the part of DuckDB's SQL that rules and derived columns are written in, with
//! DuckDB's precedence. What it does not know (subqueries, windows, lambdas, `::`, `LIKE`, …) gives
//! `None`, and DuckDB evaluates the expression.

use super::token::{Token, tokens};

/// An expression as written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Null,
    Flag(bool),
    Whole(i64),
    /// A number with a point, as written.
    Decimal(String),
    Text(String),
    /// A name in lower case, with the table before it where one is given.
    Name(Option<String>, String),
    /// Functions and operators.
    Call(String, Vec<Tree>),
    Case(Vec<(Tree, Tree)>, Option<Box<Tree>>),
    Cast {
        of: Box<Tree>,
        to: String,
        attempt: bool,
    },
    In(Box<Tree>, Vec<Tree>),
    List(Vec<Tree>),
    Subquery(Box<Subquery>),
}

/// `(SELECT item FROM table WHERE column = key)`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Subquery {
    pub item: Tree,
    pub table: String,
    pub column: String,
    pub key: Tree,
}

/// The tree of a whole expression.
pub(super) fn parse(sql: &str) -> Option<Tree> {
    let mut parser = Parser { tokens: tokens(sql)?, at: 0, depth: 0 };
    let tree = parser.either()?;
    (parser.at == parser.tokens.len()).then_some(tree)
}

/// Deeper expressions are left to DuckDB, which has its own limit.
const DEPTH: usize = 60;

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

fn call(name: &str, arguments: Vec<Tree>) -> Tree {
    Tree::Call(name.into(), arguments)
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn is_word(&self, ahead: usize, word: &str) -> bool {
        matches!(self.tokens.get(self.at + ahead), Some(Token::Word(have)) if have == word)
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(have)) if *have == sign);
        self.at += usize::from(found);
        found
    }

    fn either(&mut self) -> Option<Tree> {
        self.depth += 1;
        if self.depth > DEPTH {
            return None;
        }
        let mut parts = vec![self.both()?];
        while self.word("or") {
            parts.push(self.both()?);
        }
        self.depth -= 1;
        Some(if parts.len() == 1 { parts.remove(0) } else { call("or", parts) })
    }

    fn both(&mut self) -> Option<Tree> {
        let mut parts = vec![self.not()?];
        while self.word("and") {
            parts.push(self.not()?);
        }
        Some(if parts.len() == 1 { parts.remove(0) } else { call("and", parts) })
    }

    fn not(&mut self) -> Option<Tree> {
        if self.is_word(0, "not") {
            self.at += 1;
            return Some(call("not", vec![self.not()?]));
        }
        self.is()
    }

    fn is(&mut self) -> Option<Tree> {
        let mut tree = self.comparison()?;
        while self.word("is") {
            let not = self.word("not");
            if self.word("null") {
                tree = call("isnull", vec![tree]);
            } else if self.word("distinct") && self.word("from") {
                tree = call("same", vec![tree, self.comparison()?]);
                // IS DISTINCT FROM is "not the same", IS NOT DISTINCT FROM is "the same".
                if not {
                    continue;
                }
                tree = call("not", vec![tree]);
                continue;
            } else {
                return None;
            }
            if not {
                tree = call("not", vec![tree]);
            }
        }
        Some(tree)
    }

    fn comparison(&mut self) -> Option<Tree> {
        let left = self.range()?;
        for (sign, name) in [
            ("=", "="),
            ("<>", "<>"),
            ("!=", "<>"),
            ("<=", "<="),
            (">=", ">="),
            ("<", "<"),
            (">", ">"),
        ] {
            if self.sign(sign) {
                return Some(call(name, vec![left, self.range()?]));
            }
        }
        Some(left)
    }

    fn range(&mut self) -> Option<Tree> {
        let left = self.joined()?;
        let not = self.is_word(0, "not") && (self.is_word(1, "between") || self.is_word(1, "in"));
        self.at += usize::from(not);
        let tree = if self.word("between") {
            let low = self.joined()?;
            if !self.word("and") {
                return None;
            }
            let high = self.joined()?;
            let above = call(">=", vec![left.clone(), low]);
            call("and", vec![above, call("<=", vec![left, high])])
        } else if self.word("in") {
            if !self.sign("(") {
                return None;
            }
            Tree::In(Box::new(left), self.list(")")?)
        } else {
            return Some(left);
        };
        Some(if not { call("not", vec![tree]) } else { tree })
    }

    fn joined(&mut self) -> Option<Tree> {
        let mut parts = vec![self.sum()?];
        while self.sign("||") {
            parts.push(self.sum()?);
        }
        Some(if parts.len() == 1 { parts.remove(0) } else { call("||", parts) })
    }

    fn sum(&mut self) -> Option<Tree> {
        let mut tree = self.product()?;
        loop {
            let name = match self.peek() {
                Some(Token::Sign(sign @ ("+" | "-"))) => *sign,
                _ => return Some(tree),
            };
            self.at += 1;
            tree = call(name, vec![tree, self.product()?]);
        }
    }

    fn product(&mut self) -> Option<Tree> {
        let mut tree = self.unary()?;
        loop {
            let name = match self.peek() {
                Some(Token::Sign(sign @ ("*" | "/"))) => *sign,
                _ => return Some(tree),
            };
            self.at += 1;
            tree = call(name, vec![tree, self.unary()?]);
        }
    }

    fn unary(&mut self) -> Option<Tree> {
        if self.sign("-") {
            return match self.primary()? {
                Tree::Whole(number) => Some(Tree::Whole(number.checked_neg()?)),
                Tree::Decimal(number) => Some(Tree::Decimal(format!("-{number}"))),
                _ => None,
            };
        }
        self.primary()
    }

    /// What stands in parentheses or brackets, up to the closing sign.
    fn list(&mut self, close: &str) -> Option<Vec<Tree>> {
        let mut items = Vec::new();
        if self.sign(close) {
            return Some(items);
        }
        loop {
            items.push(self.either()?);
            if self.sign(close) {
                return Some(items);
            }
            if !self.sign(",") {
                return None;
            }
        }
    }

    fn primary(&mut self) -> Option<Tree> {
        let token = self.peek()?.clone();
        self.at += 1;
        match token {
            Token::Number(text) => match text.parse() {
                Ok(number) => Some(Tree::Whole(number)),
                Err(_) => text.contains('.').then_some(Tree::Decimal(text)),
            },
            Token::Text(text) => Some(Tree::Text(text)),
            Token::Sign("(") if self.word("select") => self.subquery(),
            Token::Sign("(") => {
                let tree = self.either()?;
                self.sign(")").then_some(tree)
            }
            Token::Sign("[") => Some(Tree::List(self.list("]")?)),
            Token::Sign(_) => None,
            Token::Quoted(name) => self.name(name),
            Token::Word(word) => match word.as_str() {
                "null" => Some(Tree::Null),
                "true" => Some(Tree::Flag(true)),
                "false" => Some(Tree::Flag(false)),
                "case" => self.case(),
                "cast" | "try_cast" => self.cast(word == "try_cast"),
                "select" | "exists" | "interval" | "date" | "timestamp" | "array" => None,
                _ if self.sign("(") => Some(Tree::Call(word, self.list(")")?)),
                _ => self.name(word),
            },
        }
    }

    fn name(&mut self, first: String) -> Option<Tree> {
        if !self.sign(".") {
            return Some(Tree::Name(None, first));
        }
        match self.peek()?.clone() {
            Token::Word(second) | Token::Quoted(second) => {
                self.at += 1;
                // A third part would be a schema or a field of a structure.
                let more = matches!(self.peek(), Some(Token::Sign("." | "(" | "[")));
                (!more).then_some(Tree::Name(Some(first), second))
            }
            _ => None,
        }
    }

    fn subquery(&mut self) -> Option<Tree> {
        let item = self.either()?;
        let table = self.after("from")?;
        let column = self.after("where")?;
        if !self.sign("=") {
            return None;
        }
        let key = self.joined()?;
        let query = Subquery { item, table, column, key };
        self.sign(")").then(|| Tree::Subquery(Box::new(query)))
    }

    /// The name behind a word.
    fn after(&mut self, word: &str) -> Option<String> {
        if !self.word(word) {
            return None;
        }
        match self.peek()?.clone() {
            Token::Word(name) | Token::Quoted(name) => {
                self.at += 1;
                Some(name)
            }
            _ => None,
        }
    }

    fn case(&mut self) -> Option<Tree> {
        let mut arms = Vec::new();
        let of = if self.is_word(0, "when") { None } else { Some(self.either()?) };
        while self.word("when") {
            let mut condition = self.either()?;
            if let Some(of) = &of {
                condition = call("=", vec![of.clone(), condition]);
            }
            if !self.word("then") {
                return None;
            }
            arms.push((condition, self.either()?));
        }
        let other = match self.word("else") {
            true => Some(Box::new(self.either()?)),
            false => None,
        };
        (self.word("end") && !arms.is_empty()).then_some(Tree::Case(arms, other))
    }

    fn cast(&mut self, attempt: bool) -> Option<Tree> {
        if !self.sign("(") {
            return None;
        }
        let of = Box::new(self.either()?);
        if !self.word("as") {
            return None;
        }
        let Some(Token::Word(to)) = self.peek().cloned() else { return None };
        self.at += 1;
        self.sign(")").then_some(Tree::Cast { of, to, attempt })
    }
}
