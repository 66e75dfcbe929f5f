//! Expressions, the same for the same seed: every operator, every built-in with fitting and with odd arguments, lambdas, and
//! texts with a token too many or too few.

/// The documents an expression may be asked over.
pub(crate) const DOCUMENTS: &str = r#"[
 {"n": 5, "z": 0, "neg": -3.75, "f": 0.1, "big": 123456789012345, "s": "Hello World", "e": "", "yes": true, "no": false, "nul": null,
  "arr": [3, 1, 2], "dup": [1, 2, 1, "1", 2], "strs": ["b", "a", "C"], "mix": [1, "a", true, null, [2, 3], {"k": 1}], "one": [7],
  "objs": [{"id": 1, "name": "b", "v": 10.5, "tags": ["x", "y"]}, {"id": 2, "name": "a", "v": 3, "tags": "x"},
           {"id": 3, "name": "b", "tags": []}, {"id": 4, "name": null, "v": "n/a"}],
  "o": {"a": 1, "b": {"c": [1, 2, {"d": "deep"}]}, "k y": true}, "nested": [[1, 2], [3, [4]]], "empty": [], "eo": {},
  "num": "42.5", "iso": "2018-04-09T13:07:34.123Z", "uni": "h\u00e9llo \ud83d\ude00", "csv": "a,b;c,,d", "ms": 1521801216617},
 [{"n": 1, "s": "x", "o": {"a": 5}}, {"n": 2, "s": "y", "arr": [[1], [2, 3]]}, {"n": 3, "arr": [4]}],
 "text", 42, null, []
]"#;

/// How many documents there are.
pub(crate) const DOCUMENT_COUNT: usize = 6;

/// SplitMix64.
pub(crate) struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a>(&mut self, words: &'a str) -> &'a str {
        let words: Vec<&str> = words.split([' ', '\n']).filter(|word| !word.is_empty()).collect();
        words[self.below(words.len())]
    }

    fn of<'a>(&mut self, table: &[&'a str]) -> &'a str {
        table[self.below(table.len())]
    }
}

const NUMBERS: &str = "0 1 2 3 -1 5 10 0.5 -2.5 1.005 100 255 1e3 1e21 1e-7 65432 -0.0001 2.5 3.5 1234.5678 9007199254740993 n z neg f arr[0] ms big";
const STRINGS: &[&str] = &[
    "'a'",
    "''",
    "\"x y\"",
    "'Hello World'",
    "'12'",
    "' 3 '",
    "'1e3'",
    "'0x1F'",
    "'a,b,c'",
    "'\\u00e9\\n'",
    "'😀é'",
    "s",
    "e",
    "uni",
    "csv",
    "num",
    "iso",
    "'-'",
    "'ab'",
    "'aXbXc'",
    "strs[0]",
    "'true'",
    "'%'",
    "'%C3%A9'",
    "'a b&c/d?e=f'",
    "'YWJj'",
    "'null'",
];
const BOOLS: &[&str] = &["true", "false", "yes", "no", "n > 3", "s = 'x'", "n in arr", "$exists(z)", "$not(nul)"];
const ARRAYS: &[&str] = &[
    "arr",
    "dup",
    "strs",
    "mix",
    "one",
    "empty",
    "nested",
    "objs",
    "objs.id",
    "objs.name",
    "objs.v",
    "[]",
    "[1]",
    "[1,2,3]",
    "[1..5]",
    "['a','b']",
    "[[1,2],[3]]",
    "[3,'a']",
    "[null]",
    "[1,[2]]",
    "objs.tags",
    "[5..1]",
    "['z','é','A']",
    "[true,false]",
    "[{'a':1},{'a':2}]",
    "[1,1,'1',[1],[1]]",
];
const OBJECTS: &[&str] =
    &["o", "eo", "objs[0]", "{}", "{'a':1}", "{'a':1,'b':[2]}", "{'x':{'y':n}}", "o.b", "{'b':2,'a':null}", "objs[1]"];
const ODD: &[&str] = &[
    "nul",
    "null",
    "missing",
    "$",
    "$$",
    "function($x){$x}",
    "/a/",
    "$sum",
    "$x",
    "nested",
    "o.missing",
    "true",
    "{}",
    "[]",
    "-1",
];
const REGEXES: &[&str] = &[
    "/a/",
    "/[a-z]+/",
    "/o/i",
    "/(l+)(o)/",
    "/X/",
    "/\\d+/",
    "/^H/",
    "/l*/",
    "/(a)|(b)/",
    "/,|;/",
    "/\\s/",
    "/(?:e)l/",
    "/b$/m",
    "/\\w+(?=,)/",
    "/(?<!a)b|(?<=l)./i",
    "/(\\w)\\1/",
    "/(?:(a)|l|b)+/",
    "/./",
];
/// Without exponents, over which the reference never comes to an end for numbers that are negative.
const NUMBER_PICTURES: &[&str] = &[
    "'#,##0.00'",
    "'0'",
    "'000'",
    "'#'",
    "'0.0#'",
    "'#0.###'",
    "'0%'",
    "'#,###'",
    "'(0)'",
    "'$#,##0.00;($0)'",
    "'0‰'",
    "'##,##,##0'",
    "'#.##.#'",
    "''",
    "'0,'",
    "'#0#'",
    "'a'",
    "'0.0;0;0'",
    "'0%‰'",
    "'1'",
    "'٠'",
    "'0.#0'",
];
const INTEGER_PICTURES: &[&str] = &[
    "'0'", "'000'", "'#,##0'", "'I'", "'i'", "'w'", "'W'", "'Ww'", "'a'", "'A'", "'w;o'", "'1;o'", "'Ⅰ'", "'٠'",
    "'0,00'", "'#'", "'α'", "''", "'w;c'",
];
const DATE_PICTURES: &[&str] = &[
    "'[Y0001]-[M01]-[D01]'",
    "'[H01]:[m01]:[s01].[f001]'",
    "'[Y]'",
    "'[FNn], [D1o] [MNn] [Y]'",
    "'[M01]/[D01]/[Y0001] [h#1]:[m01][P]'",
    "'[X0001]-W[W01]-[F1]'",
    "'[d]'",
    "'[Dwo] [MNn,*-3]'",
    "'[YI]'",
    "'[H01][m01][Z]'",
    "'[z]'",
    "'[[x]]'",
    "'[Q]'",
    "'[Y'",
    "'[Yi]'",
    "'[MN]'",
    "'[FNn,3-3]'",
    "'[E]'",
    "'[C]'",
    "'[w]'",
    "'[Y,2]'",
    "'[Z0:00]'",
    "'[Z01:01t]'",
    "'[ZN]'",
    "''",
    "'[DN]'",
];
const TIMES: &[&str] = &[
    "'2018-04-09T13:07:34.123Z'",
    "'2018'",
    "'2018-02-30'",
    "'2018-04-09T13:07:34+0100'",
    "iso",
    "'13:07'",
    "'nonsense'",
    "'2018-W10'",
    "'04/09/2018 1:07pm'",
    "'12 March 1999'",
    "'MMXVIII'",
    "'twenty'",
    "''",
];

/// Every built-in: name, then a letter for each argument (see [`Generator::argument`]); lower case after `?` may be left out.
const FUNCTIONS: &str = "string:x?b length:s substring:sn?n substringBefore:ss substringAfter:ss uppercase:s lowercase:s trim:s pad:sn?s contains:sR \
    split:sR?n join:S?s match:sr?n replace:sRt?n base64encode:s base64decode:s encodeUrlComponent:s encodeUrl:s decodeUrlComponent:s decodeUrl:s \
    number:x abs:n floor:n ceil:n round:n?n power:nn sqrt:n formatNumber:np?O formatBase:n?n formatInteger:ni parseInteger:ji sum:A max:A min:A average:A \
    boolean:x not:x exists:x count:a append:aa sort:a?c reverse:a distinct:a zip:a?aa keys:o lookup:os spread:o merge:M sift:o?g each:oh type:x \
    map:am filter:ag single:a?g reduce:ak?x fromMillis:n?Pz toMillis:T?P assert:bs error:s clone:x";

pub(crate) struct Generator {
    random: Random,
    /// Names bound around the current place.
    names: Vec<String>,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Generator {
        Generator { random: Random(seed), names: Vec::new() }
    }

    /// An expression and the index of its document.
    pub(crate) fn case(&mut self) -> (String, usize) {
        loop {
            let case = self.candidate();
            // Over exponents the reference may never come to an end.
            if !(case.0.contains("formatNumber") && case.0.contains("e0")) {
                return case;
            }
        }
    }

    fn candidate(&mut self) -> (String, usize) {
        let document = if self.random.one_in(5) { self.random.below(DOCUMENT_COUNT) } else { 0 };
        self.names.clear();
        let depth = 1 + self.random.below(3);
        let mut text = match self.random.below(10) {
            0..4 => self.call(depth),
            4..6 => self.path(depth),
            6 => self.block(depth),
            _ => self.any(depth),
        };
        if self.random.one_in(9) {
            text = self.mangled(&text);
        }
        (text, document)
    }

    pub(crate) fn any(&mut self, depth: usize) -> String {
        let letter = self.random.pick("n n s s b a a o x x");
        self.argument(letter.chars().next().unwrap_or('x'), depth)
    }

    fn number(&mut self, depth: usize) -> String {
        if depth == 0 || self.random.one_in(3) {
            return self.leaf_or_name(NUMBERS);
        }
        match self.random.below(8) {
            0..4 => {
                let op = self.random.pick("+ - * / %");
                let right = self.argument('n', depth - 1);
                format!("{} {op} {right}", self.argument('n', depth - 1))
            }
            4 => format!("-{}", self.argument('n', depth - 1)),
            5 => format!("({})", self.argument('n', depth - 1)),
            6 => self.condition('n', depth),
            _ => {
                let name = self.random.pick(
                    "sum max min average count length abs floor ceil round number power sqrt parseInteger reduce",
                );
                self.named_call(name, depth - 1)
            }
        }
    }

    fn leaf_or_name(&mut self, words: &str) -> String {
        if !self.names.is_empty() && self.random.one_in(2) {
            let index = self.random.below(self.names.len());
            return self.names[index].clone();
        }
        self.random.pick(words).to_owned()
    }

    fn leaf(&mut self, table: &[&str]) -> String {
        if !self.names.is_empty() && self.random.one_in(3) {
            let index = self.random.below(self.names.len());
            return self.names[index].clone();
        }
        self.random.of(table).to_owned()
    }

    fn string(&mut self, depth: usize) -> String {
        if depth == 0 || self.random.one_in(3) {
            return self.leaf(STRINGS);
        }
        match self.random.below(5) {
            0 | 1 => {
                let right = self.any(depth - 1);
                format!("{} & {right}", self.any(depth - 1))
            }
            2 => self.condition('s', depth),
            _ => {
                let name = self.random.pick(
                    "string substring substringBefore substringAfter uppercase lowercase trim pad join replace base64encode encodeUrl \
                     formatNumber formatBase formatInteger fromMillis type",
                );
                self.named_call(name, depth - 1)
            }
        }
    }

    fn bool(&mut self, depth: usize) -> String {
        if depth == 0 || self.random.one_in(3) {
            return self.leaf(BOOLS);
        }
        let (left, right) = (self.any(depth - 1), self.any(depth - 1));
        match self.random.below(8) {
            0 => format!("{left} {} {right}", self.random.pick("and or")),
            1 => format!("{left} in {}", self.argument('a', depth - 1)),
            2 => {
                let op = self.random.pick("< <= > >=");
                let letter = if self.random.one_in(2) { 'n' } else { 's' };
                let left = self.argument(letter, depth - 1);
                format!("{left} {op} {}", self.argument(letter, depth - 1))
            }
            3 => {
                let name = self.random.pick("not boolean exists contains");
                self.named_call(name, depth - 1)
            }
            _ => format!("{left} {} {right}", self.random.pick("= != < <= > >=")),
        }
    }

    fn condition(&mut self, letter: char, depth: usize) -> String {
        let (test, then) = (self.bool(depth - 1), self.argument(letter, depth - 1));
        if self.random.one_in(4) {
            return format!("({test} ? {then})");
        }
        format!("({test} ? {then} : {})", self.argument(letter, depth - 1))
    }

    fn array(&mut self, depth: usize) -> String {
        if depth == 0 || self.random.one_in(3) {
            return self.leaf(ARRAYS);
        }
        match self.random.below(8) {
            0 => {
                let items: Vec<String> = (0..self.random.below(4)).map(|_| self.any(depth - 1)).collect();
                format!("[{}]", items.join(", "))
            }
            1 => {
                let right = self.argument('n', 0);
                if right.contains("e") || right.len() > 3 { "[1..4]".to_owned() } else { format!("[1..{right}]") }
            }
            2 => {
                let items = self.array(depth - 1);
                format!("{items}{}", self.predicate(depth - 1))
            }
            3 => {
                let items = self.random.of(ARRAYS).to_owned();
                format!("{items}{}", self.sort(depth - 1))
            }
            4 | 5 => {
                let name = self.random.pick("map filter sort reverse distinct append keys spread zip split each match");
                self.named_call(name, depth - 1)
            }
            _ => self.path(depth - 1),
        }
    }

    fn object(&mut self, depth: usize) -> String {
        if depth == 0 || self.random.one_in(3) {
            return self.leaf(OBJECTS);
        }
        match self.random.below(6) {
            0 | 1 => {
                let members: Vec<String> = (0..self.random.below(3))
                    .map(|_| {
                        let key = if self.random.one_in(3) {
                            self.string(depth - 1)
                        } else {
                            self.random.pick("'a' 'b' 'c'").to_owned()
                        };
                        format!("{key}: {}", self.any(depth - 1))
                    })
                    .collect();
                format!("{{{}}}", members.join(", "))
            }
            2 => self.grouping(depth - 1),
            3 => {
                let name = self.random.pick("merge sift clone");
                self.named_call(name, depth - 1)
            }
            4 => {
                let object = self.random.of(OBJECTS).to_owned();
                let update = self.random.pick("{'a':2} {'z':n} {} {'b':$}");
                let delete = self.random.of(&["", ", 'a'", ", ['a','b']", ", 1"]);
                let place = self.random.pick("$ b ** objs x");
                format!("{object} ~> |{place}|{update}{delete}|")
            }
            _ => self.leaf(OBJECTS),
        }
    }

    fn grouping(&mut self, depth: usize) -> String {
        let items = self.random.pick("objs arr $ mix objs.tags strs nested");
        let key = self.random.of(&["name", "$string($)", "tags", "$type($)", "'k'", "$", "$string(id)", "'' & v"]);
        let value = self.random.of(&["$", "v", "$sum(v)", "$count($)", "id", "name", "$.id[]"]);
        let more = if self.random.one_in(4) { format!(", 'm': {}", self.any(depth)) } else { String::new() };
        format!("{items}{{{key}: {value}{more}}}")
    }

    fn predicate(&mut self, depth: usize) -> String {
        match self.random.below(8) {
            0 => "[0]".to_owned(),
            1 => "[-1]".to_owned(),
            2 => "[]".to_owned(),
            3 => "[[0..1]]".to_owned(),
            4 => format!("[{}]", self.number(depth)),
            5 => format!("[$ {} {}]", self.random.pick("= != < > <= >= in"), self.any(0)),
            6 => format!(
                "[{} {} {}]",
                self.random.pick("id name v tags $ a"),
                self.random.pick("= != < > in"),
                self.any(0)
            ),
            _ => format!("[{}]", self.bool(depth)),
        }
    }

    fn sort(&mut self, depth: usize) -> String {
        let terms: Vec<String> = (0..1 + self.random.below(2))
            .map(|_| {
                let term = if self.random.one_in(5) {
                    self.any(depth)
                } else {
                    self.random.pick("$ id name v $string($) tags -$ missing").to_owned()
                };
                format!("{}{term}", self.random.of(&["", "<", ">"]))
            })
            .collect();
        format!("^({})", terms.join(", "))
    }

    fn path(&mut self, depth: usize) -> String {
        let root = self.random.of(&[
            "",
            "$.",
            "$$.",
            "objs.",
            "o.",
            "nested.",
            "*.",
            "**.",
            "o.b.",
            "[objs, o].",
            "arr.",
            "$.objs.",
        ]);
        let mut text = root.to_owned();
        let steps = 1 + self.random.below(3);
        for i in 0..steps {
            if i > 0 {
                text.push('.');
            }
            let step = match self.random.below(16) {
                0..7 => self
                    .random
                    .pick("objs o a b c d n s arr nested id name v tags mix strs missing k `k\u{a0}y` 'n'")
                    .replace('\u{a0}', " "),
                7 => "*".to_owned(),
                8 => "**".to_owned(),
                9 => "%".to_owned(),
                10 => format!("({})", self.any(depth.min(1))),
                11 => self.call(0),
                12 => format!("{{'p': {}}}", self.any(0)),
                13 => format!("[{}]", self.any(0)),
                14 => format!("{}{}", self.random.pick("objs arr nested tags"), self.random.pick("@$v #$i")),
                _ => "$".to_owned(),
            };
            text.push_str(&step);
            if self.random.one_in(4) {
                text.push_str(&self.predicate(depth.min(1)));
            }
        }
        if self.random.one_in(8) {
            text.push_str(&self.sort(0));
        }
        if self.random.one_in(12) {
            text.push_str("{name: $count($)}");
        }
        text
    }

    fn lambda(&mut self, params: &[&str], letter: char, depth: usize) -> String {
        let before = self.names.len();
        let count = if self.random.one_in(6) {
            self.random.below(params.len() + 1)
        } else {
            params.len().min(1 + self.random.below(params.len()))
        };
        self.names.extend(params[..count].iter().map(|&name| name.to_owned()));
        let body = self.argument(letter, depth.min(1));
        self.names.truncate(before);
        let signature = if self.random.one_in(12) {
            self.random.of(&["<n-n>", "<s:s>", "<a<n>:n>", "<x-:x>", "<j>", "<nn?>", "<(sn):x>"])
        } else {
            ""
        };
        let word = if self.random.one_in(8) { "λ" } else { "function" };
        format!("{word}({}){signature}{{{body}}}", params[..count].join(", "))
    }

    fn block(&mut self, depth: usize) -> String {
        let before = self.names.len();
        let value = if self.random.one_in(4) { self.lambda(&["$a", "$b"], 'x', depth) } else { self.any(depth) };
        let name = self.random.pick("$x $y $f");
        let callable = value.starts_with("function") || value.starts_with('λ');
        if !callable {
            self.names.push(name.to_owned());
        }
        let body = if callable {
            let args: Vec<String> = (0..self.random.below(3)).map(|_| self.any(0)).collect();
            format!("{name}({})", args.join(", "))
        } else {
            self.any(depth)
        };
        self.names.truncate(before);
        format!("({name} := {value}; {body})")
    }

    fn call(&mut self, depth: usize) -> String {
        let entries: Vec<&str> = FUNCTIONS.split_ascii_whitespace().collect();
        let entry = entries[self.random.below(entries.len())];
        let name = entry.split(':').next().unwrap_or(entry);
        if self.random.one_in(60) {
            return self
                .random
                .of(&[
                    "$now()",
                    "$millis()",
                    "$now('[Y]-[M]')",
                    "$random() < 1",
                    "$nope(1)",
                    "nope(1)",
                    "$formatNumber(1234.5678, '00.000e0')",
                    "$formatNumber(0.234, '#0.0e00')",
                ])
                .to_owned();
        }
        self.named_call(name, depth)
    }

    fn named_call(&mut self, name: &str, depth: usize) -> String {
        let entry = FUNCTIONS
            .split_ascii_whitespace()
            .find(|entry| entry.split(':').next() == Some(name))
            .unwrap_or("string:x");
        let letters = entry.split(':').nth(1).unwrap_or_default();
        let (needed, optional) = letters.split_once('?').unwrap_or((letters, ""));
        let more = if optional.is_empty() { 0 } else { self.random.below(optional.len() + 1) };
        let mut args: Vec<String> = Vec::new();
        for letter in needed.chars().chain(optional.chars().take(more)) {
            let odd = self.random.one_in(9);
            args.push(if odd {
                self.random.of(ODD).to_owned()
            } else {
                self.argument(letter, depth.saturating_sub(1))
            });
        }
        match self.random.below(24) {
            0 => args.push(self.any(0)),
            1 => _ = args.pop(),
            2 => args.clear(),
            _ => {}
        }
        match self.random.below(16) {
            0 if !args.is_empty() => {
                let first = args.remove(0);
                format!("({first}).${name}({})", args.join(", "))
            }
            1 if !args.is_empty() => {
                let first = args.remove(0);
                format!("({first}) ~> ${name}({})", args.join(", "))
            }
            2 if !args.is_empty() => {
                let place = self.random.below(args.len());
                let taken = std::mem::replace(&mut args[place], "?".to_owned());
                format!("(${name}({}))({taken})", args.join(", "))
            }
            3 => format!("$map({}, ${name})", self.array(0)),
            4 if !args.is_empty() => format!("{} ~> ${name}", args[0]),
            5 => format!("($g := ${name}; $g({}))", args.join(", ")),
            _ => format!("${name}({})", args.join(", ")),
        }
    }

    /// An expression for an argument of the kind `letter`.
    fn argument(&mut self, letter: char, depth: usize) -> String {
        match letter {
            'n' => self.number(depth),
            's' | 't' if letter == 's' => self.string(depth),
            't' => match self.random.below(4) {
                0 => self.lambda(&["$m"], 's', depth),
                1 => self
                    .random
                    .of(&[
                        "'$1-$2'",
                        "'$0'",
                        "'$$'",
                        "'$9'",
                        "function($m){$m.match & $m.index}",
                        "function($m){$m.groups[0]}",
                    ])
                    .to_owned(),
                _ => self.string(depth),
            },
            'b' => self.bool(depth),
            'a' | 'M' if letter == 'a' || self.random.one_in(2) => self.array(depth),
            'M' => self.random.of(&["objs", "[{'a':1},{'b':2},{'a':3}]", "o", "[o, objs[0]]"]).to_owned(),
            'A' => {
                if self.random.one_in(4) {
                    self.array(depth)
                } else {
                    self.random.of(&["arr", "[1,2.5]", "n", "[]", "objs.id", "[n, neg]", "[1..3]"]).to_owned()
                }
            }
            'S' => {
                if self.random.one_in(4) {
                    self.array(depth)
                } else {
                    self.random.of(&["strs", "['a']", "s", "[]", "objs.name", "['x', e]"]).to_owned()
                }
            }
            'o' => self.object(depth),
            'r' => self.random.of(REGEXES).to_owned(),
            'R' => {
                if self.random.one_in(2) {
                    self.random.of(REGEXES).to_owned()
                } else {
                    self.string(0)
                }
            }
            'p' => self.random.of(NUMBER_PICTURES).to_owned(),
            'i' => self.random.of(INTEGER_PICTURES).to_owned(),
            'P' => self.random.of(DATE_PICTURES).to_owned(),
            'T' => self.random.of(TIMES).to_owned(),
            'j' => self
                .random
                .of(&[
                    "'12'",
                    "'XIV'",
                    "'twelve'",
                    "'one hundred and five'",
                    "'1,234'",
                    "'b'",
                    "'3rd'",
                    "'twenty-first'",
                    "''",
                    "'٣'",
                ])
                .to_owned(),
            'z' => self.random.of(&["'+0100'", "'-0530'", "'Z'", "'0000'", "''", "'abc'", "'+1'"]).to_owned(),
            'O' => self
                .random
                .of(&[
                    "{'decimal-separator':','}",
                    "{'zero-digit':'٠'}",
                    "{'grouping-separator':' '}",
                    "{'percent':'pc'}",
                    "{}",
                    "{'minus-sign':'~'}",
                ])
                .to_owned(),
            'm' => self.lambda(&["$v", "$i", "$a"], 'x', depth),
            'g' => self.lambda(&["$v", "$i", "$a"], 'b', depth),
            'h' => self.lambda(&["$v", "$k", "$o"], 'x', depth),
            'c' => self
                .random
                .of(&[
                    "function($l,$r){$l > $r}",
                    "function($l,$r){$l.id < $r.id}",
                    "function($l){$l}",
                    "function($l,$r){$string($l) > $string($r)}",
                ])
                .to_owned(),
            'k' => self
                .random
                .of(&[
                    "function($p,$c){$p + $c}",
                    "function($p,$c){$p & $c}",
                    "function($p){$p}",
                    "$append",
                    "function($p,$c,$i,$a){$c + $i}",
                    "function($p,$c){[$p, $c]}",
                ])
                .to_owned(),
            _ => match self.random.below(7) {
                0 if depth > 0 => self.path(depth - 1),
                1 if depth > 0 => self.block(depth - 1),
                2 if depth > 0 => self.call(depth - 1),
                3 => self.leaf(ODD),
                _ => {
                    let letter = self.random.pick("n s b a o");
                    self.argument(letter.chars().next().unwrap_or('n'), depth)
                }
            },
        }
    }

    /// The text with a token too many, too few, or another one.
    fn mangled(&mut self, text: &str) -> String {
        let mut tokens = tokens(text);
        let place = self.random.below(tokens.len() + 1);
        let new = self.random.of(&[
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            ",",
            ";",
            ":",
            ":=",
            "?",
            ".",
            "..",
            "~>",
            "&",
            "'",
            "\"",
            "`",
            "1",
            "$",
            "$$",
            "%",
            "*",
            "**",
            "and",
            "/",
            "^",
            "^(",
            "@$v",
            "#$i",
            "@",
            "#",
            "function",
            "function(x){",
            "!",
            "!=",
            "??",
            "?:",
            "|",
            "/*",
            "'\\q'",
            "'\\u12'",
            "1e400",
            "é",
            "null",
            "~",
            "<",
            "[]",
            "in",
            "//",
            "\\",
        ]);
        match self.random.below(3) {
            0 => tokens.insert(place, new.to_owned()),
            1 if place < tokens.len() => _ = tokens.remove(place),
            _ if place < tokens.len() => tokens[place] = new.to_owned(),
            _ => tokens.push(new.to_owned()),
        }
        tokens.concat()
    }
}

/// Words, strings, blanks and single characters.
fn tokens(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut quote = None;
    for c in text.chars() {
        let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let joins = out
            .last()
            .and_then(|last| last.chars().last())
            .is_some_and(|last| quote.is_some() || (word(last) && word(c)));
        match (joins, out.last_mut()) {
            (true, Some(last)) => last.push(c),
            _ => out.push(c.to_string()),
        }
        if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && matches!(c, '\'' | '"') {
            quote = Some(c);
        }
    }
    out
}
