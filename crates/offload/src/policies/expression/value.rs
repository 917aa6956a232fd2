//! Evaluating a compiled rule: every step is counted, so that none takes long, and nothing in it
//! can panic.

use std::sync::Arc;

/// So many steps at most; a step is a node that is evaluated, or an element that is copied or
/// compared. Well below a millisecond.
pub(super) const MAX_STEPS: u32 = 20_000;

/// What an expression gives. All numbers are floating point.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value {
    Bool(bool),
    Number(f64),
    Text(Arc<str>),
    List(Arc<[Value]>),
}

/// Why an expression gives nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Nothing {
    /// It asks for what is not known.
    Unknown,
    /// An operator or function does not take such values, or an index is out of range.
    Mismatch,
    /// It takes too many steps.
    TooLong,
}

/// An expression with its variables found.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Constant(Value),
    /// A member of `frame`, `edge` or `cloud`, by its number among the rule's variables.
    Known(usize),
    /// Whether it is known.
    Has(usize),
    /// A variable of a comprehension, counted from the outermost one.
    Local(usize),
    List(Vec<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    /// True unless it is false: an error does not end a comprehension.
    NotStrictlyFalse(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    /// Condition, then, else.
    If(Box<[Node; 3]>),
    Binary(Operator, Box<[Node; 2]>),
    Call(Function, Vec<Node>),
    Fold(Box<Fold>),
}

impl Node {
    /// Every text that stands in it.
    pub(super) fn texts<'a>(&'a self, found: &mut Vec<&'a str>) {
        match self {
            Self::Constant(Value::Text(text)) => found.push(text),
            Self::Constant(_) | Self::Known(_) | Self::Has(_) | Self::Local(_) => {}
            Self::List(nodes) | Self::Call(_, nodes) => {
                nodes.iter().for_each(|node| node.texts(found))
            }
            Self::Not(inner) | Self::Negate(inner) | Self::NotStrictlyFalse(inner) => {
                inner.texts(found)
            }
            Self::And(sides) | Self::Or(sides) | Self::Binary(_, sides) => {
                sides.iter().for_each(|node| node.texts(found))
            }
            Self::If(parts) => parts.iter().for_each(|node| node.texts(found)),
            Self::Fold(fold) => {
                let Fold { range, init, condition, step, result } = &**fold;
                [range, init, condition, step, result]
                    .into_iter()
                    .for_each(|node| node.texts(found));
            }
        }
    }
}

/// What the macros `all`, `exists`, `exists_one`, `map` and `filter` become.
#[derive(Clone, Debug)]
pub(super) struct Fold {
    pub(super) range: Node,
    pub(super) init: Node,
    pub(super) condition: Node,
    pub(super) step: Node,
    pub(super) result: Node,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Index,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Min,
    Max,
    Int,
    Double,
}

/// An evaluation under way.
pub(super) struct Evaluation<'a> {
    variables: &'a [Option<Value>],
    locals: Vec<Value>,
    steps_left: u32,
}

impl<'a> Evaluation<'a> {
    /// Over the rule's variables; `None` is one that is not known.
    pub(super) fn new(variables: &'a [Option<Value>]) -> Self {
        Self { variables, locals: Vec::new(), steps_left: MAX_STEPS }
    }

    fn spend(&mut self, steps: usize) -> Result<(), Nothing> {
        let left = u32::try_from(steps).ok().and_then(|steps| self.steps_left.checked_sub(steps));
        self.steps_left = left.ok_or(Nothing::TooLong)?;
        Ok(())
    }

    /// The value. Goes as deep as the expression does, which is bounded where it is compiled.
    pub(super) fn of(&mut self, node: &Node) -> Result<Value, Nothing> {
        self.spend(1)?;
        match node {
            Node::Constant(value) => Ok(value.clone()),
            Node::Known(variable) => {
                self.variables.get(*variable).cloned().flatten().ok_or(Nothing::Unknown)
            }
            Node::Has(variable) => {
                Ok(Value::Bool(self.variables.get(*variable).is_some_and(Option::is_some)))
            }
            Node::Local(local) => self.locals.get(*local).cloned().ok_or(Nothing::Mismatch),
            Node::List(nodes) => {
                Ok(Value::List(nodes.iter().map(|node| self.of(node)).collect::<Result<_, _>>()?))
            }
            Node::Not(inner) => Ok(Value::Bool(!self.truth(inner)?)),
            Node::Negate(inner) => match self.of(inner)? {
                Value::Number(number) => Ok(Value::Number(-number)),
                Value::Bool(_) | Value::Text(_) | Value::List(_) => Err(Nothing::Mismatch),
            },
            Node::NotStrictlyFalse(inner) => match self.truth(inner) {
                Err(Nothing::TooLong) => Err(Nothing::TooLong),
                other => Ok(Value::Bool(other.unwrap_or(true))),
            },
            Node::And(sides) => self.either(sides, false),
            Node::Or(sides) => self.either(sides, true),
            Node::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                if self.truth(condition)? { self.of(then) } else { self.of(otherwise) }
            }
            Node::Binary(operator, sides) => {
                let (left, right) = (self.of(&sides[0])?, self.of(&sides[1])?);
                self.binary(*operator, &left, &right)
            }
            Node::Call(function, arguments) => {
                let arguments = arguments
                    .iter()
                    .map(|argument| self.of(argument))
                    .collect::<Result<Vec<_>, _>>()?;
                self.call(*function, &arguments)
            }
            Node::Fold(fold) => self.fold(fold),
        }
    }

    fn truth(&mut self, node: &Node) -> Result<bool, Nothing> {
        match self.of(node)? {
            Value::Bool(truth) => Ok(truth),
            Value::Number(_) | Value::Text(_) | Value::List(_) => Err(Nothing::Mismatch),
        }
    }

    /// `&&` and `||`: one side that decides is enough, whatever the other one is.
    fn either(&mut self, sides: &[Node; 2], decides: bool) -> Result<Value, Nothing> {
        let left = self.truth(&sides[0]);
        if left == Ok(decides) {
            return Ok(Value::Bool(decides));
        }
        if left == Err(Nothing::TooLong) {
            return Err(Nothing::TooLong);
        }
        let right = self.truth(&sides[1])?;
        if right == decides { Ok(Value::Bool(decides)) } else { left.map(Value::Bool) }
    }

    fn binary(
        &mut self,
        operator: Operator,
        left: &Value,
        right: &Value,
    ) -> Result<Value, Nothing> {
        use Operator::{
            Add, Divide, Equal, Greater, GreaterOrEqual, In, Index, Less, LessOrEqual, Multiply,
            Remainder, Subtract, Unequal,
        };
        self.spend(left.extent() + right.extent())?;
        match (operator, left, right) {
            (Equal, left, right) => Ok(Value::Bool(left == right)),
            (Unequal, left, right) => Ok(Value::Bool(left != right)),
            (Add, Value::Text(left), Value::Text(right)) => {
                Ok(Value::Text(format!("{left}{right}").into()))
            }
            (Add, Value::List(left), Value::List(right)) => {
                Ok(Value::List(left.iter().chain(&**right).cloned().collect()))
            }
            (In, left, Value::List(list)) => Ok(Value::Bool(list.contains(left))),
            (Index, Value::List(list), Value::Number(at)) => {
                let place = (*at >= 0.0 && at.fract() == 0.0).then_some(*at as usize);
                place.and_then(|place| list.get(place)).cloned().ok_or(Nothing::Mismatch)
            }
            (Less, Value::Text(left), Value::Text(right)) => Ok(Value::Bool(left < right)),
            (LessOrEqual, Value::Text(left), Value::Text(right)) => Ok(Value::Bool(left <= right)),
            (Greater, Value::Text(left), Value::Text(right)) => Ok(Value::Bool(left > right)),
            (GreaterOrEqual, Value::Text(left), Value::Text(right)) => {
                Ok(Value::Bool(left >= right))
            }
            (operator, Value::Number(left), Value::Number(right)) => match operator {
                Add => Ok(Value::Number(left + right)),
                Subtract => Ok(Value::Number(left - right)),
                Multiply => Ok(Value::Number(left * right)),
                Divide => Ok(Value::Number(left / right)),
                Remainder => Ok(Value::Number(left % right)),
                Less => Ok(Value::Bool(left < right)),
                LessOrEqual => Ok(Value::Bool(left <= right)),
                Greater => Ok(Value::Bool(left > right)),
                GreaterOrEqual => Ok(Value::Bool(left >= right)),
                Equal | Unequal | In | Index => Err(Nothing::Mismatch),
            },
            _ => Err(Nothing::Mismatch),
        }
    }

    fn call(&mut self, function: Function, arguments: &[Value]) -> Result<Value, Nothing> {
        self.spend(arguments.iter().map(Value::extent).sum())?;
        match (function, arguments) {
            (Function::Size, [Value::List(list)]) => Ok(Value::Number(list.len() as f64)),
            (Function::Size, [Value::Text(text)]) => Ok(Value::Number(text.chars().count() as f64)),
            (Function::Contains, [Value::Text(text), Value::Text(part)]) => {
                Ok(Value::Bool(text.contains(&**part)))
            }
            (Function::StartsWith, [Value::Text(text), Value::Text(part)]) => {
                Ok(Value::Bool(text.starts_with(&**part)))
            }
            (Function::EndsWith, [Value::Text(text), Value::Text(part)]) => {
                Ok(Value::Bool(text.ends_with(&**part)))
            }
            (Function::Min | Function::Max, [Value::List(list)]) => extreme(function, list),
            (Function::Min | Function::Max, numbers) => extreme(function, numbers),
            (Function::Int, [Value::Number(number)]) => Ok(Value::Number(number.trunc())),
            (Function::Double, [Value::Number(number)]) => Ok(Value::Number(*number)),
            _ => Err(Nothing::Mismatch),
        }
    }

    fn fold(&mut self, fold: &Fold) -> Result<Value, Nothing> {
        let Value::List(range) = self.of(&fold.range)? else { return Err(Nothing::Mismatch) };
        let mut total = self.of(&fold.init)?;
        let outer = self.locals.len();
        let outcome = (|| {
            for item in &*range {
                self.locals.truncate(outer);
                self.locals.extend([item.clone(), total.clone()]);
                if !self.truth(&fold.condition)? {
                    break;
                }
                total = match self.of(&fold.step) {
                    Ok(next) => next,
                    Err(nothing) => return Err(nothing),
                };
            }
            self.locals.truncate(outer);
            // the result reads the total only, but its place is behind that of the item
            self.locals.extend([Value::Bool(false), total]);
            self.of(&fold.result)
        })();
        self.locals.truncate(outer);
        outcome
    }
}

impl Value {
    /// How much there is to copy or to compare. A list that holds another one many times over is
    /// small in memory and without end to count, so the counting ends where it would be
    /// too much.
    fn extent(&self) -> usize {
        let mut counted = 0;
        self.count(&mut counted);
        counted
    }

    fn count(&self, counted: &mut usize) {
        match self {
            Self::Bool(_) | Self::Number(_) => {}
            Self::Text(text) => *counted += text.len() / 16,
            Self::List(list) => {
                *counted += list.len();
                for item in &**list {
                    if *counted > MAX_STEPS as usize {
                        return;
                    }
                    item.count(counted);
                }
            }
        }
    }
}

fn extreme(function: Function, numbers: &[Value]) -> Result<Value, Nothing> {
    let better = |a: f64, b: f64| if function == Function::Min { a.min(b) } else { a.max(b) };
    let mut best: Option<f64> = None;
    for number in numbers {
        let Value::Number(number) = number else { return Err(Nothing::Mismatch) };
        best = Some(best.map_or(*number, |best| better(best, *number)));
    }
    best.map(Value::Number).ok_or(Nothing::Mismatch)
}
