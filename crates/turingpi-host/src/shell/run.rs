// SPDX-License-Identifier: Apache-2.0
//! A script as it runs. Every command is a step, and steps, nesting and output are bounded: what loops for ever is killed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::parse::{self, Node, ParseError, Redirect, Target, Word};
use super::pattern;
use super::streams::{Buffer, Fds, In, Out};
use crate::session::{Host, Stream, Waiting};
use crate::users::User;

/// Commands that one line or script may run.
const STEPS: u32 = 100_000;
/// Bytes that it may write, to files and pipes too.
const BYTES: u64 = 256 << 20;
/// Bytes that one pipe or session may hold at a time.
const HELD: u64 = 32 << 20;
/// How deep commands may call commands.
const DEPTH: usize = 100;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    Next(i32),
    Exit(i32),
    /// As an exit, but who sits at a prompt stays there.
    Error(i32),
    Return(i32),
    Break(usize),
    Continue(usize),
    /// Out of bounds.
    Killed,
}

impl Flow {
    pub(crate) fn status(self) -> i32 {
        match self {
            Self::Next(status)
            | Self::Exit(status)
            | Self::Error(status)
            | Self::Return(status) => status,
            Self::Break(_) | Self::Continue(_) => 0,
            Self::Killed => 137,
        }
    }
}

#[derive(Clone, Copy, Default)]
pub(super) struct Settings {
    pub(super) errexit: bool,
    pub(super) nounset: bool,
    pub(super) pipefail: bool,
    pub(super) xtrace: bool,
}

#[derive(Default)]
struct Budget {
    steps: AtomicU32,
    bytes: AtomicU64,
}

/// A shell.
#[derive(Clone)]
pub(crate) struct Shell {
    pub(super) host: Arc<dyn Host>,
    /// `$0`.
    pub(super) name: String,
    pub(super) variables: HashMap<String, String>,
    pub(super) exported: BTreeSet<String>,
    functions: HashMap<String, Arc<Node>>,
    pub(super) args: Vec<String>,
    pub(super) cwd: String,
    pub(super) user: User,
    pub(super) status: i32,
    pub(super) options: Settings,
    pub(super) umask: u16,
    pub(super) terminal: bool,
    pub(super) line: usize,
    /// What ends a command when the module's time reaches it.
    pub(super) deadline: Option<Duration>,
    /// What runs beside the session, and what of it this shell has started.
    jobs: Arc<AtomicUsize>,
    pub(super) children: Arc<AtomicUsize>,
    pub(super) on_exit: Option<String>,
    depth: usize,
    condition: usize,
    budget: Arc<Budget>,
    /// What was read of the session's input and is not used yet.
    pub(super) pending: Buffer,
}

impl Shell {
    /// A login shell of a user; none when the module has no such user.
    pub(crate) fn login(host: Arc<dyn Host>, user: &str) -> Option<Self> {
        let user = host.machine().user(user)?;
        let mut shell = Self {
            host,
            name: "bash".into(),
            variables: HashMap::new(),
            exported: BTreeSet::new(),
            functions: HashMap::new(),
            args: Vec::new(),
            cwd: "/".into(),
            user: user.clone(),
            status: 0,
            options: Settings::default(),
            umask: 0o022,
            terminal: false,
            line: 1,
            deadline: None,
            jobs: Arc::default(),
            children: Arc::default(),
            on_exit: None,
            depth: 0,
            condition: 0,
            budget: Arc::default(),
            pending: Buffer::default(),
        };
        shell.become_user(&user);
        Some(shell)
    }

    /// Sets what a login sets, and goes home.
    pub(super) fn become_user(&mut self, user: &User) {
        self.user = user.clone();
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        for (name, value) in [
            ("PATH", path),
            ("HOME", &user.home),
            ("USER", &user.name),
            ("LOGNAME", &user.name),
            ("SHELL", &user.shell),
            ("LANG", "C.UTF-8"),
        ] {
            self.export(name, value);
        }
        let home = self
            .host
            .machine()
            .resolve(&user.name, "/", &user.home, true);
        self.cwd = home.unwrap_or_else(|_| "/".into());
        let cwd = self.cwd.clone();
        self.export("PWD", &cwd);
    }

    /// A shell beneath this one: what it changes stays its own.
    pub(super) fn fork(&self) -> Self {
        Self {
            depth: self.depth + 1,
            on_exit: None,
            ..self.clone()
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    pub(super) fn set(&mut self, name: &str, value: String) {
        if self.variables.len() < 10_000 {
            self.variables.insert(name.into(), value);
        }
    }

    pub(super) fn export(&mut self, name: &str, value: &str) {
        self.set(name, value.into());
        self.exported.insert(name.into());
    }

    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        let of = |name: &String| self.get(name).map(|value| (name.clone(), value));
        self.exported.iter().filter_map(of).collect()
    }

    /// What this shell calls itself before an error.
    fn prefix(&self) -> String {
        let line = self.line;
        match (self.terminal, self.name.as_str()) {
            (true, _) => "-bash: ".into(),
            (false, "bash") => format!("bash: line {line}: "),
            (false, name) => format!("{name}: {line}: "),
        }
    }

    /// An error of the shell.
    pub(super) fn complain(&self, fds: &Fds, text: &str) {
        self.write(&fds.stderr, format!("{}{text}\n", self.prefix()).as_bytes());
    }

    /// An error that ends the script.
    pub(super) fn die(&self, fds: &Fds, text: &str) -> Flow {
        self.complain(fds, text);
        Flow::Error(1)
    }

    pub(super) fn write(&self, out: &Out, bytes: &[u8]) {
        let before = self
            .budget
            .bytes
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if before > BYTES {
            return;
        }
        match out {
            Out::Session(stream) => {
                if before < HELD {
                    self.host.write(*stream, bytes);
                }
            }
            Out::Bytes(buffer) => {
                let mut held = buffer.lock();
                if (held.len() as u64) < HELD {
                    held.extend(bytes);
                }
            }
            Out::File(path) => {
                let result = self.host.machine().append(path, bytes);
                if let Err(e) = result {
                    self.host.write(
                        Stream::Error,
                        format!("bash: write error: {e}\n").as_bytes(),
                    );
                }
            }
            Out::Null => {}
        }
    }

    /// All of what a command may read, up to the bytes that a volume holds.
    pub(super) async fn read_all(&self, input: &In) -> Vec<u8> {
        match input {
            In::Null => Vec::new(),
            In::Bytes(buffer) => buffer.take(),
            In::Session => {
                let mut bytes = self.pending.take();
                while (bytes.len() as u64) < crate::files::VOLUME_BYTES {
                    match self.host.read().await {
                        Some(more) => bytes.extend(more),
                        None => break,
                    }
                }
                bytes
            }
        }
    }

    /// The next line that a command may read.
    pub(super) async fn read_line(&self, input: &In) -> Option<Vec<u8>> {
        match input {
            In::Null => None,
            In::Bytes(buffer) => buffer.line(),
            In::Session => {
                while !self.pending.has_line() {
                    match self.host.read().await {
                        Some(more) => self.pending.lock().extend(more),
                        None => break,
                    }
                }
                self.pending.line()
            }
        }
    }

    /// Lets time pass; false when the deadline came first.
    pub(super) async fn rest(&self, time: Duration) -> bool {
        let now = self.host.machine().now;
        match self.deadline {
            Some(deadline) if now + time > deadline => {
                self.host.sleep(deadline.saturating_sub(now)).await;
                false
            }
            _ => {
                if !time.is_zero() {
                    self.host.sleep(time).await;
                }
                true
            }
        }
    }

    /// Counts a command; an end when there were too many, or the user interrupted.
    async fn step(&mut self) -> Option<Flow> {
        let steps = self.budget.steps.fetch_add(1, Ordering::Relaxed);
        if steps % 32 == 31 {
            self.host.pause().await;
        }
        if self.host.interrupted() {
            return Some(Flow::Error(130));
        }
        if self.deadline.is_some_and(|d| self.host.machine().now > d) {
            return Some(Flow::Exit(124));
        }
        if steps > STEPS || self.depth > DEPTH || self.budget.bytes.load(Ordering::Relaxed) > BYTES
        {
            if steps <= STEPS + 1 {
                // told past the budget for output, which may be what is used up
                let text = format!(
                    "{}Killed: too many commands, too deep, or too much output\n",
                    self.prefix()
                );
                self.host.write(Stream::Error, text.as_bytes());
            }
            self.budget.steps.fetch_max(STEPS + 1, Ordering::Relaxed);
            return Some(Flow::Killed);
        }
        None
    }

    /// Runs a script to its end, and gives its exit code.
    pub(crate) async fn script(&mut self, name: &str, text: &str) -> i32 {
        name.clone_into(&mut self.name);
        let fds = Fds::session();
        let flow = self.source(text, &fds).await;
        let status = self.leave(flow, &fds).await;
        if flow == Flow::Killed {
            return 137;
        }
        status
    }

    /// The end of a script: what `trap … EXIT` left to do.
    pub(super) async fn leave(&mut self, flow: Flow, fds: &Fds) -> i32 {
        let status = flow.status();
        if let Some(text) = self.on_exit.take() {
            self.status = status;
            Box::pin(self.source(&text, fds)).await;
        }
        status
    }

    /// Reads a script and runs it.
    pub(super) fn source<'a>(&'a mut self, text: &'a str, fds: &'a Fds) -> Waiting<'a, Flow> {
        Box::pin(async move {
            match parse::parse(text) {
                Ok(node) => self.run(&node, fds).await,
                Err(ParseError::Unfinished(why) | ParseError::Wrong(why)) => {
                    self.complain(fds, &why);
                    Flow::Error(2)
                }
            }
        })
    }

    /// Reads commands line by line and runs them, until the input ends or `exit`.
    pub(crate) async fn interact(&mut self, terminal: bool) -> i32 {
        self.terminal = terminal;
        let fds = Fds::session();
        let mut text = String::new();
        loop {
            if terminal {
                let prompt = if text.is_empty() {
                    self.prompt()
                } else {
                    "> ".into()
                };
                self.host.write(Stream::Output, prompt.as_bytes());
            }
            let Some(line) = self.read_line(&In::Session).await else {
                if !text.is_empty() {
                    self.complain(&fds, "syntax error: unexpected end of file");
                    self.status = 2;
                }
                if terminal {
                    self.host.write(Stream::Output, b"logout\n");
                }
                return self.status;
            };
            if self.host.interrupted() {
                text.clear();
            }
            text += &String::from_utf8_lossy(&line);
            let node = match parse::parse(&text) {
                Ok(node) => node,
                Err(ParseError::Unfinished(_)) if text.len() < parse::SCRIPT_BYTES => continue,
                Err(ParseError::Unfinished(why) | ParseError::Wrong(why)) => {
                    self.complain(&fds, &why);
                    self.status = 2;
                    text.clear();
                    continue;
                }
            };
            text.clear();
            self.budget = Arc::default();
            let flow = self.run(&node, &fds).await;
            if let Flow::Exit(status) = flow {
                return self.leave(Flow::Exit(status), &fds).await;
            }
            self.status = flow.status();
            if !terminal && matches!(flow, Flow::Error(_) | Flow::Killed) {
                return self.status;
            }
        }
    }

    fn prompt(&self) -> String {
        let machine = self.host.machine();
        let home = self.user.home.as_str();
        let at = match self.cwd.strip_prefix(home) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("~{rest}"),
            _ => self.cwd.clone(),
        };
        let sign = if self.user.name == "root" { '#' } else { '$' };
        format!("{}@{}:{at}{sign} ", self.user.name, machine.hostname())
    }

    /// Runs a part of a script.
    pub(super) fn run<'a>(&'a mut self, node: &'a Node, fds: &'a Fds) -> Waiting<'a, Flow> {
        Box::pin(async move {
            self.depth += 1;
            let flow = self.run_node(node, fds).await;
            self.depth -= 1;
            if let Flow::Next(status) = flow {
                self.status = status;
                let counts = matches!(
                    node,
                    Node::Simple { .. }
                        | Node::Pipeline { not: false, .. }
                        | Node::Subshell(_)
                        | Node::Test { .. }
                );
                if status != 0 && self.options.errexit && self.condition == 0 && counts {
                    return Flow::Exit(status);
                }
            }
            flow
        })
    }

    /// Runs what decides: a failure in it ends nothing.
    async fn decide(&mut self, node: &Node, fds: &Fds) -> Flow {
        self.condition += 1;
        let flow = self.run(node, fds).await;
        self.condition -= 1;
        flow
    }

    fn run_node<'a>(&'a mut self, node: &'a Node, fds: &'a Fds) -> Waiting<'a, Flow> {
        Box::pin(async move {
            if let Some(flow) = self.step().await {
                return flow;
            }
            match node {
                Node::Simple {
                    line,
                    assignments,
                    words,
                    redirects,
                } => {
                    self.line = *line;
                    self.simple(assignments, words, redirects, fds).await
                }
                Node::Pipeline { not, stages } => self.pipeline(*not, stages, fds).await,
                Node::And(left, right) => match self.decide(left, fds).await {
                    Flow::Next(0) => self.run(right, fds).await,
                    other => other,
                },
                Node::Or(left, right) => match self.decide(left, fds).await {
                    Flow::Next(0) => Flow::Next(0),
                    Flow::Next(_) => self.run(right, fds).await,
                    other => other,
                },
                Node::List(nodes) => {
                    let mut flow = Flow::Next(0);
                    for node in nodes {
                        flow = self.run(node, fds).await;
                        if !matches!(flow, Flow::Next(_)) {
                            break;
                        }
                    }
                    flow
                }
                Node::Background(node) => {
                    self.background(node.clone(), fds);
                    Flow::Next(0)
                }
                Node::Redirected(node, redirects) => match self.redirect(redirects, fds).await {
                    Ok(fds) => self.run(node, &fds).await,
                    Err(flow) => flow,
                },
                Node::Group(node) => self.run(node, fds).await,
                Node::Subshell(node) => {
                    let mut shell = self.fork();
                    let flow = shell.run(node, fds).await;
                    if flow == Flow::Killed {
                        return flow;
                    }
                    Flow::Next(shell.leave(flow, fds).await)
                }
                Node::If(branches, otherwise) => {
                    for (condition, body) in branches {
                        match self.decide(condition, fds).await {
                            Flow::Next(0) => return self.run(body, fds).await,
                            Flow::Next(_) => {}
                            other => return other,
                        }
                    }
                    match otherwise {
                        Some(body) => self.run(body, fds).await,
                        None => Flow::Next(0),
                    }
                }
                Node::While {
                    until,
                    condition,
                    body,
                } => self.repeat(*until, condition, body, fds).await,
                Node::For { name, words, body } => {
                    let values = match words {
                        Some(words) => match self.expand(words, fds).await {
                            Ok(values) => values,
                            Err(flow) => return flow,
                        },
                        None => self.args.clone(),
                    };
                    let mut status = 0;
                    for value in values {
                        self.set(name, value);
                        match self.run(body, fds).await {
                            Flow::Next(code) => status = code,
                            Flow::Break(n) if n > 1 => return Flow::Break(n - 1),
                            Flow::Break(_) => return Flow::Next(0),
                            Flow::Continue(n) if n > 1 => return Flow::Continue(n - 1),
                            Flow::Continue(_) => {}
                            other => return other,
                        }
                    }
                    Flow::Next(status)
                }
                Node::Case(subject, arms) => {
                    let subject = match self.expand_one(subject, fds).await {
                        Ok(subject) => subject,
                        Err(flow) => return flow,
                    };
                    for (patterns, body) in arms {
                        for word in patterns {
                            match self.expand_pattern(word, fds).await {
                                Ok(pattern) if pattern::matches(&pattern, &subject) => {
                                    return self.run(body, fds).await;
                                }
                                Ok(_) => {}
                                Err(flow) => return flow,
                            }
                        }
                    }
                    Flow::Next(0)
                }
                Node::Function(name, body) => {
                    if self.functions.len() < 1000 {
                        self.functions.insert(name.clone(), body.clone());
                    }
                    Flow::Next(0)
                }
                Node::Test { line, words } => {
                    self.line = *line;
                    self.test_expression(words, fds).await
                }
            }
        })
    }

    async fn repeat(&mut self, until: bool, condition: &Node, body: &Node, fds: &Fds) -> Flow {
        let mut status = 0;
        loop {
            match self.decide(condition, fds).await {
                Flow::Next(code) if (code == 0) != until => {}
                Flow::Next(_) => return Flow::Next(status),
                other => return other,
            }
            match self.run(body, fds).await {
                Flow::Next(code) => status = code,
                Flow::Break(n) if n > 1 => return Flow::Break(n - 1),
                Flow::Break(_) => return Flow::Next(0),
                Flow::Continue(n) if n > 1 => return Flow::Continue(n - 1),
                Flow::Continue(_) => {}
                other => return other,
            }
        }
    }

    /// One command after another, each reading what the one before it wrote.
    async fn pipeline(&mut self, not: bool, stages: &[Node], fds: &Fds) -> Flow {
        let mut input = fds.stdin.clone();
        let (mut status, mut worst) = (0, 0);
        for (i, stage) in stages.iter().enumerate() {
            let last = i + 1 == stages.len();
            let (mut own, buffer) = if last {
                (fds.clone(), Buffer::default())
            } else {
                fds.captured()
            };
            own.stdin = input;
            let flow = if stages.len() == 1 {
                self.decide(stage, &own).await
            } else {
                let mut shell = self.fork();
                shell.condition += usize::from(!last);
                let flow = shell.run(stage, &own).await;
                if flow == Flow::Killed {
                    flow
                } else {
                    Flow::Next(shell.leave(flow, &own).await)
                }
            };
            let Flow::Next(code) = flow else { return flow };
            status = code;
            if code != 0 {
                worst = code;
            }
            input = In::Bytes(buffer);
        }
        if self.options.pipefail {
            status = worst;
        }
        Flow::Next(if not { i32::from(status == 0) } else { status })
    }

    fn background(&mut self, node: Arc<Node>, fds: &Fds) {
        let mut shell = self.fork();
        shell.depth = 0;
        shell.budget = Arc::default();
        let fds = Fds {
            stdin: In::Null,
            ..fds.clone()
        };
        // it waits for what it starts, and not for itself
        shell.children = Arc::default();
        let (jobs, children) = (self.jobs.clone(), self.children.clone());
        if jobs.load(Ordering::Relaxed) >= 64 {
            self.complain(&fds, "fork: retry: Resource temporarily unavailable");
            return;
        }
        jobs.fetch_add(1, Ordering::Relaxed);
        children.fetch_add(1, Ordering::Relaxed);
        self.host.spawn(Box::pin(async move {
            let flow = shell.run(&node, &fds).await;
            shell.leave(flow, &fds).await;
            jobs.fetch_sub(1, Ordering::Relaxed);
            children.fetch_sub(1, Ordering::Relaxed);
        }));
    }

    /// What a command reads and writes after redirections.
    async fn redirect(&mut self, redirects: &[Redirect], fds: &Fds) -> Result<Fds, Flow> {
        let mut fds = fds.clone();
        for redirect in redirects {
            let outer = fds.clone();
            match &redirect.target {
                Target::Here(body) => {
                    let word = body.get().cloned().unwrap_or_default();
                    let text = self.expand_one(&word, &outer).await?;
                    fds.stdin = In::Bytes(Buffer::with(text.into_bytes()));
                }
                Target::Descriptor(from) => {
                    let source = match from {
                        None => Out::Null,
                        Some(1) => fds.stdout.clone(),
                        Some(2) => fds.stderr.clone(),
                        Some(_) => continue,
                    };
                    match redirect.descriptor {
                        0 => fds.stdin = In::Null,
                        1 => fds.stdout = source,
                        _ => fds.stderr = source,
                    }
                }
                Target::File(word) => {
                    let path = self.expand_one(word, &outer).await?;
                    let opened = if redirect.descriptor == 0 {
                        let read = self.host.machine().read(&self.user.name, &self.cwd, &path);
                        read.map(|bytes| fds.stdin = In::Bytes(Buffer::with(bytes)))
                    } else {
                        let mode = 0o666 & !self.umask;
                        let opened = self.host.machine().open(
                            &self.user.name,
                            &self.cwd,
                            &path,
                            redirect.append,
                            mode,
                        );
                        opened.map(|path| {
                            let out = if path == "/dev/null" {
                                Out::Null
                            } else {
                                Out::File(path)
                            };
                            if redirect.descriptor == 1 || redirect.both {
                                fds.stdout = out.clone();
                            }
                            if redirect.descriptor == 2 || redirect.both {
                                fds.stderr = out;
                            }
                        })
                    };
                    if let Err(e) = opened {
                        self.complain(&outer, &format!("{path}: {e}"));
                        return Err(Flow::Next(1));
                    }
                }
            }
        }
        Ok(fds)
    }

    async fn simple(
        &mut self,
        assignments: &[(String, Word)],
        words: &[Word],
        redirects: &[Redirect],
        fds: &Fds,
    ) -> Flow {
        let words = match self.expand(words, fds).await {
            Ok(words) => words,
            Err(flow) => return flow,
        };
        let before = self.status;
        let mut values = Vec::new();
        self.status = 0;
        for (name, word) in assignments {
            match self.expand_one(word, fds).await {
                Ok(value) => values.push((name.clone(), value)),
                Err(flow) => return flow,
            }
        }
        if self.options.xtrace {
            let set: String = values.iter().map(|(n, v)| format!("{n}={v} ")).collect();
            self.write(
                &fds.stderr,
                format!("+ {set}{}\n", words.join(" ")).as_bytes(),
            );
        }
        let fds = match self.redirect(redirects, fds).await {
            Ok(fds) => fds,
            Err(flow) => return flow,
        };
        let Some(name) = words.first() else {
            for (name, value) in values {
                self.set(&name, value);
            }
            // a command in the value has the last word
            return Flow::Next(self.status);
        };
        self.status = before;
        // variables before a command are its own
        let kept: Vec<(String, Option<String>, bool)> = values
            .iter()
            .map(|(n, _)| (n.clone(), self.get(n), self.exported.contains(n)))
            .collect();
        for (name, value) in &values {
            self.export(name, value);
        }
        let flow = if let Some(body) = self.functions.get(name).cloned() {
            let outer = std::mem::replace(&mut self.args, words[1..].to_vec());
            let flow = self.run(&body, &fds).await;
            self.args = outer;
            match flow {
                Flow::Return(status) => Flow::Next(status),
                other => other,
            }
        } else {
            self.call(&words, &fds).await
        };
        for (name, value, exported) in kept {
            match value {
                Some(value) => self.set(&name, value),
                None => drop(self.variables.remove(&name)),
            }
            if !exported {
                self.exported.remove(&name);
            }
        }
        flow
    }

    /// Calls a builtin or a program by its name.
    pub(super) fn call<'a>(&'a mut self, words: &'a [String], fds: &'a Fds) -> Waiting<'a, Flow> {
        Box::pin(async move {
            match self.builtin(words, fds).await {
                Some(flow) => flow,
                None => self.program(words, fds).await,
            }
        })
    }
}
