//! The language of `--where`: the Common Expression Language (<https://cel.dev>) over the fields of docs/SCHEMA.md.
//!
//! An expression is checked against the schema before anything is read: a field that does not exist, or an operation that its type does not
//! have, is a [`Mistake`] that points at its column. A field that a handshake does not have makes a condition on it false.

use std::fmt;
use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr, IdedExpr, operators};
use cel::objects::{Key as CelKey, Map as CelMap};
use cel::{Context, ExecutionError, Program, Value as CelValue};

use crate::report::schema::{Field, HANDSHAKE, Kind};
use crate::report::{Counts, Handshake, Key, Writer};
use crate::time::Timestamp;

/// The fields of an object, as the language's maps hold them. Their order shows nowhere.
#[allow(clippy::disallowed_types, reason = "what the language takes")]
type Fields = std::collections::HashMap<CelKey, CelValue>;

/// A condition.
#[derive(Clone)]
pub struct Expression {
    text: String,
    program: Arc<Program>,
    /// The language's functions.
    functions: Arc<Context<'static, 'static>>,
    wanted: Wanted,
}

/// The fields that an expression names: nothing else is made of a report.
#[derive(Debug, Clone, Default)]
struct Wanted {
    /// All of this.
    whole: bool,
    /// Of this, these.
    fields: Vec<(&'static str, Self)>,
}

impl Wanted {
    fn of(&self, name: &str) -> Option<&Self> {
        if self.whole { Some(self) } else { self.fields.iter().find(|(field, _)| *field == name).map(|(_, wanted)| wanted) }
    }

    fn add(&mut self, path: &[&'static str]) {
        let Some((first, rest)) = path.split_first() else {
            self.whole = true;
            return;
        };
        if let Some((_, wanted)) = self.fields.iter_mut().find(|(field, _)| field == first) {
            return wanted.add(rest);
        }
        let mut wanted = Self::default();
        wanted.add(rest);
        self.fields.push((first, wanted));
    }
}

/// What is wrong with an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    text: String,
    /// Column of the mistake in characters, counted from 1; behind the end when something is missing there.
    pub column: usize,
    /// What is wrong.
    pub why: String,
}

impl Expression {
    /// Reads and checks an expression.
    pub fn new(text: &str) -> Result<Self, Mistake> {
        let mistake = |column: usize, why: String| Mistake { text: text.to_owned(), column, why };
        if text.trim().is_empty() {
            return Err(mistake(1, "the expression is empty".to_owned()));
        }
        let program = Program::compile(text).map_err(|errors| {
            // The first is where the parser lost its way; the others follow from it.
            let first = errors.errors.first();
            let column = first.map_or(1, |error| column_at(text, error.pos));
            mistake(column, first.map_or_else(String::new, |error| plain(text, column, &error.msg)))
        })?;
        let mut check = Check { locals: Vec::new(), context: Context::default(), wanted: Wanted::default() };
        for field in HANDSHAKE {
            check.context.add_variable_from_value(field.name, example(field.kind));
        }
        // The parser counts bytes.
        let chars = |bytes: usize| text.get(..bytes).map_or(bytes, |before| before.chars().count());
        let offset = |id: u64| program.source_info().offset_for(id).map_or(0, |(start, _)| chars(start as usize));
        if let Err(fault) = check.visit(program.expression()) {
            return Err(mistake(offset(fault.id) + 1 + fault.within, fault.why));
        }
        match program.execute(&check.context) {
            Ok(CelValue::Bool(_)) | Err(ExecutionError::NoSuchKey(_) | ExecutionError::IndexOutOfBounds(_)) => {}
            Ok(_) => return Err(mistake(1, "it is not a condition: its value is neither true nor false".to_owned())),
            Err(error) => return Err(mistake(1, lower(&error.to_string()))),
        }
        Ok(Self { text: text.to_owned(), program: Arc::new(program), functions: Arc::new(Context::default()), wanted: check.wanted })
    }

    /// Whether it holds for a handshake. The error says why it cannot be applied.
    pub fn takes(&self, report: &Handshake<'_>) -> Result<bool, String> {
        let mut values = Values { wanted: &self.wanted, map: Fields::new() };
        if self.wanted.of("timeline").is_some() {
            report.with_timeline().write(&mut values);
        } else {
            report.write(&mut values);
        }
        self.holds(|root| values.map.remove(&CelKey::from(root)))
    }

    /// Whether it holds for a handshake that was written as `row`.
    pub fn takes_row(&self, row: &serde_json::Value) -> Result<bool, String> {
        self.holds(|root| row.get(root).map(written_value))
    }

    fn holds(&self, mut field: impl FnMut(&'static str) -> Option<CelValue>) -> Result<bool, String> {
        let mut context = self.functions.new_inner_scope();
        for (root, _) in &self.wanted.fields {
            // An object that the report lacks has no fields.
            context.add_variable_from_value(*root, field(root).unwrap_or_else(|| object(Fields::new())));
        }
        match self.program.execute(&context) {
            Ok(value) => Ok(value == CelValue::Bool(true)),
            Err(ExecutionError::NoSuchKey(_) | ExecutionError::IndexOutOfBounds(_)) => Ok(false),
            Err(error) => Err(lower(&error.to_string())),
        }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.text)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Mistake {
    /// The mistake with the expression and a mark below its column. Characters that are `hidden` are left blank: they take one column here as they
    /// do in the count.
    pub fn pointed(&self, hidden: impl Fn(char) -> bool) -> String {
        let line: String = self.text.chars().map(|c| if hidden(c) { ' ' } else { c }).collect();
        format!("{} (column {})\n  {line}\n  {:>width$}", self.why, self.column, '^', width = self.column)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pointed(char::is_control))
    }
}

impl std::error::Error for Mistake {}

/// A node of the expression that is wrong.
struct Fault {
    id: u64,
    /// Characters behind the node's own place.
    within: usize,
    why: String,
}

/// Walks an expression with the schema at hand.
struct Check {
    /// Variables of `exists`, `all`, `filter` and `map`, with what they stand for.
    locals: Vec<(String, Option<Kind>)>,
    /// An example of every field.
    context: Context<'static, 'static>,
    wanted: Wanted,
}

/// What a node stands for.
#[derive(Default)]
struct Place {
    kind: Option<Kind>,
    /// Its way from the report's root, where it is a field.
    path: Option<Vec<&'static str>>,
}

impl Check {
    /// Gives what the node's value is, where the schema tells it. The value is used as it is.
    fn visit(&mut self, node: &IdedExpr) -> Result<Option<Kind>, Fault> {
        let place = self.place(node)?;
        if let Some(path) = &place.path {
            self.wanted.add(path);
        }
        Ok(place.kind)
    }

    /// The same for a value of which only a field may be used.
    fn place(&mut self, node: &IdedExpr) -> Result<Place, Fault> {
        match &node.expr {
            Expr::Ident(name) => self.name(node.id, name),
            Expr::Select(select) => {
                let inner = self.place(&select.operand)?;
                let asked = || written(&select.operand.expr).unwrap_or_default();
                match inner.kind {
                    Some(Kind::Object(fields)) => match fields.iter().find(|field| field.name == select.field) {
                        Some(field) => Ok(Place {
                            kind: Some(field.kind),
                            path: inner.path.map(|mut path| {
                                path.push(field.name);
                                path
                            }),
                        }),
                        None => Err(no_field(node.id, &select.field, fields, written(&select.operand.expr).as_deref())),
                    },
                    Some(Kind::List(_)) => Err(Fault {
                        id: node.id,
                        within: 0,
                        why: format!(
                            "`{}` is a list; ask `.exists(x, x.{} == …)` of it, or take one: `[0].{}`",
                            asked(),
                            select.field,
                            select.field
                        ),
                    }),
                    Some(_) => Err(Fault { id: node.id, within: 0, why: format!("`{}` has no fields", asked()) }),
                    None => Ok(Place::default()),
                }
            }
            Expr::Call(call) => {
                let target = call.target.as_ref().map(|target| self.visit(target)).transpose()?;
                let mut first = target.flatten();
                for (index, argument) in call.args.iter().enumerate() {
                    let value = self.visit(argument)?;
                    if index == 0 && first.is_none() {
                        first = value;
                    }
                }
                if call.func_name == operators::INDEX {
                    return Ok(Place { kind: item(first), path: None });
                }
                self.applies(node)?;
                Ok(Place::default())
            }
            Expr::Comprehension(inner) => {
                let each = item(self.visit(&inner.iter_range)?);
                let depth = self.locals.len();
                self.locals.push((inner.iter_var.clone(), each));
                self.locals.extend(inner.iter_var2.clone().map(|name| (name, None)));
                self.locals.push((inner.accu_var.clone(), None));
                let outcome = [&inner.accu_init, &inner.loop_cond, &inner.loop_step, &inner.result]
                    .into_iter()
                    .try_for_each(|part| self.visit(part).map(drop));
                self.locals.truncate(depth);
                outcome.map(|()| Place::default())
            }
            Expr::List(list) => list.elements.iter().try_for_each(|element| self.visit(element).map(drop)).map(|()| Place::default()),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.visit(&entry.key)?;
                        self.visit(&entry.value)?;
                    }
                }
                Ok(Place::default())
            }
            Expr::Unspecified | Expr::Literal(_) | Expr::Struct(_) => Ok(Place::default()),
        }
    }

    fn name(&self, id: u64, name: &str) -> Result<Place, Fault> {
        if let Some((_, kind)) = self.locals.iter().rev().find(|(local, _)| local == name) {
            return Ok(Place { kind: *kind, path: None });
        }
        match HANDSHAKE.iter().find(|field| field.name == name) {
            Some(field) => Ok(Place { kind: Some(field.kind), path: Some(vec![field.name]) }),
            None => Err(no_field(id, name, HANDSHAKE, None)),
        }
    }

    /// Whether a call can be made at all, as far as the example shows it.
    fn applies(&self, node: &IdedExpr) -> Result<(), Fault> {
        if !self.locals.is_empty() {
            return Ok(());
        }
        match CelValue::resolve(node, &self.context) {
            Ok(_) | Err(ExecutionError::NoSuchKey(_) | ExecutionError::IndexOutOfBounds(_)) => Ok(()),
            Err(ExecutionError::UndeclaredReference(name)) => {
                let near = nearest(&name, FUNCTIONS.iter().copied());
                Err(Fault { id: node.id, within: 0, why: format!("there is no function `{name}`{near}") })
            }
            Err(ExecutionError::NoSuchOverload(error)) => {
                Err(Fault { id: node.id, within: 0, why: not_for(error.function(), error.argument_types()) })
            }
            Err(error) => Err(Fault { id: node.id, within: 0, why: lower(&error.to_string()) }),
        }
    }
}

fn not_for(function: &str, types: &[String]) -> String {
    let operator = function.trim_matches('_').trim_start_matches('@');
    if let (true, [left, right]) = (function.starts_with('_'), types) {
        return format!("`{operator}` cannot be used between {left} and {right}");
    }
    format!("`{operator}` cannot be used on {}", types.join(", "))
}

/// What a list holds.
fn item(list: Option<Kind>) -> Option<Kind> {
    match list {
        Some(Kind::List(item)) => Some(*item),
        _ => None,
    }
}

fn no_field(id: u64, field: &str, known: &[Field], of: Option<&str>) -> Fault {
    let known: Vec<&str> = known.iter().map(|field| field.name).collect();
    let near = nearest(field, known.iter().copied());
    let hint = if near.is_empty() { format!("; there are {}", known.join(", ")) } else { near };
    let of = of.map(|of| format!(" in `{of}`")).unwrap_or_default();
    // The place of a selection is its dot.
    Fault { id, within: usize::from(!of.is_empty()), why: format!("there is no field `{field}`{of}{hint}") }
}

fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let best = known.map(|other| (strsim::damerau_levenshtein(word, other), other)).min();
    match best {
        Some((distance, other)) if distance <= 1 + other.len() / 4 => format!("; did you mean `{other}`?"),
        _ => String::new(),
    }
}

/// A chain of names as it was written.
fn written(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) => Some(format!("{}.{}", written(&select.operand.expr)?, select.field)),
        _ => None,
    }
}

/// From line and column, both counted from 1 and 0, to a character of the whole text, counted from 1.
fn column_at(text: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line).unwrap_or(1).max(1);
    let before: usize = text.split('\n').take(line - 1).map(|line| line.chars().count() + 1).sum();
    (before + usize::try_from(column).unwrap_or(1)).clamp(1, text.chars().count() + 1)
}

/// What the parser means, without its grammar.
fn plain(text: &str, column: usize, message: &str) -> String {
    if column > text.trim_end().chars().count() {
        return "the expression ends too early".to_owned();
    }
    let at = text.chars().nth(column - 1);
    if at == Some('=') && text.chars().nth(column) != Some('=') {
        return "a single `=` is no comparison; write `==`".to_owned();
    }
    if matches!(at, Some('"' | '\'')) && message.contains("token recognition") {
        return "a string begins here and does not end".to_owned();
    }
    if matches!(at, Some('&' | '|')) {
        return "write `&&` for and, `||` for or".to_owned();
    }
    let rest: String = text.chars().skip(column - 1).take_while(|c| !c.is_whitespace()).take(24).collect();
    if matches!(rest.to_ascii_lowercase().as_str(), "and" | "or" | "not") {
        return "write `&&` for and, `||` for or, `!` for not".to_owned();
    }
    format!("`{rest}` does not belong here")
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// A value of this kind.
fn example(kind: Kind) -> CelValue {
    match kind {
        Kind::Text | Kind::Word(_) => text("x"),
        Kind::Time => text(&Timestamp::default().to_string()),
        Kind::Integer => CelValue::Int(1),
        Kind::Flag => CelValue::Bool(false),
        Kind::Counts => object(Fields::new()),
        Kind::List(item) => CelValue::List(Arc::new(vec![example(*item)])),
        Kind::Object(fields) => object(fields.iter().map(|field| (CelKey::from(field.name), example(field.kind))).collect()),
    }
}

fn text(value: &str) -> CelValue {
    CelValue::String(Arc::new(value.to_owned()))
}

/// Numbers are signed, so that they can be counted with: the language does not mix signed and unsigned ones.
fn integer(value: u64) -> CelValue {
    CelValue::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

/// A value of a row.
fn written_value(value: &serde_json::Value) -> CelValue {
    use serde_json::Value;
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(flag) => CelValue::Bool(*flag),
        Value::Number(number) => integer(number.as_u64().unwrap_or_default()),
        Value::String(value) => text(value),
        Value::Array(list) => CelValue::List(Arc::new(list.iter().map(written_value).collect())),
        Value::Object(fields) => object(fields.iter().map(|(name, value)| (CelKey::from(name.clone()), written_value(value))).collect()),
    }
}

fn object(map: Fields) -> CelValue {
    CelValue::Map(CelMap { map: Arc::new(map) })
}

/// Takes the fields that are wanted, as values of the language.
struct Values<'a> {
    wanted: &'a Wanted,
    map: Fields,
}

impl Values<'_> {
    fn put(&mut self, key: Key, value: impl FnOnce() -> CelValue) {
        if self.wants(key) {
            self.map.insert(CelKey::from(key.name), value());
        }
    }
}

impl Writer for Values<'_> {
    fn text(&mut self, key: Key, value: &str) {
        self.put(key, || text(value));
    }

    fn number(&mut self, key: Key, value: u64) {
        self.put(key, || integer(value));
    }

    fn flag(&mut self, key: Key, value: bool) {
        self.put(key, || CelValue::Bool(value));
    }

    fn time(&mut self, key: Key, value: Timestamp) {
        self.put(key, || text(&value.to_string()));
    }

    fn texts<T: AsRef<str>>(&mut self, key: Key, values: impl IntoIterator<Item = T>) {
        self.put(key, || CelValue::List(Arc::new(values.into_iter().map(|value| text(value.as_ref())).collect())));
    }

    fn numbers(&mut self, key: Key, values: impl IntoIterator<Item = u64>) {
        self.put(key, || CelValue::List(Arc::new(values.into_iter().map(integer).collect())));
    }

    fn object(&mut self, key: Key, fields: impl FnOnce(&mut Self)) {
        if let Some(wanted) = self.wanted.of(key.name) {
            let mut inner = Self { wanted, map: Fields::new() };
            fields(&mut inner);
            self.map.insert(CelKey::from(key.name), object(inner.map));
        }
    }

    fn objects<T>(&mut self, key: Key, items: impl IntoIterator<Item = T>, mut fields: impl FnMut(&mut Self, T)) {
        if let Some(wanted) = self.wanted.of(key.name) {
            let list = items.into_iter().map(|item| {
                let mut inner = Self { wanted, map: Fields::new() };
                fields(&mut inner, item);
                object(inner.map)
            });
            let list = list.collect();
            self.map.insert(CelKey::from(key.name), CelValue::List(Arc::new(list)));
        }
    }

    fn counts(&mut self, key: Key, counts: &Counts) {
        self.put(key, || object(counts.iter().map(|(word, count)| (CelKey::from(*word), integer(*count))).collect()));
    }

    fn wants(&self, key: Key) -> bool {
        self.wanted.of(key.name).is_some()
    }
}

/// What can be called.
const FUNCTIONS: [&str; 18] = [
    "all",
    "contains",
    "double",
    "endsWith",
    "exists",
    "exists_one",
    "filter",
    "has",
    "int",
    "map",
    "matches",
    "max",
    "min",
    "size",
    "startsWith",
    "string",
    "timestamp",
    "uint",
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::{Certificate, Outcome, TlsServer, samples};

    fn report(name: Option<&'static str>) -> Handshake<'static> {
        let mut report = samples::completed();
        report.handshake.outcome = Outcome::Stalled;
        report.handshake.timing.total_us = u64::try_from(Duration::from_millis(1_500).as_micros()).ok();
        report.capture.quality.snaplen = true;
        let tls = report.tls.as_mut().unwrap();
        tls.version = None;
        tls.client.as_mut().unwrap().server_name = name.map(Into::into);
        let certificate = Certificate { subject: "CN=api.bank.test".into(), ..Certificate::default() };
        tls.server = Some(TlsServer { certificates: vec![Arc::new(certificate)], ..TlsServer::default() });
        report
    }

    fn holds(text: &str, report: &Handshake<'_>) -> bool {
        Expression::new(text).unwrap_or_else(|mistake| panic!("{mistake}")).takes(report).unwrap()
    }

    #[test]
    fn conditions_on_fields() {
        let report = report(Some("api.bank.test"));
        for text in [
            "handshake.outcome == \"stalled\" && tls.client.server_name.endsWith(\".bank.test\")",
            "tls.client.server_name.startsWith('api') && tls.client.server_name.contains('bank')",
            "tls.client.server_name.matches('^a.i[.]')",
            "handshake.outcome in ['stalled', 'reset']",
            "handshake.timing.total_us / 1000 > 1200 && handshake.timing.total_us > 1.4e6",
            "'snaplen' in capture.quality && size(capture.quality) == 1",
            "tls.server.certificates.exists(c, c.subject.contains('bank'))",
            "tls.server.certificates[0].subject.endsWith('test')",
            "has(tls.client.server_name) && !has(tls.version)",
            "handshake.loss.gap_bytes - 5 < 0",
        ] {
            assert!(holds(text, &report), "{text}");
        }
    }

    #[test]
    fn a_condition_on_what_is_not_there_is_false() {
        let without = report(None);
        assert!(!holds("tls.client.server_name.endsWith('.test')", &without));
        assert!(!holds("tls.client.server_name != 'x'", &without));
        assert!(holds("tls.client.server_name == 'x' || handshake.outcome == 'stalled'", &without));
        assert!(!holds("tls.server.certificates[3].subject == 'x'", &without));
        assert!(!holds("tls.version == '1.3'", &samples::refused()), "nothing of TLS was seen");
    }

    /// The mistake is where the mark is.
    fn wrong(marked: &str, part: &str) {
        let column = marked.chars().position(|c| c == '¦').unwrap() + 1;
        let text = marked.replace('¦', "");
        let mistake = Expression::new(&text).unwrap_err();
        assert!(mistake.why.contains(part), "{text}: {}", mistake.why);
        assert_eq!(mistake.column, column, "{mistake}");
        assert!(mistake.to_string().ends_with(&format!("\n{}^", " ".repeat(column + 1))), "{mistake}");
    }

    #[test]
    fn mistakes_point_at_their_column() {
        wrong("handshake.¦outcme == 'x'", "did you mean `outcome`");
        wrong("tls.client.server_name == 'ünïcödé 株式会社' && tls.client.¦foo == 'y'", "no field `foo` in `tls.client`");
        wrong("¦handshak.outcome == 'x'", "did you mean `handshake`");
        wrong("tls.client.server_name == 'x' && tls.client.¦foo == 'y'", "no field `foo` in `tls.client`");
        wrong("handshake.outcome ¦= 'x'", "`==`");
        wrong("handshake.outcome == ¦'x", "does not end");
        wrong("handshake.outcome == 'x' &&¦", "ends too early");
        wrong("handshake.outcome == 'x' ¦and true", "`&&`");
        wrong("handshake.outcome ¦> 3", "between string and int");
        wrong("handshake.outcome.endswith¦('x')", "did you mean `endsWith`");
        wrong("tls.server.certificates¦.subject == 'x'", "is a list");
        wrong("tls.server.certificates.exists(c, c.¦sbject == 'x')", "did you mean `subject`");
        wrong("¦handshake.outcome", "neither true nor false");
        wrong("¦", "empty");
    }
}
