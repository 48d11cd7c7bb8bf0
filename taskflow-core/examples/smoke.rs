use std::time::Instant;
use taskflow_core::dag::*;
use taskflow_core::private as p;
use taskflow_core::task::*;
use taskflow_core::value::TypeInfo;

const LOC: SourceLocation = SourceLocation { file: "x", line: 1, column: 1 };
macro_rules! def {
    ($name:ident, $inputs:expr, $kind:expr, $body:expr) => {
        static $name: TaskDef = TaskDef {
            id: stringify!($name),
            module: "",
            doc: "",
            location: LOC,
            inputs: $inputs,
            output: TypeInfo::of::<u64>(),
            options: TaskOptions::NONE,
            takes_context: false,
            kind: $kind,
            body: $body,
        };
    };
}
const I: InputDef = InputDef { name: "x", ty: TypeInfo::of::<u64>() };
def!(SOURCE, &[], Kind::Sync, Body::Sync(|_, _| p::produce(1u64)));
def!(STEP, &[I], Kind::Sync, Body::Sync(|i, _| p::produce(i.owned::<u64>(0).wrapping_add(1))));
def!(
    ADD3,
    &[I, I, I],
    Kind::Sync,
    Body::Sync(|i, _| {
        let (a, b, c) = (i.owned::<u64>(0), i.owned::<u64>(1), i.owned::<u64>(2));
        p::produce(a.wrapping_add(b).wrapping_add(c))
    })
);
def!(
    ADD2,
    &[I, I],
    Kind::Sync,
    Body::Sync(|i, _| {
        let (a, b) = (i.owned::<u64>(0), i.owned::<u64>(1));
        p::produce(a.wrapping_add(b))
    })
);
def!(
    SUM,
    &[I],
    Kind::Sync,
    Body::Sync(|i, _| {
        let v = i.shared::<Vec<u64>>(0);
        p::produce(v.iter().copied().fold(0u64, u64::wrapping_add))
    })
);
def!(ASTEP, &[I], Kind::Async, Body::Async(|mut i, _| Box::pin(async move { p::produce(i.owned::<u64>(0) + 1) })));
fn source() -> Output<u64> {
    add_task(&SOURCE, [])
}
fn step(x: impl IntoArg<u64>) -> Output<u64> {
    add_task(&STEP, [x.into_arg()])
}
fn astep(x: impl IntoArg<u64>) -> Output<u64> {
    add_task(&ASTEP, [x.into_arg()])
}
fn add3(a: Output<u64>, b: Output<u64>, c: Output<u64>) -> Output<u64> {
    add_task(&ADD3, [IntoArg::<u64>::into_arg(a), IntoArg::<u64>::into_arg(b), IntoArg::<u64>::into_arg(c)])
}
fn add2(a: Output<u64>, b: Output<u64>) -> Output<u64> {
    add_task(&ADD2, [IntoArg::<u64>::into_arg(a), IntoArg::<u64>::into_arg(b)])
}
fn sum(x: impl IntoArg<Vec<u64>>) -> Output<u64> {
    add_task(&SUM, [x.into_arg()])
}

fn bench(name: &str, f: impl FnOnce() -> Output<u64>) {
    if std::env::args().nth(2).is_some_and(|only| only != name) {
        return;
    }
    let t = Instant::now();
    let dag = Dag::build(name, f).unwrap();
    let built = t.elapsed();
    let n = dag.plan().len();
    for _ in 0..3 {
        let t = Instant::now();
        let report = dag.run().wait().unwrap();
        let e = t.elapsed();
        println!(
            "{name:8} n={n:8} build {built:?} run {e:?} = {:.3} us/task  {:?} {:?}",
            e.as_secs_f64() * 1e6 / n as f64,
            report.state(),
            report.result()
        );
    }
}
fn main() {
    let n: usize = std::env::args().nth(1).map_or(1000, |s| s.parse().unwrap());
    bench("chain", || {
        let mut x = source();
        for _ in 1..n {
            x = step(x);
        }
        x
    });
    bench("fan", || {
        let s = source();
        sum((0..n).map(|_| step(s)).collect::<Vec<_>>())
    });
    let l = (n as f64).sqrt() as usize;
    bench("layers", || {
        let mut layer: Vec<_> = (0..l).map(|_| source()).collect();
        for _ in 1..l {
            layer = (0..l).map(|i| add3(layer[i], layer[(i + 1) % l], layer[(i + 7) % l])).collect();
        }
        sum(layer)
    });
    bench("diamond", || {
        let mut x = source();
        for _ in 0..n / 3 {
            let a = step(x);
            let b = step(x);
            x = add2(a, b);
        }
        x
    });
    bench("tree", || {
        let mut layer: Vec<_> = (0..n / 2).map(|_| source()).collect();
        while layer.len() > 1 {
            layer = layer.chunks(2).map(|c| if c.len() == 2 { add2(c[0], c[1]) } else { c[0] }).collect();
        }
        layer[0]
    });
    if n <= 100000 {
        bench("achain", || {
            let mut x = source();
            for _ in 1..n {
                x = astep(x);
            }
            x
        });
        bench("afan", || {
            let s = source();
            sum((0..n).map(|_| astep(s)).collect::<Vec<_>>())
        });
    }
}
