//! From a rule's text to an expression that can be evaluated for any frame in a bounded time.
//!
//! CEL is parsed by its own parser; what comes of it is checked and turned into [`Node`]s: members
//! become variables, literals numbers, and what has no answer for any frame, or might take long, is
//! refused.

use super::value::{Fold, Function, Node, Operator, Value};
use super::variables::{Kind, UnknownMember, Variable};
use crate::PolicyError;
use cel::common::ast::{ComprehensionExpr, Expr, IdedExpr, LiteralValue};
use cel::{Env, Program};

/// A rule is a line or two; the parser calls itself for each of these bytes at worst.
const MAX_BYTES: usize = 4096;
/// Words, numbers and signs.
const MAX_TOKENS: usize = 500;
/// How deep an expression may go; `a + b + c` goes as deep as it has terms.
const MAX_DEPTH: usize = 64;
/// What an evaluation may cost at worst, in steps as they are counted when it is evaluated.
const MAX_COST: u64 = 5000;
/// For the parser, which calls itself some ten times for each level. Only what is used of it takes
/// memory.
const PARSER_STACK: usize = 64 * 1024 * 1024;

const BOOL: u8 = 1;
const NUMBER: u8 = 2;
const TEXT: u8 = 4;
const LIST: u8 = 8;
const ANY: u8 = BOOL | NUMBER | TEXT | LIST;

/// A compiled rule.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) expression: Node,
    pub(super) variables: Vec<Variable>,
}

/// What is known of an expression before it is evaluated.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// What it may be.
    kinds: u8,
    /// What its elements may be, where it is a list.
    items: u8,
    /// Of the longest list in it.
    length: u64,
    /// How many steps it takes.
    cost: u64,
}

impl Shape {
    const fn of(kinds: u8) -> Self {
        Self { kinds, items: 0, length: 0, cost: 1 }
    }
}

/// Reads a rule.
///
/// # Errors
/// [`PolicyError::Rule`] when it is too long, no CEL, of no use, or might take long.
pub(super) fn compile(rule: &str) -> Result<Compiled, PolicyError> {
    let at_start = |problem: String| PolicyError::Rule { line: 1, column: 1, problem };
    if rule.len() > MAX_BYTES || tokens(rule) > MAX_TOKENS {
        return Err(at_start(format!(
            "it is too long: at most {MAX_BYTES} bytes and {MAX_TOKENS} words and signs are allowed"
        )));
    }
    // the parser calls itself as deep as the rule goes, and so does whatever drops what it has
    // made: neither may end the process
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("rule".into()).stack_size(PARSER_STACK);
        let parsing = thread.spawn_scoped(scope, || parse(rule));
        let parsing =
            parsing.map_err(|error| at_start(format!("it cannot be read now: {error}")))?;
        parsing
            .join()
            .unwrap_or_else(|_| Err(at_start("it is no CEL that the parser can read".into())))
    })
}

/// How many words, numbers and signs there are. What stands in quotes counts, too: the bound is far
/// above what a rule needs.
fn tokens(rule: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let mut in_word = false;
    let counts = |c: char| {
        let begins = if is_word(c) { !in_word } else { !c.is_whitespace() };
        in_word = is_word(c);
        begins
    };
    rule.chars().map(counts).filter(|begins| *begins).count()
}

fn parse(rule: &str) -> Result<Compiled, PolicyError> {
    let program = Env::stdlib().compile(rule).map_err(|errors| match errors.errors.first() {
        Some(error) => PolicyError::Rule {
            line: usize::try_from(error.pos.0).unwrap_or(1).max(1),
            column: usize::try_from(error.pos.1).unwrap_or(1).max(1),
            problem: error.msg.clone(),
        },
        None => PolicyError::Rule { line: 1, column: 1, problem: "it does not compile".into() },
    })?;
    let mut compiling =
        Compiling { program: &program, rule, locals: Vec::new(), variables: Vec::new(), depth: 0 };
    let (expression, shape) = compiling.node(program.expression())?;
    compiling.answers(program.expression(), shape)?;
    if shape.cost > MAX_COST {
        let problem = format!(
            "it may take {} steps, at most {MAX_COST} are allowed: \
             nest fewer lists, or shorter ones",
            shape.cost
        );
        return Err(compiling.error(program.expression().id, problem));
    }
    Ok(Compiled { expression, variables: compiling.variables })
}

struct Compiling<'a> {
    program: &'a Program,
    rule: &'a str,
    /// Variables of the comprehensions around, e.g. `x` in `[1, 2].exists(x, x > frame.bytes)`.
    locals: Vec<(String, Shape)>,
    variables: Vec<Variable>,
    depth: usize,
}

type Checked = Result<(Node, Shape), PolicyError>;

impl Compiling<'_> {
    fn node(&mut self, node: &IdedExpr) -> Checked {
        if self.depth >= MAX_DEPTH {
            return Err(self.error(
                node.id,
                format!(
                    "it goes deeper than {MAX_DEPTH} levels; a sum has as many as it has terms"
                ),
            ));
        }
        self.depth += 1;
        let checked = self.node_within(node);
        self.depth -= 1;
        checked
    }

    fn node_within(&mut self, node: &IdedExpr) -> Checked {
        match &node.expr {
            Expr::Literal(literal) => self.literal(node.id, literal),
            Expr::Ident(name) => self.local(node.id, name),
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(object) => self.member(node.id, object, &select.field, select.test),
                _ => Err(self.error(
                    node.id,
                    format!("only frame, edge and cloud have members, such as '{}'", select.field),
                )),
            },
            Expr::Call(call) => self.call(
                node.id,
                &call.func_name,
                call.target.as_deref().into_iter().chain(&call.args),
            ),
            Expr::List(list) if list.optional_indices.is_empty() => self.list(&list.elements),
            Expr::Comprehension(inner) if inner.iter_var2.is_none() => self.fold(node.id, inner),
            Expr::Comprehension(_) => {
                Err(self.error(node.id, "one variable is enough for a list".into()))
            }
            Expr::List(_) => {
                Err(self.error(node.id, "optional elements have no use in a rule".into()))
            }
            Expr::Map(_) | Expr::Struct(_) => {
                Err(self.error(node.id, "maps and structures have no use in a rule".into()))
            }
            Expr::Unspecified => Err(self.error(node.id, "something is missing".into())),
        }
    }

    fn literal(&self, id: u64, literal: &LiteralValue) -> Checked {
        let (value, kind) = match literal {
            LiteralValue::Boolean(truth) => (Value::Bool(*truth.inner()), BOOL),
            LiteralValue::Double(number) => (Value::Number(*number.inner()), NUMBER),
            LiteralValue::Int(number) => (Value::Number(*number.inner() as f64), NUMBER),
            LiteralValue::UInt(number) => (Value::Number(*number.inner() as f64), NUMBER),
            LiteralValue::String(text) => (Value::Text(text.inner().into()), TEXT),
            LiteralValue::Bytes(_) | LiteralValue::Null => {
                return Err(self.error(id, "bytes and null have no use in a rule".into()));
            }
        };
        Ok((Node::Constant(value), Shape::of(kind)))
    }

    fn local(&self, id: u64, name: &str) -> Checked {
        match self.locals.iter().rposition(|(local, _)| local == name) {
            Some(local) => Ok((Node::Local(local), Shape { cost: 1, ..self.locals[local].1 })),
            None => Err(self.unknown_object(id, name)),
        }
    }

    fn member(&mut self, id: u64, object: &str, field: &str, presence: bool) -> Checked {
        if self.locals.iter().any(|(local, _)| local == object) {
            return Err(self.error(id, format!("'{object}' has no members here")));
        }
        let variable = Variable::find(object, field).map_err(|unknown| match unknown {
            UnknownMember::Object => self.unknown_object(id, object),
            UnknownMember::Member(members) => {
                let problem = format!("{object} has no '{field}'; it has: {}", members.join(", "));
                self.error(id, problem)
            }
        })?;
        let known = self.variables.iter().position(|other| *other == variable);
        let place = known.unwrap_or_else(|| {
            self.variables.push(variable);
            self.variables.len() - 1
        });
        if presence {
            return Ok((Node::Has(place), Shape::of(BOOL)));
        }
        let kind = match variable.kind() {
            Kind::Number => NUMBER,
            Kind::Bool => BOOL,
            Kind::Text => TEXT,
        };
        Ok((Node::Known(place), Shape::of(kind)))
    }

    fn list(&mut self, elements: &[IdedExpr]) -> Checked {
        let mut shape = Shape { length: elements.len() as u64, ..Shape::of(LIST) };
        let mut nodes = Vec::with_capacity(elements.len());
        for element in elements {
            let (node, of) = self.node(element)?;
            shape.items |= of.kinds;
            shape.length = shape.length.max(of.length);
            shape.cost = shape.cost.saturating_add(of.cost);
            nodes.push(node);
        }
        Ok((Node::List(nodes), shape))
    }

    fn call<'e>(
        &mut self,
        id: u64,
        name: &str,
        arguments: impl Iterator<Item = &'e IdedExpr>,
    ) -> Checked {
        let mut nodes = Vec::new();
        let mut shapes: Vec<Shape> = Vec::new();
        for argument in arguments {
            let (node, shape) = self.node(argument)?;
            nodes.push(node);
            shapes.push(shape);
        }
        let length = shapes.iter().fold(0u64, |sum, shape| sum.saturating_add(shape.length));
        // lists are copied or compared
        let cost = shapes.iter().fold(1 + length, |sum, shape| sum.saturating_add(shape.cost));
        let items = shapes.iter().fold(0, |all, shape| all | shape.items);
        let of = |kinds| Shape { kinds, items, length, cost };
        let takes = |each: &[u8]| {
            shapes.len() == each.len()
                && shapes.iter().zip(each).all(|(shape, kind)| shape.kinds & kind != 0)
        };
        let common = || shapes.iter().fold(ANY, |common, shape| common & shape.kinds);
        let (result, fits) = match name {
            "!_" => (of(BOOL), takes(&[BOOL])),
            "-_" => (of(NUMBER), takes(&[NUMBER])),
            "@not_strictly_false" => (of(BOOL), takes(&[BOOL])),
            "_&&_" | "_||_" => (of(BOOL), takes(&[BOOL, BOOL])),
            "_?_:_" => {
                let kinds = shapes
                    .get(1..)
                    .unwrap_or_default()
                    .iter()
                    .fold(0, |all, shape| all | shape.kinds);
                (of(kinds), takes(&[BOOL, ANY, ANY]))
            }
            "_+_" => (of(common() & !BOOL), takes(&[ANY, ANY]) && common() & !BOOL != 0),
            "_-_" | "_*_" | "_/_" | "_%_" => (of(NUMBER), takes(&[NUMBER, NUMBER])),
            "_==_" | "_!=_" => (of(BOOL), takes(&[ANY, ANY]) && common() != 0),
            "_<_" | "_<=_" | "_>_" | "_>=_" => {
                (of(BOOL), takes(&[ANY, ANY]) && common() & (NUMBER | TEXT) != 0)
            }
            "@in" => (of(BOOL), takes(&[ANY, LIST])),
            "_[_]" => (
                Shape { kinds: shapes.first().map_or(0, |list| list.items), items: ANY, ..of(0) },
                takes(&[LIST, NUMBER]),
            ),
            "size" => (of(NUMBER), takes(&[TEXT | LIST])),
            "contains" | "startsWith" | "endsWith" => (of(BOOL), takes(&[TEXT, TEXT])),
            "min" | "max" => {
                let list = takes(&[LIST]) && items & NUMBER != 0;
                (of(NUMBER), list || !shapes.is_empty() && common() & NUMBER != 0)
            }
            "int" | "double" => (of(NUMBER), takes(&[NUMBER])),
            _ => return Err(self.unknown_function(id, name)),
        };
        if !fits {
            return Err(self.error(id, format!("{} does not take such values", display(name))));
        }
        match node_of(name, nodes) {
            Some(node) => Ok((node, result)),
            None => Err(self.unknown_function(id, name)),
        }
    }

    fn fold(&mut self, id: u64, inner: &ComprehensionExpr) -> Checked {
        let (range, range_shape) = self.node(&inner.iter_range)?;
        if range_shape.kinds & LIST == 0 {
            return Err(self.error(id, "only a list has elements".into()));
        }
        let (init, init_shape) = self.node(&inner.accu_init)?;
        let times = range_shape.length;
        let outer = self.locals.len();
        let item = Shape { kinds: range_shape.items, items: ANY, ..range_shape };
        // a list grows by one element a turn, or holds what the range holds
        let total = Shape { kinds: ANY, items: ANY, length: times.max(init_shape.length), cost: 1 };
        self.locals.extend([(inner.iter_var.clone(), item), (inner.accu_var.clone(), total)]);
        let parts = (|| {
            Ok((
                self.node(&inner.loop_cond)?,
                self.node(&inner.loop_step)?,
                self.node(&inner.result)?,
            ))
        })();
        self.locals.truncate(outer);
        let ((condition, each), (step, step_shape), (result, result_shape)) = parts?;
        let a_turn = each.cost.saturating_add(step_shape.cost);
        let cost =
            range_shape.cost.saturating_add(init_shape.cost).saturating_add(result_shape.cost);
        let shape = Shape {
            // what the macros make: a truth from two truths, a list from an empty one
            kinds: if init_shape.kinds == LIST { LIST } else { BOOL },
            items: ANY,
            length: step_shape.length.max(result_shape.length),
            cost: cost.saturating_add(a_turn.saturating_mul(times)).saturating_add(1),
        };
        Ok((Node::Fold(Box::new(Fold { range, init, condition, step, result })), shape))
    }

    /// Whether what comes of it can be an answer at all.
    fn answers(&self, node: &IdedExpr, shape: Shape) -> Result<(), PolicyError> {
        let allowed = "true, false, a number, 'cloud', 'edge' or 'expire'";
        match &node.expr {
            Expr::Call(call) if call.func_name == "_?_:_" => {
                call.args.iter().skip(1).try_for_each(|branch| self.answers(branch, Shape::of(ANY)))
            }
            Expr::Literal(LiteralValue::String(text))
                if !super::ANSWERS.contains(&text.inner()) =>
            {
                Err(self.error(
                    node.id,
                    format!("the answer '{}' means nothing; it must be {allowed}", text.inner()),
                ))
            }
            Expr::List(_) => {
                Err(self.error(node.id, format!("a list is no answer; it must be {allowed}")))
            }
            _ if shape.kinds & !LIST == 0 => {
                Err(self.error(node.id, format!("a list is no answer; it must be {allowed}")))
            }
            _ => Ok(()),
        }
    }

    fn unknown_object(&self, id: u64, name: &str) -> PolicyError {
        let problem = format!(
            "there is no '{name}'; there are frame, edge and cloud with their members, \
             e.g. edge.backlog"
        );
        self.error(id, problem)
    }

    fn unknown_function(&self, id: u64, name: &str) -> PolicyError {
        let there_are = "size, contains, startsWith, endsWith, min, max, int, double, has, all, \
                         exists, exists_one, map, filter";
        self.error(id, format!("there is no function '{name}'; there are: {there_are}"))
    }

    pub(super) fn error(&self, id: u64, problem: String) -> PolicyError {
        let start =
            self.program.source_info().offset_for(id).map_or(0, |(start, _)| start as usize);
        let before = self.rule.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        PolicyError::Rule { line, column, problem }
    }
}

/// `_+_` as it is written.
fn display(name: &str) -> String {
    match name {
        "_?_:_" => "? :".into(),
        _ => format!("'{}'", name.trim_matches(['_', '@'])),
    }
}

/// The node of a call; `None` when there is no such function, or it has another number of
/// arguments.
fn node_of(name: &str, arguments: Vec<Node>) -> Option<Node> {
    let function = match name {
        "size" => Function::Size,
        "contains" => Function::Contains,
        "startsWith" => Function::StartsWith,
        "endsWith" => Function::EndsWith,
        "min" => Function::Min,
        "max" => Function::Max,
        "int" => Function::Int,
        "double" => Function::Double,
        _ => return operator_node(name, arguments),
    };
    Some(Node::Call(function, arguments))
}

fn operator_node(name: &str, arguments: Vec<Node>) -> Option<Node> {
    let operator = match name {
        "!_" => return one(arguments).map(Node::Not),
        "-_" => return one(arguments).map(Node::Negate),
        "@not_strictly_false" => return one(arguments).map(Node::NotStrictlyFalse),
        "_&&_" => {
            return arguments.try_into().ok().map(|sides: [Node; 2]| Node::And(Box::new(sides)));
        }
        "_||_" => {
            return arguments.try_into().ok().map(|sides: [Node; 2]| Node::Or(Box::new(sides)));
        }
        "_?_:_" => {
            return arguments.try_into().ok().map(|parts: [Node; 3]| Node::If(Box::new(parts)));
        }
        "_+_" => Operator::Add,
        "_-_" => Operator::Subtract,
        "_*_" => Operator::Multiply,
        "_/_" => Operator::Divide,
        "_%_" => Operator::Remainder,
        "_==_" => Operator::Equal,
        "_!=_" => Operator::Unequal,
        "_<_" => Operator::Less,
        "_<=_" => Operator::LessOrEqual,
        "_>_" => Operator::Greater,
        "_>=_" => Operator::GreaterOrEqual,
        "@in" => Operator::In,
        "_[_]" => Operator::Index,
        _ => return None,
    };
    arguments.try_into().ok().map(|sides: [Node; 2]| Node::Binary(operator, Box::new(sides)))
}

fn one(arguments: Vec<Node>) -> Option<Box<Node>> {
    let [inner]: [Node; 1] = arguments.try_into().ok()?;
    Some(Box::new(inner))
}
