//! The language of `--where`: the Common Expression Language (<https://cel.dev>) over the fields of docs/SCHEMA.md.
//!
//! An expression is checked against the schema before anything is read: a field that does not exist, or an operation that its type does not
//! have, is a [`Mistake`] that points at its column. A field that a handshake does not have makes a condition on it false.

use std::fmt;
use std::sync::Arc;

use cel::objects::Key as CelKey;
use cel::{Context, ExecutionError, Program, Value as CelValue};

use crate::report::Handshake;
use check::Check;
use values::{Fields, Values, Wanted, object, written_value};

mod check;
mod values;

/// A condition.
#[derive(Clone)]
pub struct Expression {
    text: String,
    program: Arc<Program>,
    /// The language's functions.
    functions: Arc<Context<'static, 'static>>,
    wanted: Wanted,
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
        let mut check = Check::new();
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
