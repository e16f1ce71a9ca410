//! An expression held against the schema: whether what it names is there, and which fields it names.

use cel::common::ast::{EntryExpr, Expr, IdedExpr, operators};
use cel::{Context, ExecutionError, Value as CelValue};

use super::lower;
use super::values::{Wanted, example};
use crate::report::schema::{Field, HANDSHAKE, Kind};

/// A node of the expression that is wrong.
pub(super) struct Fault {
    pub(super) id: u64,
    /// Characters behind the node's own place.
    pub(super) within: usize,
    pub(super) why: String,
}

/// Walks an expression with the schema at hand.
pub(super) struct Check {
    /// Variables of `exists`, `all`, `filter` and `map`, with what they stand for.
    locals: Vec<(String, Option<Kind>)>,
    /// An example of every field.
    pub(super) context: Context<'static, 'static>,
    pub(super) wanted: Wanted,
}

/// What a node stands for.
#[derive(Default)]
struct Place {
    kind: Option<Kind>,
    /// Its way from the report's root, where it is a field.
    path: Option<Vec<&'static str>>,
}

impl Check {
    pub(super) fn new() -> Self {
        let mut context = Context::default();
        for field in HANDSHAKE {
            context.add_variable_from_value(field.name, example(field.kind));
        }
        Self { locals: Vec::new(), context, wanted: Wanted::default() }
    }

    /// Gives what the node's value is, where the schema tells it. The value is used as it is.
    pub(super) fn visit(&mut self, node: &IdedExpr) -> Result<Option<Kind>, Fault> {
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
