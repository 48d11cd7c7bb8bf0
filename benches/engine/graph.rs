//! The description of a graph. Every contender builds its own graph from it.

/// What a task computes from its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Returns 1.
    Source,
    /// Returns `3 x + 1`.
    Step,
    /// Returns `2 x`.
    Twice,
    /// Adds up any number of values. The order must not matter, because some contenders do not
    /// preserve it.
    Sum,
}

/// Tasks and their inputs, in topological order. The last task returns the result.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    ops: Vec<Op>,
    /// The inputs of task `i` are `inputs[ends[i - 1]..ends[i]]`.
    inputs: Vec<u32>,
    ends: Vec<u32>,
}

impl Graph {
    /// Adds a task and returns its number.
    pub(crate) fn add(&mut self, op: Op, inputs: &[u32]) -> u32 {
        let task = index(self.ops.len());
        assert!(inputs.iter().all(|&input| input < task), "the inputs of a task come before it");
        self.ops.push(op);
        self.inputs.extend_from_slice(inputs);
        self.ends.push(index(self.inputs.len()));
        task
    }

    /// The number of tasks.
    pub(crate) fn len(&self) -> usize {
        self.ops.len()
    }

    /// The task that returns the result.
    pub(crate) fn last(&self) -> usize {
        self.len().checked_sub(1).expect("every shape has a task")
    }

    /// The tasks in order, with their operations and inputs.
    pub(crate) fn tasks(&self) -> impl ExactSizeIterator<Item = (Op, &[u32])> {
        (0..self.len()).map(|task| (self.ops[task], self.inputs_of(task)))
    }

    fn inputs_of(&self, task: usize) -> &[u32] {
        let start = if task == 0 { 0 } else { self.ends[task - 1] };
        &self.inputs[start as usize..self.ends[task] as usize]
    }

    /// For each task, the tasks that take its value, once per use.
    pub(crate) fn successors(&self) -> Vec<Vec<u32>> {
        let mut successors = vec![Vec::new(); self.len()];
        for (task, (_, inputs)) in (0..).zip(self.tasks()) {
            for &input in inputs {
                successors[input as usize].push(task);
            }
        }
        successors
    }

    /// The result, computed sequentially.
    pub(crate) fn evaluate(&self) -> u64 {
        let mut values: Vec<u64> = Vec::with_capacity(self.len());
        for (op, inputs) in self.tasks() {
            let sum = inputs.iter().fold(0u64, |sum, &input| sum.wrapping_add(values[input as usize]));
            values.push(op.of(sum));
        }
        values[self.last()]
    }

    /// The same computation with at most four inputs per task, for contenders with such a limit.
    /// Wide sums become trees of sums, so there are more tasks.
    pub(crate) fn narrowed(&self) -> Graph {
        const MOST: usize = 4;
        let mut narrow = Graph::default();
        let mut number: Vec<u32> = Vec::with_capacity(self.len());
        for (op, inputs) in self.tasks() {
            let mut inputs: Vec<u32> = inputs.iter().map(|&input| number[input as usize]).collect();
            while inputs.len() > MOST {
                let mut sum = |part: &[u32]| if let [one] = part { *one } else { narrow.add(Op::Sum, part) };
                inputs = inputs.chunks(MOST).map(&mut sum).collect();
            }
            number.push(narrow.add(op, &inputs));
        }
        narrow
    }
}

impl Op {
    /// The value of a task whose inputs add up to `sum`.
    pub(crate) fn of(self, sum: u64) -> u64 {
        match self {
            Op::Source => 1,
            Op::Step => sum.wrapping_mul(3).wrapping_add(1),
            Op::Twice => sum.wrapping_mul(2),
            Op::Sum => sum,
        }
    }
}

fn index(length: usize) -> u32 {
    u32::try_from(length).expect("the shapes are smaller than 2^32")
}
