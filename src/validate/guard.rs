//! Rules whose expression fails on some rows: a text that is no number under `CAST`, a product that is too
//! large.
//!
//! Most rules fail nowhere, so all are asked together. Where that fails, each is asked alone, and one that
//! fails is asked with a guard from then on: DuckDB's `TRY` gives NULL for the rows on which an expression
//! fails, and its answer for all others. A guard changes no answer, so it does not matter which worker has
//! met such a row, or when. A rule that cannot be guarded (it holds a subquery) ends the run, by its name.

use super::NAME;
use super::rules::RowRule;
use crate::stage::{Engine, Expression, Projection, Session, StageError};
use polars::prelude::{Column, DataFrame};

/// How a worker asks the rules: connections, and the guards that it has found necessary.
pub(super) struct Sessions {
    engine: Engine,
    rules: Session,
    /// Asks what concerns some rows only, so that the statements prepared on the first one stay.
    pub(super) some: Session,
    guarded: Vec<usize>,
    /// The rules with those guards.
    projection: Option<Projection>,
}

/// The rules as they are asked where none is guarded.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    rules: Vec<Expression>,
    missing: Vec<(String, String)>,
    projection: Projection,
}

impl Sessions {
    pub fn new(engine: &Engine) -> Self {
        let (rules, some) = (engine.session(), engine.session());
        Self { engine: engine.clone(), rules, some, guarded: Vec::new(), projection: None }
    }
}

impl Asked {
    pub fn new(rules: &[RowRule], missing: &[(String, String)]) -> Self {
        let rules: Vec<_> = rules.iter().map(|rule| boolean(&rule.id, rule.ok.clone())).collect();
        let projection = Projection::new(NAME, &rules, &[], missing).independent();
        Self { rules, missing: missing.to_vec(), projection }
    }

    /// For each rule what it says of each row: false where it is broken.
    pub fn verdicts(
        &self,
        frame: &DataFrame,
        sessions: &mut Sessions,
    ) -> Result<Vec<Column>, StageError> {
        loop {
            let projection = sessions.projection.as_ref().unwrap_or(&self.projection);
            match projection.run(&mut sessions.rules, frame) {
                Ok(verdicts) => return Ok(verdicts),
                Err(error) => self.guard_failing(frame, sessions, error)?,
            }
        }
    }

    /// Whether NULL means that the rule has failed on a row.
    pub fn is_guarded(&self, at: usize, sessions: &Sessions) -> bool {
        sessions.guarded.contains(&at)
    }

    /// Why a rule fails on a row; words of the engine, without values.
    pub fn why(&self, at: usize, frame: &DataFrame, row: usize, sessions: &mut Sessions) -> String {
        let one = frame.slice(row as i64, 1);
        let failed = self.alone(self.rules[at].clone()).run(&mut sessions.some, &one).err();
        failed.map_or_else(|| "its expression fails".to_owned(), |error| general(&error.message))
    }

    fn alone(&self, rule: Expression) -> Projection {
        Projection::new(NAME, &[rule], &[], &self.missing).independent()
    }

    /// Guards the rules that fail on this frame; `Err` where there is none that can be.
    fn guard_failing(
        &self,
        frame: &DataFrame,
        sessions: &mut Sessions,
        error: StageError,
    ) -> Result<(), StageError> {
        // A session of its own: it may prepare a statement for every rule.
        let mut session = sessions.engine.session();
        let before = sessions.guarded.len();
        for (at, rule) in self.rules.iter().enumerate() {
            if sessions.guarded.contains(&at) {
                continue;
            }
            let Err(error) = self.alone(rule.clone()).run(&mut session, frame) else { continue };
            if self.alone(guarded(rule)).run(&mut session, frame).is_err() {
                let message = format!("rule {}: {}", rule.name, error.message);
                return Err(StageError { message, ..error });
            }
            sessions.guarded.push(at);
        }
        if sessions.guarded.len() == before {
            return Err(error);
        }
        let asked = |(at, rule): (usize, &Expression)| match sessions.guarded.contains(&at) {
            true => guarded(rule),
            false => rule.clone(),
        };
        let all: Vec<_> = self.rules.iter().enumerate().map(asked).collect();
        let projection = Projection::new(NAME, &all, &[], &self.missing).independent();
        sessions.projection = Some(projection);
        sessions.rules = sessions.engine.session();
        Ok(())
    }
}

/// An expression of a rule, which says true or false.
pub(super) fn boolean(name: &str, sql: String) -> Expression {
    Expression { name: name.to_owned(), ty: Some("BOOLEAN".into()), sql }
}

/// The rule with NULL for the rows on which it fails. Where it gives NULL itself it is not broken.
fn guarded(rule: &Expression) -> Expression {
    let sql = format!("TRY(coalesce(CAST(({}) AS BOOLEAN), TRUE))", rule.sql);
    Expression { sql, ..rule.clone() }
}

/// A message of the engine without what it quotes: that may be masked, and differs from row to row.
fn general(message: &str) -> String {
    let message = message.trim_start_matches("an expression failed: ");
    let mut line = message.lines().next().unwrap_or_default().to_owned();
    for (open, close) in [('\'', '\''), ('"', '"'), ('(', ')')] {
        if let (Some(from), Some(to)) = (line.find(open), line.rfind(close))
            && from < to
        {
            line.replace_range(from + 1..to, "…");
        }
    }
    let plain =
        |word: &str| !word.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
    let words = line.split(' ').map(|word| if plain(word) { word } else { "…" });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::df;

    fn rule(id: &str, ok: &str) -> RowRule {
        RowRule {
            id: id.into(),
            severity: crate::chunk::Severity::Critical,
            columns: vec!["a".into()],
            ok: ok.into(),
            each: None,
            message: String::new(),
            hint: String::new(),
        }
    }

    fn asked(rules: &[RowRule]) -> (Asked, Sessions) {
        let engine = Engine::new(&[], 64 << 20);
        (Asked::new(rules, &[]), Sessions::new(&engine))
    }

    #[test]
    fn rows_on_which_a_rule_fails_are_told_apart_from_blanks() {
        let rules = [rule("cast", "CAST(a AS INTEGER) > 1"), rule("plain", "a <> '5'")];
        let (asked, mut sessions) = asked(&rules);
        let sound = df!("a" => [Some("1"), None, Some("5")]).expect("frame");
        asked.verdicts(&sound, &mut sessions).expect("nothing fails");
        assert!(!asked.is_guarded(0, &sessions));
        let frame = df!("a" => [Some("1"), None, Some("one"), Some("5")]).expect("frame");
        let verdicts = asked.verdicts(&frame, &mut sessions).expect("it is guarded");
        let said = |at: usize| verdicts[at].bool().expect("booleans").iter().collect::<Vec<_>>();
        assert_eq!(said(0), [Some(false), Some(true), None, Some(true)]);
        assert_eq!(said(1), [Some(true), None, Some(true), Some(false)]);
        assert!(asked.is_guarded(0, &sessions) && !asked.is_guarded(1, &sessions));
        let why = asked.why(0, &frame, 2, &mut sessions);
        assert!(
            why.starts_with("Conversion Error: Could not convert string '…' to INT32"),
            "{why}"
        );
    }

    #[test]
    fn a_rule_that_cannot_be_guarded_is_named() {
        let subquery = "CAST(a AS INTEGER) IN (SELECT 1)";
        let (asked, mut sessions) = asked(&[rule("plain", "a <> ''"), rule("sub", subquery)]);
        let frame = df!("a" => ["one"]).expect("frame");
        let error = asked.verdicts(&frame, &mut sessions).expect_err("no guard holds");
        assert!(error.message.starts_with("rule sub: an expression failed"), "{}", error.message);
        assert!(error.hint.is_some_and(|hint| hint.contains("TRY_CAST")));
    }

    #[test]
    fn messages_hold_no_values() {
        for (told, general) in [
            ("an expression failed: X: 'O'Brien' is \"no\"\nLINE 1", "X: '…' is \"…\""),
            (
                "Overflow in multiplication of INT64 (12 * 34)!",
                "Overflow in multiplication of INT64 (…)!",
            ),
            ("value 17 is out of range", "value … is out of range"),
            ("plain", "plain"),
        ] {
            assert_eq!(super::general(told), general);
        }
    }
}
