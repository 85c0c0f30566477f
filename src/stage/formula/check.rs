//! From a tree to nodes of known types, as DuckDB would type them.
//!
//! Whatever would need a cast that is not written here, or whose result type DuckDB decides by rules
//! that are not repeated here, gives `None`.

use super::constant::constant;
use super::lookup::Lookups;
use super::parse::Tree;
use super::pattern::Pattern;
use super::together::together;
use crate::stage::StoredTable;
use hashbrown::HashSet;
use polars::prelude::{DataType, Schema};
use std::sync::Arc;

/// Types that formulas know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ty {
    /// Only NULL; takes any type.
    Null,
    Flag,
    /// 32 bits: results beyond are left to DuckDB, which has its own error for them.
    Int,
    /// 64 bits.
    Big,
    /// A number with a point: DECIMAL in DuckDB, so only good beside a DOUBLE.
    Decimal,
    Double,
    Text,
    Date,
}

/// A node and its type.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    pub node: Node,
    pub ty: Ty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arith {
    Add,
    Subtract,
    Multiply,
    Divide,
}

type One = Box<Typed>;

/// What is evaluated.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Null,
    Flag(bool),
    Whole(i64),
    Real(f64),
    Text(String),
    /// A column of the chunk, by its name.
    Column(String),
    /// A column of a lookup.
    Field(usize, usize),
    Not(One),
    And(Vec<Typed>),
    Or(Vec<Typed>),
    IsNull(One),
    Compare(Compare, One, One),
    /// IS NOT DISTINCT FROM.
    Same(One, One),
    InTexts(One, HashSet<String>),
    InWholes(One, Vec<i64>),
    Matches(One, Pattern),
    /// What a group of the first match holds.
    Group(One, Pattern, usize),
    StartsWith(One, One),
    Arith(Arith, One, One),
    Abs(One),
    Floor(One),
    Length(One),
    /// The greatest (or the least) of several, NULLs left out.
    Best(bool, Vec<Typed>),
    Coalesce(Vec<Typed>),
    Case(Vec<(Typed, Typed)>, One),
    ToReal(One),
    ToText(One),
    ToWhole(One),
    /// A whole number that fits in 32 bits.
    Narrow(One),
    Upper(One),
    Trim(One, Vec<char>),
    Concat(Vec<Typed>),
    /// Some characters, from a place on.
    Part(One, usize, usize),
    /// Each character of ASCII by another one, or left out.
    Translate(One, Vec<Option<u8>>),
    /// Texts with a text between them, NULLs left out.
    Joined(String, Vec<Typed>),
    /// A text, but NULL where it is this one.
    NullIf(One, String),
    MakeDate(One, One, One),
}

/// Names that an expression may use.
pub(super) struct Scope<'a> {
    pub schema: &'a Schema,
    /// What expressions before this one have made.
    pub made: Vec<(String, Ty)>,
    pub missing: &'a [(String, String)],
    pub lookups: &'a Lookups,
    pub tables: &'a [Arc<StoredTable>],
}

/// The type of a column of a chunk.
fn ty_of(dtype: &DataType) -> Option<Ty> {
    match dtype {
        DataType::Boolean => Some(Ty::Flag),
        DataType::Int32 => Some(Ty::Int),
        DataType::Int64 => Some(Ty::Big),
        DataType::Float64 => Some(Ty::Double),
        DataType::String => Some(Ty::Text),
        _ => None,
    }
}

/// The type of DuckDB's name.
pub(super) fn ty_named(name: &str) -> Option<Ty> {
    match name.to_ascii_uppercase().as_str() {
        "BOOLEAN" => Some(Ty::Flag),
        "INTEGER" => Some(Ty::Int),
        "BIGINT" => Some(Ty::Big),
        "DOUBLE" => Some(Ty::Double),
        "VARCHAR" => Some(Ty::Text),
        "DATE" => Some(Ty::Date),
        _ => None,
    }
}

/// The one type that two values come to.
fn common(a: Ty, b: Ty) -> Option<Ty> {
    match (a, b) {
        _ if a == b && a != Ty::Decimal => Some(a),
        (Ty::Null, other) | (other, Ty::Null) if other != Ty::Decimal => Some(other),
        (Ty::Int | Ty::Big, Ty::Int | Ty::Big) => Some(Ty::Big),
        (Ty::Double, Ty::Int | Ty::Big | Ty::Decimal)
        | (Ty::Int | Ty::Big | Ty::Decimal, Ty::Double) => Some(Ty::Double),
        _ => None,
    }
}

/// A node in another type.
pub(super) fn coerce(of: Typed, to: Ty) -> Option<Typed> {
    let node = match (of.ty, to) {
        (from, to) if from == to => of.node,
        (Ty::Null, _) => Node::Null,
        (Ty::Int, Ty::Big) => of.node,
        (Ty::Decimal, Ty::Double) => of.node,
        (Ty::Int | Ty::Big, Ty::Double) => Node::ToReal(Box::new(of)),
        _ => return None,
    };
    Some(Typed { node, ty: to })
}

/// Types a tree.
pub(super) fn check(tree: &Tree, scope: &Scope<'_>) -> Option<Typed> {
    let typed = |node, ty| Some(Typed { node, ty });
    match tree {
        Tree::Null => typed(Node::Null, Ty::Null),
        Tree::Flag(flag) => typed(Node::Flag(*flag), Ty::Flag),
        Tree::Whole(number) if i32::try_from(*number).is_ok() => {
            typed(Node::Whole(*number), Ty::Int)
        }
        Tree::Whole(number) => typed(Node::Whole(*number), Ty::Big),
        Tree::Decimal(number) => typed(Node::Real(number.parse().ok()?), Ty::Decimal),
        Tree::Text(text) => typed(Node::Text(text.clone()), Ty::Text),
        Tree::Name(table, name) => scope.name(table.as_deref(), name),
        Tree::Call(name, arguments) => Call { scope, arguments }.named(name),
        Tree::Case(arms, other) => case(arms, other.as_deref(), scope),
        Tree::Cast { of, to, .. } => cast(check(of, scope)?, ty_named(to)?),
        Tree::Subquery(of) => constant(of, scope),
        Tree::In(of, list) => contained(check(of, scope)?, list),
        Tree::List(_) => None,
    }
}

impl Scope<'_> {
    fn name(&self, table: Option<&str>, name: &str) -> Option<Typed> {
        if let Some(table) = table {
            let (lookup, column) = self.lookups.field(table, name)?;
            return Some(Typed { node: Node::Field(lookup, column), ty: Ty::Text });
        }
        let mut found =
            self.schema.iter().filter(|(have, _)| have.as_str().eq_ignore_ascii_case(name));
        if let Some((have, dtype)) = found.next() {
            // Two columns whose names differ in case only: DuckDB complains.
            let single = found.next().is_none();
            let node = Node::Column(have.to_string());
            return single.then_some(Typed { node, ty: ty_of(dtype)? });
        }
        if let Some((have, ty)) = self.made.iter().find(|(have, _)| have.eq_ignore_ascii_case(name))
        {
            return Some(Typed { node: Node::Column(have.clone()), ty: *ty });
        }
        let missing = self.missing.iter().find(|(have, _)| have.eq_ignore_ascii_case(name));
        missing.and_then(|(_, ty)| Some(Typed { node: Node::Null, ty: ty_named(ty)? }))
    }
}

/// All in one type.
fn unified(trees: &[Tree], scope: &Scope<'_>) -> Option<(Vec<Typed>, Ty)> {
    let nodes = trees.iter().map(|tree| check(tree, scope)).collect::<Option<Vec<_>>>()?;
    let ty = nodes.iter().try_fold(Ty::Null, |ty, node| common(ty, node.ty))?;
    let nodes = nodes.into_iter().map(|node| coerce(node, ty)).collect::<Option<Vec<_>>>()?;
    Some((nodes, ty))
}

fn case(arms: &[(Tree, Tree)], other: Option<&Tree>, scope: &Scope<'_>) -> Option<Typed> {
    let mut results: Vec<Tree> = arms.iter().map(|(_, result)| result.clone()).collect();
    results.push(other.cloned().unwrap_or(Tree::Null));
    let (mut results, ty) = unified(&results, scope)?;
    let other = Box::new(results.pop()?);
    let conditions = arms.iter().map(|(condition, _)| check(condition, scope));
    let arms = conditions
        .zip(results)
        .map(|(condition, result)| Some((flag(condition?)?, result)))
        .collect::<Option<Vec<_>>>()?;
    Some(Typed { node: Node::Case(together(arms, ty), other), ty })
}

fn flag(node: Typed) -> Option<Typed> {
    coerce(node, Ty::Flag)
}

/// A node as CAST and TRY_CAST give it: where they differ, it is DuckDB's.
pub(super) fn cast(of: Typed, to: Ty) -> Option<Typed> {
    let node = match (of.ty, to) {
        (Ty::Big, Ty::Int) => Node::Narrow(Box::new(of)),
        (Ty::Int | Ty::Big, Ty::Text) => Node::ToText(Box::new(of)),
        (Ty::Text, Ty::Int) => Node::ToWhole(Box::new(of)),
        (Ty::Decimal, to) if to != Ty::Double => return None,
        _ => return coerce(of, to),
    };
    Some(Typed { node, ty: to })
}

/// `x IN (…)` over literals of one kind; a NULL among them changes the meaning and is left out here.
fn contained(of: Typed, list: &[Tree]) -> Option<Typed> {
    let node = match of.ty {
        Ty::Text => {
            let text = |tree: &Tree| match tree {
                Tree::Text(text) => Some(text.clone()),
                _ => None,
            };
            Node::InTexts(Box::new(of), list.iter().map(text).collect::<Option<_>>()?)
        }
        Ty::Int | Ty::Big => {
            let number = |tree: &Tree| match tree {
                Tree::Whole(number) => Some(*number),
                _ => None,
            };
            Node::InWholes(Box::new(of), list.iter().map(number).collect::<Option<_>>()?)
        }
        _ => return None,
    };
    (!list.is_empty()).then_some(Typed { node, ty: Ty::Flag })
}

/// A function with its arguments.
struct Call<'a> {
    scope: &'a Scope<'a>,
    arguments: &'a [Tree],
}

impl Call<'_> {
    fn named(&self, name: &str) -> Option<Typed> {
        let compare = |how| self.compare(how);
        let arith = |how| self.arith(how);
        match name {
            "and" => self.logic(Node::And),
            "or" => self.logic(Node::Or),
            "not" => self.of_flag(Node::Not),
            "isnull" => Some(Typed { node: Node::IsNull(self.one()?), ty: Ty::Flag }),
            "same" => self.pair(Node::Same),
            "=" => compare(Compare::Equal),
            "<>" => compare(Compare::Unequal),
            "<" => compare(Compare::Less),
            "<=" => compare(Compare::AtMost),
            ">" => compare(Compare::Greater),
            ">=" => compare(Compare::AtLeast),
            "+" => arith(Arith::Add),
            "-" => arith(Arith::Subtract),
            "*" => arith(Arith::Multiply),
            "/" => arith(Arith::Divide),
            "abs" => self.number(Node::Abs),
            "floor" => self.number(Node::Floor).filter(|floor| floor.ty == Ty::Double),
            "greatest" => self.best(true),
            "least" => self.best(false),
            "coalesce" => {
                let (nodes, ty) = unified(self.arguments, self.scope)?;
                Some(Typed { node: Node::Coalesce(nodes), ty })
            }
            _ => self.of_texts(name),
        }
    }

    fn of_texts(&self, name: &str) -> Option<Typed> {
        let whole = |node, ty| Some(Typed { node, ty });
        match (name, self.arguments) {
            ("length", [of]) => whole(Node::Length(self.text(of)?), Ty::Big),
            ("upper", [of]) => whole(Node::Upper(self.text(of)?), Ty::Text),
            ("trim", [of]) => whole(Node::Trim(self.text(of)?, vec![' ']), Ty::Text),
            ("trim", [of, Tree::Text(set)]) => {
                whole(Node::Trim(self.text(of)?, set.chars().collect()), Ty::Text)
            }
            ("left", [of, Tree::Whole(count)]) => {
                whole(Node::Part(self.text(of)?, 0, usize::try_from(*count).ok()?), Ty::Text)
            }
            ("substr" | "substring", [of, Tree::Whole(from @ 1..), Tree::Whole(count)]) => {
                let (from, count) = (*from as usize - 1, usize::try_from(*count).ok()?);
                whole(Node::Part(self.text(of)?, from, count), Ty::Text)
            }
            ("translate", [of, Tree::Text(from), Tree::Text(to)]) => {
                whole(Node::Translate(self.text(of)?, translation(from, to)?), Ty::Text)
            }
            ("starts_with", [of, with]) => {
                whole(Node::StartsWith(self.text(of)?, self.text(with)?), Ty::Flag)
            }
            ("list_contains" | "list_has", [Tree::List(list), of]) => {
                contained(check(of, self.scope)?, list)
            }
            ("make_date", [year, month, day]) => {
                let whole_number = |tree| {
                    let node = check(tree, self.scope)?;
                    matches!(node.ty, Ty::Int | Ty::Big).then(|| Box::new(node))
                };
                let (year, month, day) =
                    (whole_number(year)?, whole_number(month)?, whole_number(day)?);
                whole(Node::MakeDate(year, month, day), Ty::Date)
            }
            ("concat_ws", [Tree::Text(between), parts @ ..]) if !parts.is_empty() => {
                let parts = parts.iter().map(|part| Some(*self.text(part)?));
                whole(Node::Joined(between.clone(), parts.collect::<Option<_>>()?), Ty::Text)
            }
            ("nullif", [of, Tree::Text(text)]) => {
                whole(Node::NullIf(self.text(of)?, text.clone()), Ty::Text)
            }
            ("||", parts) => {
                let parts = parts.iter().map(|part| Some(*self.text(part)?));
                whole(Node::Concat(parts.collect::<Option<_>>()?), Ty::Text)
            }
            _ => self.of_patterns(name),
        }
    }

    fn of_patterns(&self, name: &str) -> Option<Typed> {
        let whole = |node, ty| Some(Typed { node, ty });
        match (name, self.arguments) {
            ("regexp_full_match", [of, Tree::Text(pattern)]) => {
                whole(Node::Matches(self.text(of)?, Pattern::whole(pattern)?), Ty::Flag)
            }
            ("regexp_matches", [of, Tree::Text(pattern), flags @ ..]) => {
                let folds = match flags {
                    [] => false,
                    [Tree::Text(flags)] if flags == "i" => true,
                    _ => return None,
                };
                whole(Node::Matches(self.text(of)?, Pattern::anywhere(pattern, folds)?), Ty::Flag)
            }
            ("regexp_extract", [of, Tree::Text(pattern), Tree::Whole(group)]) => {
                let pattern = Pattern::anywhere(pattern, false)?;
                let group = usize::try_from(*group).ok().filter(|it| *it <= pattern.groups())?;
                whole(Node::Group(self.text(of)?, pattern, group), Ty::Text)
            }
            _ => None,
        }
    }

    fn one(&self) -> Option<One> {
        match self.arguments {
            [one] => Some(Box::new(check(one, self.scope)?)),
            _ => None,
        }
    }

    fn text(&self, tree: &Tree) -> Option<One> {
        let node = check(tree, self.scope)?;
        (node.ty == Ty::Text).then(|| Box::new(node))
    }

    fn of_flag(&self, make: impl Fn(One) -> Node) -> Option<Typed> {
        let one = flag(*self.one()?)?;
        Some(Typed { node: make(Box::new(one)), ty: Ty::Flag })
    }

    fn logic(&self, make: impl Fn(Vec<Typed>) -> Node) -> Option<Typed> {
        let flags = self.arguments.iter().map(|tree| flag(check(tree, self.scope)?));
        Some(Typed { node: make(flags.collect::<Option<_>>()?), ty: Ty::Flag })
    }

    /// Two sides in one type.
    fn sides(&self) -> Option<(One, One, Ty)> {
        let (nodes, ty) = unified(self.arguments, self.scope)?;
        let [left, right]: [Typed; 2] = nodes.try_into().ok()?;
        Some((Box::new(left), Box::new(right), ty))
    }

    fn pair(&self, make: impl Fn(One, One) -> Node) -> Option<Typed> {
        let (left, right, _) = self.sides()?;
        Some(Typed { node: make(left, right), ty: Ty::Flag })
    }

    fn compare(&self, how: Compare) -> Option<Typed> {
        self.pair(|left, right| Node::Compare(how, left, right))
    }

    fn arith(&self, how: Arith) -> Option<Typed> {
        if how == Arith::Divide
            && let Some(quotient) = self.quotient()
        {
            return Some(quotient);
        }
        let (left, right, ty) = self.sides()?;
        let ty = match ty {
            Ty::Int | Ty::Big if how == Arith::Divide => Ty::Double,
            Ty::Int | Ty::Big | Ty::Double => ty,
            _ => return None,
        };
        let (left, right) = (coerce(*left, ty)?, coerce(*right, ty)?);
        Some(Typed { node: Node::Arith(how, Box::new(left), Box::new(right)), ty })
    }

    /// Division by a number with a point, which makes a DOUBLE of both sides.
    fn quotient(&self) -> Option<Typed> {
        let [left, Tree::Decimal(by)] = self.arguments else { return None };
        let left = coerce(check(left, self.scope)?, Ty::Double)?;
        let by = Typed { node: Node::Real(by.parse().ok()?), ty: Ty::Double };
        let node = Node::Arith(Arith::Divide, Box::new(left), Box::new(by));
        Some(Typed { node, ty: Ty::Double })
    }

    fn number(&self, make: impl Fn(One) -> Node) -> Option<Typed> {
        let one = self.one()?;
        let ty = one.ty;
        matches!(ty, Ty::Int | Ty::Big | Ty::Double).then(|| Typed { node: make(one), ty })
    }

    fn best(&self, greatest: bool) -> Option<Typed> {
        let (nodes, ty) = unified(self.arguments, self.scope)?;
        let numbers = matches!(ty, Ty::Int | Ty::Big | Ty::Double) && !nodes.is_empty();
        numbers.then_some(Typed { node: Node::Best(greatest, nodes), ty })
    }
}

/// What becomes of each character of ASCII: the first mention counts, and what has no other is left out.
fn translation(from: &str, to: &str) -> Option<Vec<Option<u8>>> {
    if !from.is_ascii() || !to.is_ascii() {
        return None;
    }
    let mut table: Vec<_> = (0..128).map(Some).collect();
    let mut seen = [false; 128];
    for (at, byte) in from.bytes().enumerate() {
        if !std::mem::replace(&mut seen[usize::from(byte)], true) {
            table[usize::from(byte)] = to.as_bytes().get(at).copied();
        }
    }
    Some(table)
}
