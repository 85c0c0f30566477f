//! Which rows count while a part of a formula is evaluated.
//!
//! `a OR b` is decided where `a` is true, and an arm of a CASE is taken where its condition holds and no
//! earlier one did. What costs much a row (patterns, texts that are made) looks at the rows that are
//! left: elsewhere it may give anything, for nobody looks. Whole columns of numbers are cheaper than to
//! ask.

use super::check::{Node, Typed};
use super::eval::{Cells, Unfit};
use super::values::{FALSE, Flags, Mask, TRUE, UNKNOWN};
use std::sync::Arc;

/// The conditions of a CASE that hold anywhere, each with the values of its arm; and what is left.
type Arms<V> = (Vec<(Flags, V)>, V);

impl Cells<'_> {
    /// AND or OR; one value that decides the whole spares the rest.
    pub(super) fn fold(
        &mut self,
        parts: &[Typed],
        decides: u8,
        f: impl Fn(u8, u8) -> u8 + Copy,
    ) -> Result<Flags, Unfit> {
        let mut result = Flags::All(TRUE - decides);
        for part in parts {
            if matches!(&result, Flags::All(flag) if *flag == decides) {
                break;
            }
            let live = match is_costly(part) {
                true => still(self.live.as_ref(), &result, |flag| flag != decides),
                false => self.live.clone(),
            };
            let flags = self.within(live, |cells| cells.flags(part))?;
            result = result.zip(&flags, f);
        }
        Ok(result)
    }

    /// The arms of a CASE.
    pub(super) fn arms<V>(
        &mut self,
        arms: &[(Typed, Typed)],
        other: &Typed,
        mut value: impl FnMut(&mut Self, &Typed) -> Result<V, Unfit>,
    ) -> Result<Arms<V>, Unfit> {
        let narrows = is_costly(other)
            || arms.iter().any(|(condition, arm)| is_costly(condition) || is_costly(arm));
        let mut open = self.live.clone();
        let mut found = Vec::new();
        for (condition, arm) in arms {
            let condition = self.within(open.clone(), |cells| cells.flags(condition))?;
            if matches!(&condition, Flags::All(FALSE | UNKNOWN)) {
                continue;
            }
            let taken = match narrows {
                true => still(open.as_ref(), &condition, |flag| flag == TRUE),
                false => open.clone(),
            };
            let arm = self.within(taken, |cells| value(cells, arm))?;
            if narrows {
                open = still(open.as_ref(), &condition, |flag| flag != TRUE);
            }
            found.push((condition, arm));
        }
        let other = self.within(open, |cells| value(cells, other))?;
        Ok((found, other))
    }

    /// Evaluates a part for these rows.
    pub(super) fn within<R>(&mut self, live: Option<Mask>, part: impl FnOnce(&mut Self) -> R) -> R {
        let before = std::mem::replace(&mut self.live, live);
        let result = part(self);
        self.live = before;
        result
    }

    /// Whether a row counts.
    pub(super) fn is_live(&self, row: usize) -> bool {
        self.live.as_ref().is_none_or(|live| live[row] == 1)
    }
}

/// Of the rows that count, those whose flag is of this kind.
fn still(live: Option<&Mask>, flags: &Flags, is: impl Fn(u8) -> bool) -> Option<Mask> {
    match (live, flags) {
        (live, Flags::All(flag)) if is(*flag) => live.cloned(),
        (None, Flags::Each(flags)) => {
            Some(Arc::new(flags.iter().map(|flag| u8::from(is(*flag))).collect()))
        }
        (Some(live), Flags::Each(flags)) => {
            let both = live.iter().zip(flags.iter());
            Some(Arc::new(both.map(|(live, flag)| live & u8::from(is(*flag))).collect()))
        }
        // The same in all rows, and of the other kind: whoever asks stops here.
        (live, Flags::All(_)) => live.cloned(),
    }
}

/// Whether a node holds something that looks at the rows one by one.
fn is_costly(of: &Typed) -> bool {
    match &of.node {
        Node::Matches(..)
        | Node::Group(..)
        | Node::Upper(_)
        | Node::Trim(..)
        | Node::Translate(..)
        | Node::Part(..)
        | Node::ToText(_)
        | Node::Concat(_)
        | Node::Joined(..) => true,
        Node::Not(one)
        | Node::IsNull(one)
        | Node::InTexts(one, _)
        | Node::InWholes(one, _)
        | Node::Abs(one)
        | Node::Floor(one)
        | Node::Length(one)
        | Node::ToReal(one)
        | Node::ToWhole(one)
        | Node::Narrow(one)
        | Node::NullIf(one, _) => is_costly(one),
        Node::Compare(_, left, right)
        | Node::Same(left, right)
        | Node::StartsWith(left, right)
        | Node::Arith(_, left, right) => is_costly(left) || is_costly(right),
        Node::And(parts) | Node::Or(parts) | Node::Best(_, parts) | Node::Coalesce(parts) => {
            parts.iter().any(is_costly)
        }
        Node::Case(arms, other) => {
            is_costly(other)
                || arms.iter().any(|(condition, arm)| is_costly(condition) || is_costly(arm))
        }
        Node::MakeDate(year, month, day) => {
            [year, month, day].into_iter().any(|part| is_costly(part))
        }
        Node::Null
        | Node::Flag(_)
        | Node::Whole(_)
        | Node::Real(_)
        | Node::Text(_)
        | Node::Column(_)
        | Node::Field(..) => false,
    }
}
