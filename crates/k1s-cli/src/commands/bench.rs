// SPDX-License-Identifier: Apache-2.0
//! `bench`: how fast an API is, the one in this process or any other.
//!
//! ConfigMaps are created, read, changed, listed and deleted in a namespace of their own, which goes in the end. What is measured is
//! the time from the request to the whole answer, as any command has it.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::tabwriter;

/// `bench`.
pub(super) static COMMAND: Command = Command {
    name: "bench",
    aliases: &[],
    usage: "[--count=COUNT] [-c CONCURRENCY] [--size BYTES] [-o json]",
    about: "Measure how fast the API is, in a namespace of its own that goes in the end.",
    examples: &[
        ("A new store", "bench --data-dir ./fresh"),
        (
            "A server, with many requests at a time, for programs",
            "bench --kubeconfig kc.yaml --count=10000 -c 64 -o json",
        ),
    ],
    flags: &[&[
        Flag::number("concurrency", "1", "Requests at a time, at most 256.").short('c'),
        Flag::number("count", "1000", "Objects, at most 1000000."),
        Flag::text("output", "json for programs; a table without it.").short('o'),
        Flag::number(
            "size",
            "1024",
            "Bytes of data in an object, at most 1000000.",
        ),
    ]],
    subcommands: &[],
    run: Some(|cx, args| Box::pin(run(cx, args))),
};

/// What was measured of one kind of request.
struct Measured {
    operation: &'static str,
    count: usize,
    all: Duration,
    p50: Duration,
    p99: Duration,
}

/// What is asked for.
struct Plan {
    path: String,
    count: usize,
    concurrency: usize,
    data: String,
}

async fn run(cx: &Context, args: &Parsed) -> Result {
    if let Some(word) = args.args.first() {
        return Err(Error::usage(format!("{word:?} is not expected here"), args));
    }
    let form = args.text("output");
    if !["", "json"].contains(&form) {
        return Err(Error::usage(
            format!("--output={form} is not offered here; it is json"),
            args,
        ));
    }
    let limited = |flag: &str, most: i64| -> Result<usize> {
        let value = args.number(flag);
        match usize::try_from(value) {
            Ok(count) if (1..=most).contains(&value) => Ok(count),
            _ => Err(Error::usage(
                format!("--{flag}={value} is not between 1 and {most}"),
                args,
            )),
        }
    };
    let (count, concurrency, size) = (
        limited("count", 1_000_000)?,
        limited("concurrency", 256)?,
        limited("size", 1_000_000)?,
    );
    let made = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": { "generateName": "k1s-bench-" },
    });
    let namespace = cx
        .json(&Call::with_json(Method::POST, "/api/v1/namespaces", &made))
        .await?;
    let path = format!("/api/v1/namespaces/{}", k1s_core::object::name(&namespace));
    let plan = Plan {
        path: format!("{path}/configmaps"),
        count,
        concurrency,
        data: "x".repeat(size),
    };
    let measured = measure(cx, &plan).await;
    let gone = cx.call(&Call::new(Method::DELETE, path)).await;
    let measured = measured?;
    gone?;
    show(cx, args, &plan, &measured)
}

async fn measure(cx: &Context, plan: &Plan) -> Result<Vec<Measured>> {
    let path = &plan.path;
    let object = |n: usize| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": format!("bench-{n}") }, "data": { "k": plan.data } });
    let one = |n: usize| format!("{path}/bench-{n}");
    Ok(vec![
        each(cx, plan, "create", plan.count, |n| {
            Call::with_json(Method::POST, path.clone(), &object(n))
        })
        .await?,
        each(cx, plan, "get", plan.count, |n| Call::get(one(n))).await?,
        each(cx, plan, "patch", plan.count, |n| {
            let patch = format!("{{\"data\":{{\"n\":\"{n}\"}}}}");
            Call::new(Method::PATCH, one(n)).body("application/merge-patch+json", patch)
        })
        .await?,
        each(cx, plan, "list", 3, |_| Call::get(path.clone())).await?,
        each(cx, plan, "delete", plan.count, |n| {
            Call::new(Method::DELETE, one(n))
        })
        .await?,
    ])
}

/// Sends requests, so many at a time, and measures each.
async fn each(
    cx: &Context,
    plan: &Plan,
    operation: &'static str,
    count: usize,
    call: impl Fn(usize) -> Call,
) -> Result<Measured> {
    let taken = RefCell::new((0, Vec::with_capacity(count)));
    let worker = async || -> Result {
        loop {
            let n = {
                let mut taken = taken.borrow_mut();
                if taken.0 == count {
                    return Ok(());
                }
                taken.0 += 1;
                taken.0 - 1
            };
            let call = call(n);
            let started = Instant::now();
            cx.call(&call).await?;
            taken.borrow_mut().1.push(started.elapsed());
        }
    };
    let started = Instant::now();
    together((0..plan.concurrency.min(count)).map(|_| worker())).await?;
    let all = started.elapsed();
    let mut times = taken.into_inner().1;
    times.sort_unstable();
    let at = |percent: usize| {
        times
            .get(times.len() * percent / 100)
            .copied()
            .unwrap_or(all)
    };
    Ok(Measured {
        operation,
        count,
        all,
        p50: at(50),
        p99: at(99),
    })
}

/// Runs futures side by side on this thread until all are done, or one fails.
async fn together<F: Future<Output = Result>>(futures: impl Iterator<Item = F>) -> Result {
    let mut running: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    poll_fn(|cx| {
        let mut failed = None;
        running.retain_mut(|future| match future.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(outcome) => {
                failed = failed.take().or(outcome.err());
                false
            }
        });
        match failed {
            Some(error) => Poll::Ready(Err(error)),
            None if running.is_empty() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    })
    .await
}

impl Measured {
    fn per_second(&self) -> f64 {
        let count = u32::try_from(self.count).unwrap_or(u32::MAX);
        f64::from(count) / self.all.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    fn json(&self) -> Value {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        json!({
            "operation": self.operation,
            "count": self.count,
            "perSecond": self.per_second().round(),
            "p50Micros": micros(self.p50),
            "p99Micros": micros(self.p99),
        })
    }
}

fn show(cx: &Context, args: &Parsed, plan: &Plan, measured: &[Measured]) -> Result {
    if args.text("output") == "json" {
        let operations: Vec<Value> = measured.iter().map(Measured::json).collect();
        return cx.line(json!({
            "concurrency": plan.concurrency,
            "size": plan.data.len(),
            "operations": operations,
        }));
    }
    let mut table = "OPERATION\tCOUNT\tPER SECOND\tP50\tP99\n".to_owned();
    for m in measured {
        table += &format!(
            "{}\t{}\t{:.0}\t{:.1?}\t{:.1?}\n",
            m.operation,
            m.count,
            m.per_second(),
            m.p50,
            m.p99
        );
    }
    cx.print(tabwriter::table(&table))
}
