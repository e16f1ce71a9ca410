//! The language of `--where`: the Common Expression Language (<https://cel.dev>) over the fields of docs/SCHEMA.md.
//!
//! An expression is checked against the schema before anything is read: a field that does not exist, or an operation that its type does not
//! have, is a [`Mistake`] that points at its column. A field that a handshake does not have makes a condition on it false.

use std::fmt;
use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr, IdedExpr, operators};
use cel::{Context, ExecutionError, Program, Value as CelValue};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::report::{HandshakeReport, example};

/// A condition.
#[derive(Clone)]
pub struct Expression {
    text: String,
    program: Arc<Program>,
    /// The report's objects that it names.
    roots: Vec<String>,
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
        let mut check = Check { locals: Vec::new(), context: context(example(), None), roots: Vec::new() };
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
        let roots = check.roots;
        Ok(Self { text: text.to_owned(), program: Arc::new(program), roots })
    }

    /// Whether it names this object of the report.
    pub fn names(&self, root: &str) -> bool {
        self.roots.iter().any(|name| name == root)
    }

    /// Whether it holds for a handshake. The error says why it cannot be applied.
    pub fn takes(&self, report: &HandshakeReport) -> Result<bool, String> {
        let report = serde_json::to_value(report).map_err(|error| error.to_string())?;
        match self.program.execute(&context(&report, Some(&self.roots))) {
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

/// Walks an expression with an example of every field at hand.
struct Check {
    /// Variables of `exists`, `all`, `filter` and `map`, with an example of what they stand for.
    locals: Vec<(String, Option<Value>)>,
    context: Context<'static, 'static>,
    roots: Vec<String>,
}

impl Check {
    /// Gives an example of the node's value where the schema tells it.
    fn visit(&mut self, node: &IdedExpr) -> Result<Option<Value>, Fault> {
        match &node.expr {
            Expr::Ident(name) => self.name(node.id, name),
            Expr::Select(select) => {
                let inner = self.visit(&select.operand)?;
                match inner {
                    Some(Value::Object(object)) => match object.get(&select.field) {
                        Some(value) => Ok(Some(value.clone())),
                        None => Err(no_field(node.id, &select.field, object.keys(), written(&select.operand.expr).as_deref())),
                    },
                    Some(Value::Array(_)) => Err(Fault {
                        id: node.id,
                        within: 0,
                        why: format!(
                            "`{}` is a list; ask `.exists(x, x.{} == …)` of it, or take one: `[0].{}`",
                            written(&select.operand.expr).unwrap_or_default(),
                            select.field,
                            select.field
                        ),
                    }),
                    Some(_) => Err(Fault {
                        id: node.id,
                        within: 0,
                        why: format!("`{}` has no fields", written(&select.operand.expr).unwrap_or_default()),
                    }),
                    None => Ok(None),
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
                    return Ok(match first {
                        Some(Value::Array(list)) => list.first().cloned(),
                        _ => None,
                    });
                }
                self.applies(node)?;
                Ok(None)
            }
            Expr::Comprehension(inner) => {
                let range = self.visit(&inner.iter_range)?;
                let each = match range {
                    Some(Value::Array(list)) => list.first().cloned(),
                    _ => None,
                };
                let depth = self.locals.len();
                self.locals.push((inner.iter_var.clone(), each));
                self.locals.extend(inner.iter_var2.clone().map(|name| (name, None)));
                self.locals.push((inner.accu_var.clone(), None));
                let outcome = [&inner.accu_init, &inner.loop_cond, &inner.loop_step, &inner.result]
                    .into_iter()
                    .try_for_each(|part| self.visit(part).map(drop));
                self.locals.truncate(depth);
                outcome.map(|()| None)
            }
            Expr::List(list) => list.elements.iter().try_for_each(|element| self.visit(element).map(drop)).map(|()| None),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.visit(&entry.key)?;
                        self.visit(&entry.value)?;
                    }
                }
                Ok(None)
            }
            Expr::Unspecified | Expr::Literal(_) | Expr::Struct(_) => Ok(None),
        }
    }

    fn name(&mut self, id: u64, name: &str) -> Result<Option<Value>, Fault> {
        if let Some((_, value)) = self.locals.iter().rev().find(|(local, _)| local == name) {
            return Ok(value.clone());
        }
        match example().as_object().and_then(|object| object.get(name)) {
            Some(value) => {
                if !self.roots.iter().any(|root| root == name) {
                    self.roots.push(name.to_owned());
                }
                Ok(Some(value.clone()))
            }
            None => Err(no_field(id, name, example().as_object().into_iter().flat_map(serde_json::Map::keys), None)),
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

fn no_field<'a>(id: u64, field: &str, known: impl Iterator<Item = &'a String>, of: Option<&str>) -> Fault {
    let known: Vec<&str> = known.map(String::as_str).collect();
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

/// The report's objects as variables; `roots`: only these.
fn context(report: &Value, roots: Option<&[String]>) -> Context<'static, 'static> {
    let mut context = Context::default();
    let object = report.as_object();
    let empty = Value::Object(serde_json::Map::new());
    for name in example().as_object().into_iter().flat_map(serde_json::Map::keys) {
        if roots.is_none_or(|roots| roots.iter().any(|root| root == name)) {
            // An object that the report lacks has no fields.
            let value = object.and_then(|object| object.get(name)).unwrap_or(&empty);
            let _ = context.add_variable(name.clone(), Signed(value));
        }
    }
    context
}

/// Numbers are signed, so that they can be counted with: the language does not mix signed and unsigned ones.
struct Signed<'a>(&'a Value);

impl Serialize for Signed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Number(number) => match number.as_f64() {
                Some(float) if number.is_f64() => serializer.serialize_f64(float),
                _ => serializer.serialize_i64(number.as_i64().unwrap_or(i64::MAX)),
            },
            Value::Array(list) => serializer.collect_seq(list.iter().map(Signed)),
            Value::Object(object) => {
                let mut map = serializer.serialize_map(Some(object.len()))?;
                for (key, value) in object {
                    map.serialize_entry(key, &Signed(value))?;
                }
                map.end()
            }
            other => other.serialize(serializer),
        }
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
    use std::sync::Arc;

    use super::*;
    use crate::report::{CertificateReport, Tls, TlsClient, TlsServer};

    fn report(name: Option<&str>) -> HandshakeReport {
        let mut report = HandshakeReport::default();
        report.handshake.outcome = "stalled".into();
        report.handshake.timing.total_us = Some(1_500_000);
        report.capture.quality = vec!["snaplen".into()];
        report.tls = Some(Tls {
            client: Some(TlsClient { server_name: name.map(Into::into), ..TlsClient::default() }),
            server: Some(TlsServer {
                certificates: vec![Arc::new(CertificateReport { subject: "CN=api.bank.test".into(), ..CertificateReport::default() })],
                ..TlsServer::default()
            }),
            ..Tls::default()
        });
        report
    }

    fn holds(text: &str, report: &HandshakeReport) -> bool {
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
        assert!(!holds("tls.version == '1.3'", &HandshakeReport::default()), "nothing of TLS was seen");
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
