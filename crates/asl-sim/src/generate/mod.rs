//! Random definitions: every state, nested, in both query languages; they always load, and always end.

mod tasks;

use crate::Dice;
use tasks::Rules;

/// How many states a definition has at most, but for the ends of its flows.
const STATES: u32 = 16;
/// How deep Parallel and Map are nested.
const DEPTH: u32 = 3;

/// The text of a definition.
pub fn definition(dice: &mut Dice) -> String {
    let mut writer = Writer { dice, names: 0, left: STATES };
    let flow = writer.flow(0);
    let timeout = if dice.percent(8) { format!(r#""TimeoutSeconds":{},"#, 15 + dice.below(60)) } else { String::new() };
    format!("{{{timeout}{flow}}}")
}

/// The text of an input for it.
pub fn input(dice: &mut Dice) -> String {
    let items: Vec<String> = (0..dice.below(4)).map(|n| n.to_string()).collect();
    format!(r#"{{"n":{},"items":[{}],"r":0}}"#, dice.below(4), items.join(","))
}

/// Writes flows backwards: whoever is written knows the name of what comes after it.
struct Writer<'d> {
    dice: &'d mut Dice,
    names: u32,
    left: u32,
}

/// The states of a flow so far, and where its catchers lead.
struct Flow {
    states: Vec<String>,
    last: String,
}

impl Flow {
    fn add(&mut self, name: &str, body: &str) {
        self.states.push(format!(r#""{name}":{{{body}}}"#));
    }
}

impl Writer<'_> {
    fn number(&mut self) -> u32 {
        self.names += 1;
        self.names
    }

    fn name(&mut self) -> String {
        format!("S{}", self.number())
    }

    /// `"StartAt": …, "States": {…}`
    fn flow(&mut self, depth: u32) -> String {
        let last = self.name();
        let mut flow = Flow { states: Vec::new(), last: last.clone() };
        flow.add(&last, r#""Type":"Succeed""#);
        let first = self.chain(&mut flow, depth, &last);
        format!(r#""StartAt":"{first}","States":{{{}}}"#, flow.states.join(","))
    }

    /// One to three states that lead to `next`; the first one's name.
    fn chain(&mut self, flow: &mut Flow, depth: u32, next: &str) -> String {
        let mut next = next.to_owned();
        for _ in 0..=self.dice.below(3) {
            next = self.state(flow, depth, &next);
        }
        next
    }

    fn state(&mut self, flow: &mut Flow, depth: u32, next: &str) -> String {
        if self.left == 0 {
            return self.pass(flow, next);
        }
        self.left -= 1;
        match self.dice.below(if depth < DEPTH { 20 } else { 13 }) {
            0 | 1 => self.pass(flow, next),
            2 | 3 => self.wait(flow, next),
            4 => self.choice(flow, next),
            5 => self.jsonata(flow, next),
            6 => self.bad_path(flow, next),
            7..=12 => self.task(flow, next),
            13 | 14 => self.counted_loop(flow, depth, next),
            15 | 16 => self.parallel(flow, depth, next),
            17 | 18 => self.map(flow, depth, next),
            _ => self.distributed(flow, depth, next),
        }
    }

    fn pass(&mut self, flow: &mut Flow, next: &str) -> String {
        let (name, variable) = (self.name(), self.number());
        let work = match self.dice.below(4) {
            0 => r#""Result":[1],"ResultPath":"$.r""#.to_owned(),
            1 => format!(r#""Assign":{{"v{variable}.$":"States.UUID()","w{variable}.$":"$.n"}}"#),
            2 => r#""Parameters":{"id.$":"States.UUID()","at.$":"$$.State.EnteredTime"},"ResultPath":"$.r""#.to_owned(),
            _ => r#""Parameters":{"d.$":"States.MathRandom(1, 1000)"},"ResultPath":"$.r""#.to_owned(),
        };
        flow.add(&name, &format!(r#""Type":"Pass",{work},"Next":"{next}""#));
        name
    }

    fn wait(&mut self, flow: &mut Flow, next: &str) -> String {
        let (name, seconds) = (self.name(), self.dice.below(6));
        let work = match self.dice.below(4) {
            0 => format!(r#""Seconds":{seconds}"#),
            1 => r#""SecondsPath":"$.n""#.to_owned(),
            2 => format!(r#""QueryLanguage":"JSONata","Seconds":"{{% $states.input.n + {seconds} %}}""#),
            _ => format!(
                r#""QueryLanguage":"JSONata","Timestamp":"{{% $fromMillis($millis() + {}) %}}""#,
                seconds * 1000 + 500
            ),
        };
        flow.add(&name, &format!(r#""Type":"Wait",{work},"Next":"{next}""#));
        name
    }

    fn choice(&mut self, flow: &mut Flow, next: &str) -> String {
        let (name, fail, n) = (self.name(), self.name(), self.dice.below(4));
        flow.add(&fail, r#""Type":"Fail","Error":"E2","Cause":"asked for""#);
        let work = if self.dice.percent(50) {
            format!(
                r#""QueryLanguage":"JSONata","Choices":[{{"Condition":"{{% $states.input.n = {n} %}}","Next":"{fail}"}}]"#
            )
        } else {
            format!(r#""Choices":[{{"Variable":"$.n","NumericEquals":{n},"Next":"{fail}"}}]"#)
        };
        flow.add(&name, &format!(r#""Type":"Choice",{work},"Default":"{next}""#));
        name
    }

    fn jsonata(&mut self, flow: &mut Flow, next: &str) -> String {
        let (name, v) = (self.name(), self.number());
        let work = format!(
            r#""Output":"{{% $merge([$states.input, {{'t': $millis(), 'u': $uuid()}}]) %}}","Assign":{{"v{v}":"{{% $random() %}}"}}"#
        );
        flow.add(&name, &format!(r#""Type":"Pass","QueryLanguage":"JSONata",{work},"Next":"{next}""#));
        name
    }

    /// A state that fails for some inputs.
    fn bad_path(&mut self, flow: &mut Flow, next: &str) -> String {
        let name = self.name();
        let work = self.dice.pick(&[
            r#""Parameters":{"a.$":"$.r"},"ResultPath":"$.b""#,
            r#""Parameters":{"a.$":"$.items[1]"},"ResultPath":"$.b""#,
            r#""Parameters":{"a.$":"$.nothing"},"ResultPath":"$.b""#,
            r#""QueryLanguage":"JSONata","Output":"{% $states.input.items + 1 %}""#,
        ]);
        flow.add(&name, &format!(r#""Type":"Pass",{work},"Next":"{next}""#));
        name
    }

    /// A Choice that comes back, up to three times, counted by a variable.
    fn counted_loop(&mut self, flow: &mut Flow, depth: u32, next: &str) -> String {
        let (first, test, again) = (self.name(), self.name(), self.name());
        let (i, times) = (self.number(), 1 + self.dice.below(3));
        let body = self.chain(flow, depth + 1, &again);
        flow.add(&first, &format!(r#""Type":"Pass","Assign":{{"i{i}":0}},"Next":"{test}""#));
        flow.add(
            &test,
            &format!(
                r#""Type":"Choice","Choices":[{{"Variable":"$i{i}","NumericLessThan":{times},"Next":"{body}"}}],"Default":"{next}""#
            ),
        );
        flow.add(&again, &format!(r#""Type":"Pass","Assign":{{"i{i}.$":"States.MathAdd($i{i}, 1)"}},"Next":"{test}""#));
        first
    }

    fn parallel(&mut self, flow: &mut Flow, depth: u32, next: &str) -> String {
        let (name, rules) = (self.name(), Rules::roll(self.dice).paths(&flow.last));
        let branches: Vec<String> = (0..=self.dice.below(3)).map(|_| format!("{{{}}}", self.flow(depth + 1))).collect();
        let branches = branches.join(",");
        flow.add(
            &name,
            &format!(r#""Type":"Parallel","Branches":[{branches}],"ResultPath":"$.p",{rules}"Next":"{next}""#),
        );
        name
    }

    fn map(&mut self, flow: &mut Flow, depth: u32, next: &str) -> String {
        let (name, rules, at_once) = (self.name(), Rules::roll(self.dice).paths(&flow.last), self.dice.below(3));
        let inside = self.flow(depth + 1);
        flow.add(
            &name,
            &format!(
                r#""Type":"Map",{SELECT},"MaxConcurrency":{at_once},"ItemProcessor":{{{inside}}},"ResultPath":"$.m",{rules}"Next":"{next}""#
            ),
        );
        name
    }

    fn distributed(&mut self, flow: &mut Flow, depth: u32, next: &str) -> String {
        let (name, rules, at_once) = (self.name(), Rules::roll(self.dice).paths(&flow.last), self.dice.below(3));
        let items = if self.dice.percent(20) { READER } else { r#""ItemsPath":"$.items","# };
        let writer = if self.dice.percent(20) { WRITER } else { "" };
        let tolerated = match self.dice.below(3) {
            0 => String::new(),
            n => format!(r#""ToleratedFailureCount":{n},"#),
        };
        let inside = self.flow(depth + 1);
        flow.add(
            &name,
            &format!(
                r#""Type":"Map",{items}{writer}{tolerated}{SELECTOR},"MaxConcurrency":{at_once},"ItemProcessor":{{"ProcessorConfig":{{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"}},{inside}}},"ResultPath":"$.m",{rules}"Next":"{next}""#
            ),
        );
        name
    }
}

const SELECTOR: &str = r#""ItemSelector":{"items":[1,2],"n.$":"$$.Map.Item.Index","r":0}"#;
const SELECT: &str = r#""ItemsPath":"$.items","ItemSelector":{"items":[1,2],"n.$":"$$.Map.Item.Index","r":0}"#;
const READER: &str = r#""ItemReader":{"Resource":"arn:aws:states:::s3:getObject","ReaderConfig":{"InputType":"JSON"},"Parameters":{"Bucket":"b","Key":"items.json"}},"#;
const WRITER: &str =
    r#""ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"b","Prefix":"out"}},"#;
