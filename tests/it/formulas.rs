//! Formulas and DuckDB give the same: for every rule and derived column of the embedded pack, and for
//! expressions made up at random, over rows full of blanks, borders and odd texts.

use etl::pack::{Agent, Check, ColumnType, Kind, Pack};
use etl::stage::{Engine, Expression, Joined, Projection, Session, substitute};
use polars::prelude::{Column, DataFrame, IntoColumn, NamedFrom, Series};
use std::collections::BTreeMap;

/// A small generator of numbers: the same seed, the same test.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }
}

fn engine(pack: &Pack) -> Engine {
    let tables: Vec<_> = pack
        .tables
        .iter()
        .map(|table| (table.name.as_str(), table.header.as_slice(), table.rows.as_slice()))
        .collect();
    Engine::new(&tables, 256 << 20)
}

/// Both ways; the number of columns where DuckDB was not needed.
fn compare(projection: &Projection, session: &mut Session, frame: &DataFrame) -> usize {
    let ours = projection.run(session, frame).expect("formulas, else SQL");
    let theirs = projection.clone().by_sql().run(session, frame).expect("SQL");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours.dtype(), theirs.dtype(), "{}", ours.name());
        for row in 0..frame.height() {
            let here = |column: &Column| column.get(row).expect("a row of the frame").into_static();
            let (ours_here, theirs_here) = (here(ours), here(theirs));
            if ours_here != theirs_here {
                panic!(
                    "{}: {ours_here:?}, DuckDB says {theirs_here:?}, in {:?}",
                    ours.name(),
                    frame.slice(row as i64, 1)
                );
            }
        }
    }
    projection.formula_count(session, frame)
}

/// Texts that meet rules half-way: codes of all tables, shapes, blanks, letters beyond ASCII.
fn texts(pack: &Pack) -> Vec<String> {
    let odd = [
        "0",
        "00",
        "01",
        "1",
        "2",
        "12",
        "13",
        "004",
        "099",
        "070",
        "R",
        "X",
        "F",
        "FC",
        "FL",
        "fl",
        "Fla.",
        " FLORIDA ",
        "C16-001-001-0001-5",
        "0A1B2C3D",
        "33301",
        "3330",
        "33301-1234",
        "I",
        "202401",
        "0124",
        "0000",
        "1201",
        "10Ñ",
        "SMITH, JOHN",
        "ACME LLC",
        "CITY OF MIAMI",
        "Ñandú",
        "474119030010",
        "  ",
        "999999999",
        "12345678901234567890",
        "1.5",
        "-3",
        "x",
        "05",
        "03",
    ];
    let codes = pack.tables.iter().filter(|table| table.rows.len() < 500);
    let codes = codes.flat_map(|table| table.rows.iter().filter_map(|row| row.first()).cloned());
    odd.into_iter().map(str::to_owned).chain(codes.filter(|code| !code.is_empty())).collect()
}

fn whole(dice: &mut Dice) -> i64 {
    match dice.roll(9) {
        0 => 0,
        1 => -1,
        2 => 25_000 + dice.roll(3) as i64 - 1,
        3 => dice.roll(200) as i64,
        4 => 1_800 + dice.roll(400) as i64,
        5 => 1 << dice.roll(40),
        6 => 2_025,
        _ => dice.roll(900_000) as i64,
    }
}

fn column(kind: &etl::pack::Column, rows: usize, texts: &[String], dice: &mut Dice) -> Column {
    let name = kind.name.as_str().into();
    // Whole columns are blank in many chunks.
    let blank = dice.roll(5) == 0;
    let mut cell = |make: &mut dyn FnMut(&mut Dice)| {
        let filled = !blank && dice.roll(4) > 0;
        if filled {
            make(dice);
        }
        filled
    };
    match kind.ty {
        ColumnType::Text | ColumnType::Id | ColumnType::Code => {
            let mut values = Vec::new();
            for _ in 0..rows {
                let mut text = None;
                cell(&mut |dice| text = Some(texts[dice.roll(texts.len())].clone()));
                values.push(text);
            }
            Series::new(name, values).into_column()
        }
        ColumnType::Integer | ColumnType::Money => {
            let mut values = Vec::new();
            for _ in 0..rows {
                let mut number = None;
                cell(&mut |dice| number = Some(whole(dice)));
                values.push(number);
            }
            Series::new(name, values).into_column()
        }
        ColumnType::Real => {
            let mut values = Vec::new();
            for _ in 0..rows {
                let mut number = None;
                cell(&mut |dice| number = Some(whole(dice) as f64 / dice.pick(&[1.0, 4.0, 0.3])));
                values.push(number);
            }
            Series::new(name, values).into_column()
        }
        ColumnType::Date => Series::new(name, vec![None::<i32>; rows])
            .cast(&polars::prelude::DataType::Date)
            .expect("dates")
            .into_column(),
    }
}

fn frame(kind: &Kind, rows: usize, texts: &[String], dice: &mut Dice) -> DataFrame {
    let columns = kind.columns.iter().map(|kind| column(kind, rows, texts, dice)).collect();
    DataFrame::new(rows, columns).expect("a frame")
}

fn rules(pack: &Pack, kind: &Kind, parameters: &BTreeMap<&str, String>) -> Vec<Expression> {
    let rule = |rule: &etl::pack::Rule| match &rule.check {
        Check::Row { ok, .. } => Some(Expression {
            name: rule.id.clone(),
            ty: Some("BOOLEAN".into()),
            sql: substitute(&pack.of_year(ok, Some(2025)), parameters),
        }),
        _ => None,
    };
    pack.rules_for(&kind.id).filter_map(rule).collect()
}

#[test]
fn every_rule_of_the_pack_says_the_same_by_formula_and_by_sql() {
    let pack = Pack::embedded("florida").expect("the pack");
    let (engine, texts) = (engine(&pack), texts(&pack));
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut formulas, mut all) = (0, 0);
    for release in ["'P'", "'F'", "CAST(NULL AS VARCHAR)"] {
        let parameters = BTreeMap::from([
            ("release", release.to_owned()),
            ("roll_year", "2025".into()),
            ("county", "16".into()),
            ("submission", "1".into()),
        ]);
        for kind in &pack.kinds {
            let rules = rules(&pack, kind, &parameters);
            let projection = Projection::new("validate", &rules, &[], &[]).independent();
            let mut session = engine.session();
            for rows in [0, 1, 700, 2_500] {
                let frame = frame(kind, rows, &texts, &mut dice);
                formulas = formulas.max(compare(&projection, &mut session, &frame));
            }
            all = all.max(rules.len());
        }
    }
    // Most rules of the widest roll: else this test compares SQL with SQL.
    assert!(formulas * 10 >= all * 8, "{formulas} formulas of {all} rules");
}

#[test]
fn every_derived_column_of_the_pack_is_the_same_by_formula_and_by_sql() {
    let pack = Pack::embedded("florida").expect("the pack");
    let (engine, texts) = (engine(&pack), texts(&pack));
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let parameters = BTreeMap::from([("roll_year", "2025".to_owned()), ("county", "16".into())]);
    let (mut formulas, mut all) = (0, 0);
    for kind in &pack.kinds {
        let derived = |agent| -> Vec<_> {
            let expression = |derived: &etl::pack::Derived| Expression {
                name: derived.name.clone(),
                ty: Some(derived.ty.clone()),
                sql: substitute(&derived.sql, &parameters),
            };
            kind.derived_by(agent).map(expression).collect()
        };
        let joins: Vec<_> = kind
            .lookups
            .iter()
            .map(|lookup| Joined {
                alias: lookup.alias.clone(),
                table: lookup.table.clone(),
                on: lookup.on.clone(),
            })
            .collect();
        let transform = Projection::new("transform", &derived(Agent::Transform), &[], &[]);
        let enrich = Projection::new("enrich", &derived(Agent::Enrich), &joins, &[]);
        let mut session = engine.session();
        for rows in [0, 1, 900] {
            let frame = frame(kind, rows, &texts, &mut dice);
            formulas += compare(&transform, &mut session, &frame);
            let added = transform.run(&mut session, &frame).expect("derived columns");
            let frame = frame.hstack(&added).expect("names of their own");
            formulas += compare(&enrich, &mut session, &frame);
        }
        all += 3 * kind.derived.len();
    }
    // Where all are formulas a load needs no SQL engine.
    assert_eq!(formulas, all);
}

/// An expression of a type, made up.
fn made_up(dice: &mut Dice, ty: &str, depth: usize) -> String {
    let Some(depth) = depth.checked_sub(1) else {
        return made_up_leaf(dice, ty).into();
    };
    match ty {
        "flag" => made_up_flag(dice, depth),
        "text" => match dice.roll(9) {
            0 => format!("({}) || ({})", made_up(dice, ty, depth), made_up(dice, ty, depth)),
            1 => format!("upper({})", made_up(dice, ty, depth)),
            2 => format!("trim({})", made_up(dice, ty, depth)),
            3 => format!("coalesce({}, {})", made_up(dice, ty, depth), made_up(dice, ty, depth)),
            4 => format!(
                "substr({}, {}, {})",
                made_up(dice, ty, depth),
                1 + dice.roll(4),
                dice.roll(4)
            ),
            5 => format!("left({}, {})", made_up(dice, ty, depth), dice.roll(4)),
            6 => format!("translate({}, 'aab,Z', 'xyz')", made_up(dice, ty, depth)),
            7 => {
                let pattern = dice.pick(&[
                    r"^\s*0*(\d+)",
                    "([a-c]*)([^a-c]+)",
                    r"\b(a|b c)",
                    "(a|ab)(c|bcd)?",
                ]);
                format!("regexp_extract({}, '{pattern}', 1)", made_up(dice, ty, depth))
            }
            _ => {
                let condition = made_up(dice, "flag", depth);
                let (yes, no) = (made_up(dice, ty, depth), made_up(dice, ty, depth));
                format!("CASE WHEN {condition} THEN {yes} ELSE {no} END")
            }
        },
        _ => made_up_number(dice, ty, depth),
    }
}

fn made_up_leaf(dice: &mut Dice, ty: &str) -> &'static str {
    match ty {
        "flag" => dice.pick(&["f", "TRUE", "FALSE", "g IS NULL", "NULL", "t = u"]),
        "whole" => dice.pick(&["i", "b", "i", "b", "0", "7", "-3", "3000000000", "NULL"]),
        "real" => dice.pick(&["r", "r", "i / b", "b / 4"]),
        _ => dice.pick(&["t", "u", "'a'", "''", "'it''s'", "NULL"]),
    }
}

fn made_up_flag(dice: &mut Dice, depth: usize) -> String {
    let kind = dice.pick(&["whole", "real", "text"]);
    let how = dice.pick(&["=", "<>", "<", "<=", ">", ">="]);
    let not = dice.pick(&["", "NOT "]);
    let which = dice.roll(13);
    let pattern = dice.pick(&[r"\b(A|b c)\b|it\.?''?s", r"^\s*\d", "[a-z][^a-b]*$", "", "K|S"]);
    let mut sub = |ty: &str| made_up(dice, ty, depth);
    match which {
        0 => format!("({}) AND ({})", sub("flag"), sub("flag")),
        1 => format!("({}) OR ({})", sub("flag"), sub("flag")),
        2 => format!("NOT ({})", sub("flag")),
        3 => format!("({}) IS {not}NULL", sub(kind)),
        4 => format!("({}) IS {not}DISTINCT FROM ({})", sub(kind), sub(kind)),
        5 => format!("({}) IN ('a', 'Ñ', 'b c')", sub("text")),
        6 => format!("list_contains([1, -1, 7], {})", sub("whole")),
        7 => format!("({}) {not}BETWEEN ({}) AND ({})", sub(kind), sub(kind), sub(kind)),
        8 => format!("coalesce({}, {})", sub("flag"), sub("flag")),
        9 => format!("regexp_matches({}, '{pattern}', 'i')", sub("text")),
        10 => format!("regexp_matches({}, '{pattern}')", sub("text")),
        11 => {
            format!(
                "CASE {} WHEN 'a' THEN {} WHEN {} THEN {} END",
                sub("text"),
                sub("flag"),
                sub("text"),
                sub("flag")
            )
        }
        _ => format!("({}) {how} ({})", sub(kind), sub(kind)),
    }
}

fn made_up_number(dice: &mut Dice, ty: &str, depth: usize) -> String {
    let which = dice.roll(7);
    let best = dice.pick(&["greatest", "least"]);
    let one = dice.pick(&["abs", "coalesce"]);
    let mut sub = |ty: &str| made_up(dice, ty, depth);
    match which {
        0 => format!("({}) + ({})", sub(ty), sub(ty)),
        1 => format!("({}) - ({})", sub(ty), sub(ty)),
        2 => format!("{one}({})", sub(ty)),
        3 => format!("{best}({}, {}, {})", sub(ty), sub(ty), sub(ty)),
        4 => format!("coalesce({}, {})", sub(ty), sub(ty)),
        5 if ty == "whole" => format!("length({})", sub("text")),
        5 => format!("({}) * 2.5", sub("real")),
        _ => {
            let (first, second) = (sub("flag"), sub("flag"));
            format!("CASE WHEN {first} THEN {} WHEN {second} THEN {} END", sub(ty), sub(ty))
        }
    }
}

fn made_up_frame(dice: &mut Dice, rows: usize) -> DataFrame {
    fn cells<T>(dice: &mut Dice, rows: usize, make: impl Fn(&mut Dice) -> T) -> Vec<Option<T>> {
        let blank = dice.roll(6) == 0;
        let full = dice.roll(6) == 0;
        (0..rows).map(|_| (full || !blank && dice.roll(4) > 0).then(|| make(dice))).collect()
    }
    let texts = ["a", "b c", "Ñ", "", " a ", "it's", "zzzzzzzzzzzzzzzzzzzz"];
    let columns = vec![
        Series::new("f".into(), cells(dice, rows, |dice| dice.roll(2) == 0)).into_column(),
        Series::new("g".into(), cells(dice, rows, |dice| dice.roll(2) == 0)).into_column(),
        Series::new("i".into(), cells(dice, rows, |dice| dice.pick(&[0, 1, -1, 7, i32::MAX])))
            .into_column(),
        Series::new(
            "b".into(),
            cells(dice, rows, |dice| dice.pick(&[0, -1, 7, 5_000_000_000, i64::MAX])),
        )
        .into_column(),
        Series::new(
            "r".into(),
            cells(dice, rows, |dice| dice.pick(&[0.0, -0.0, 1.5, -7.0, 1e300, f64::NAN])),
        )
        .into_column(),
        Series::new("t".into(), cells(dice, rows, |dice| dice.pick(&texts))).into_column(),
        Series::new("u".into(), cells(dice, rows, |dice| dice.pick(&texts))).into_column(),
    ];
    DataFrame::new(rows, columns).expect("a frame")
}

#[test]
fn made_up_expressions_are_the_same_by_formula_and_by_sql() {
    let engine = Engine::new(&[], 256 << 20);
    let rounds: u64 =
        std::env::var("ETL_FORMULA_ROUNDS").map_or(400, |text| text.parse().expect("a number"));
    let (mut compared, mut formulas) = (0, 0);
    for seed in 1..=rounds {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut session = engine.session();
        let rows = dice.pick(&[1, 5, 60]);
        let frame = made_up_frame(&mut dice, rows);
        let (ty, sql_ty) = dice.pick(&[
            ("flag", "BOOLEAN"),
            ("flag", "BOOLEAN"),
            ("whole", "BIGINT"),
            ("real", "DOUBLE"),
            ("text", "VARCHAR"),
        ]);
        let depth = 1 + dice.roll(3);
        let sql = made_up(&mut dice, ty, depth);
        let expression = Expression { name: sql.clone(), ty: Some(sql_ty.into()), sql };
        let projection = Projection::new("validate", &[expression], &[], &[]);
        // What DuckDB refuses (an overflow) it may refuse for rows whose value nobody asks for.
        if projection.clone().by_sql().run(&mut session, &frame).is_ok() {
            compared += 1;
            formulas += compare(&projection, &mut session, &frame);
        }
    }
    assert!(formulas * 2 > compared && compared * 2 > rounds as usize, "{formulas} of {compared}");
}
