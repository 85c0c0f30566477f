//! Patterns that are tried one after another on the same text.
//!
//! `CASE WHEN name matches a THEN … WHEN name matches b THEN …` goes through a text once for each pattern
//! until one matches, and most texts match none. So such arms stand in a CASE of their own, behind one
//! pattern that matches where any of them does. Patterns that look at the beginning only are cheap, and
//! stay where they are.

use super::check::{Node, Ty, Typed};
use super::pattern::Pattern;

/// The arms of a CASE whose results are of type `ty`, those that belong together in one.
pub(super) fn together(arms: Vec<(Typed, Typed)>, ty: Ty) -> Vec<(Typed, Typed)> {
    let mut made: Vec<(Typed, Typed)> = Vec::with_capacity(arms.len());
    let mut run: Vec<(Typed, Typed)> = Vec::new();
    for arm in arms {
        let goes_on = match (run.first(), roaming(&arm.0)) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some((first, _)), Some((name, _))) => {
                roaming(first).is_some_and(|(before, _)| before == name)
            }
        };
        if !goes_on {
            made.extend(joined(std::mem::take(&mut run), ty));
        }
        match roaming(&arm.0) {
            Some(_) => run.push(arm),
            None => made.push(arm),
        }
    }
    made.extend(joined(run, ty));
    made
}

/// A run of arms as one, where that is of use.
fn joined(run: Vec<(Typed, Typed)>, ty: Ty) -> Vec<(Typed, Typed)> {
    let patterns = run.iter().filter_map(|(condition, _)| Some(roaming(condition)?.1));
    let (Some((Typed { node: Node::Matches(of, _), .. }, _)), Some(any), 2..) =
        (run.first(), Pattern::any(patterns), run.len())
    else {
        return run;
    };
    let condition = Typed { node: Node::Matches(of.clone(), any), ty: Ty::Flag };
    // One of them matches, so that nothing else is left.
    let other = Box::new(Typed { node: Node::Null, ty });
    vec![(condition, Typed { node: Node::Case(run, other), ty })]
}

/// The column and the pattern of a condition that goes through the whole of a text.
fn roaming(condition: &Typed) -> Option<(&str, &Pattern)> {
    match &condition.node {
        Node::Matches(of, pattern) if pattern.roams() => match &of.node {
            Node::Column(name) => Some((name, pattern)),
            _ => None,
        },
        _ => None,
    }
}
