"""Configs that are no config, or would be something else than they look like."""

import os
from pathlib import Path

from tests.hostile_inputs.case import Case, read, told, written
from tests.laid_out import CONFIG

PLAIN = "name: shop\ndata: {transactions: {source: sales.csv}}\n"
NO_YAML = "the config is no valid YAML"


def _yaml(name: str, *said: str, text: str | bytes) -> Case:
    return told(name, 2, *said, config=text)


def _more(name: str, *said: str, text: str) -> Case:
    return _yaml(name, *said, text=PLAIN + text)


def _set(name: str, *said: str, **variables: str) -> Case:
    named = {f"PORTFOLIO_ML__{key}": value for key, value in variables.items()}
    return told(name, 2, *said, variables=named, config=PLAIN)


def _loop(path: Path) -> None:
    path.symlink_to(path)


LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(24)
)

CASES = [
    _yaml("a billion laughs", "an alias", text=LAUGHS),
    _yaml("a list that holds itself", "an alias", text="a: &a [*a]\n"),
    _yaml("a mapping that is its own key", "an alias", text="? &a {b: *a}\n: 1\n"),
    _more("keys merged in from an alias", "an alias",
          text="gate: &g {max_loss: 0.1}\ntraining: {<<: *g}\n"),
    _more("keys merged in", "merged in; write them out", text="gate: {<<: {max_loss: 0.1}}\n"),
    read("an anchor that nothing stands for", 1, config=PLAIN + "gate: &g {max_loss: 0.1}\n"),
    _more("an object of Python", NO_YAML, "line 3",
          text="x: !!python/object/apply:os.system ['touch /tmp/x']\n"),
    _more("a name of Python", NO_YAML, text="x: !!python/name:os.system\n"),
    _more("a module of Python", NO_YAML, text="x: !!python/module:os\n"),
    _more("a tag of one's own", NO_YAML, text="x: !mine 1\n"),
    read("bytes as the name", 1, config=PLAIN.replace("shop", "!!binary c2hvcA==")),
    _yaml("bytes that are none", NO_YAML, text=PLAIN.replace("shop", "!!binary c2hvcA")),
    _more("a set", "gate", text="gate: !!set {a, b}\n"),
    _more("an ordered mapping", "gate", text="gate: !!omap [a: 1]\n"),
    _yaml("a number that is none", NO_YAML, text=PLAIN.replace("shop", "!!int shop")),
    _more("a date that does not exist", NO_YAML, text="x: 2024-02-31\n"),
    _more("a whole number of 10,000 digits", NO_YAML,
          text="training: {seed: " + "9" * 10_000 + "}"),
    _more("a whole number of 100 digits", "training.seed",
          text="training: {seed: " + "9" * 100 + "}"),
    _more("an endless number", "gate.max_loss", text="gate: {max_loss: .inf}\n"),
    _more("a number that is no number", "gate.max_loss", text="gate: {max_loss: .nan}\n"),
    _more("1e309", "gate.max_loss", text="gate: {max_loss: 1.0e+309}\n"),
    _more("Norway's code", "currency", text="currency: NO\n"),
    _yaml("a portfolio called no", "name", text=PLAIN.replace("shop", "no")),
    _yaml("a portfolio of a number", "name", text=PLAIN.replace("shop", "0123")),
    _yaml("a portfolio of nothing", "name", text=PLAIN.replace("shop", "~")),
    _yaml("a portfolio with a path", "name", text=PLAIN.replace("shop", "../shop")),
    _yaml("a portfolio of emoji", "name", text=PLAIN.replace("shop", '"\\U0001F986"')),
    _yaml("a portfolio of 10,000 letters", "name", text=PLAIN.replace("shop", "x" * 10_000)),
    _more("minutes that are a number of base 60", "scoring.reasons",
          text="scoring: {reasons: 1:30}\n"),
    _more("a section of nothing", "targets: ", text="targets:\n"),
    _more("a section of text", "targets: ", text="targets: churn\n"),
    _yaml("tables of nothing", "data", text="name: shop\ndata:\n"),
    _yaml("two documents", NO_YAML, text=PLAIN + "---\n" + PLAIN),
    _yaml("a directive that nobody knows", NO_YAML, "line 1", text="%YAML 9.9\n---\n" + PLAIN),
    read("a directive and a document's end", 1, config="%YAML 1.1\n---\n" + PLAIN + "...\n"),
    _yaml("nothing but a comment", "must be a mapping", text="# later\n"),
    _yaml("nothing but a word", "must be a mapping", text="shop\n"),
    _yaml("a key that is a number", "must be a mapping", text=PLAIN + "1: x\n"),
    _yaml("a key that is nothing", "must be a mapping", text=PLAIN + "~: x\n"),
    _yaml("a key that is a list", NO_YAML, text=PLAIN + "[a]: x\n"),
    _yaml("a key that is a mapping", NO_YAML, text=PLAIN + "{a: b}: x\n"),
    _more("a key within that is a number", "targets", text="targets: {1: x}\n"),
    _more("keys in capitals", "unknown key, did you mean 'currency'", text="CURRENCY: EUR\n"),
    _more("keys that differ in capitals", "Name: unknown key, did you mean 'name'",
          text="Name: other\n"),
    _more("a key with a line end", "unknown key", text='"a\\nb": 1\n'),
    _more("a key of 10,000 letters", NO_YAML, "line 3", text="x" * 10_000 + ": 1\n"),
    _more("a thousand unknown keys", "unknown key",
          text="".join(f"x{n}: 1\n" for n in range(1_000))),
    _more("a key of the settings' library", "_env_file: unknown key", text="_env_file: x\n"),
    _more("a key with two underscores", "model_config", text="model_config: x\n"),
    _more("the same key in quotes", "'name' a second time", text="'name': x\n"),
    _more("a key twice, far within", "'max_loss' a second time",
          text="gate: {max_loss: 1, max_loss: 2}\n"),
    _yaml("brackets 10,000 deep", NO_YAML, text="a: " + "[" * 10_000 + "]" * 10_000),
    _yaml("mappings 1,000 deep", NO_YAML, text="a: " + "{a: " * 1_000 + "1" + "}" * 1_000),
    _more("brackets 50 deep", "gate", text="gate: " + "[" * 50 + "]" * 50),
    _yaml("a tab that indents", NO_YAML, "line 2", text="name: shop\n\tdata: x\n"),
    _yaml("a bracket that does not end", NO_YAML, text=PLAIN + "gate: {max_loss: 0.1\n"),
    _yaml("a quote that does not end", NO_YAML, text=PLAIN + "report: 'x\n"),
    _yaml("NULs", NO_YAML, text=PLAIN.encode() + b"\0\0\0"),
    _yaml("control characters", NO_YAML, text=PLAIN + "currency: \x07EUR\n"),
    _yaml("a config in UTF-16", "UTF-8", text=PLAIN.encode("utf-16")),
    _yaml("a config in Latin-1", "UTF-8", text=PLAIN.encode() + b"# M\xfcller\n"),
    read("a byte-order mark", 1, config=b"\xef\xbb\xbf" + PLAIN.encode()),
    read("a config with Windows line ends", 1, config=PLAIN.replace("\n", "\r\n")),
    read("JSON", 1, config=written({})),
    _yaml("half of a pair of escapes", "half a character",
          text='{"name": "shop", "data": {"transactions": {"source": "\\ud83d.csv"}}}'),
    _yaml("more than 1 MB", "too large", "under 1 MB", text=PLAIN + "#" * 1_000_000),
    _yaml("Python", NO_YAML, text="import os\nname = {'a': 1}\n"),
    _yaml("TOML", "must be a mapping", text='name = "shop"\n[data]\n'),
    _yaml("a Parquet file", "UTF-8", text=b"PAR1\x15\x04\x15\xff"),
    told("a pipe as the config", 2, "no plain file", files={CONFIG: os.mkfifo}),
    told("a device as the config", 2, "no plain file",
         files={CONFIG: lambda path: path.symlink_to("/dev/zero")}),
    told("a config that links to itself", 2, "no config to read", files={CONFIG: _loop}),
    told("a folder as the config", 2, "a folder", files={CONFIG: None}),
    _more("a time zone that climbs out", "is no time zone", text="timezone: ../../etc/passwd\n"),
    _more("a time zone that is a path", "is no time zone", text="timezone: /etc/localtime\n"),
    _more("a time zone with a NUL", "line 3", "a NUL", text='timezone: "Europe/Berlin\\0"\n'),
    _more("a time zone of nothing", "timezone", text="timezone: ''\n"),
    _more("a time zone that is an offset", "is no time zone", text="timezone: '+02:00'\n"),
    _more("a currency of SQL", "currency", text="currency: \"EUR'; DROP\"\n"),
    _yaml("a quarantine with a NUL", "line 2", "a NUL",
          text='name: shop\ndata: {quarantine: "a\\0b", transactions: {source: sales.csv}}\n'),
    _more("a variable without a name", "${...} must hold the name", text="currency: ${}\n"),
    _more("a variable with a blank", "${...} must hold the name", text="currency: '${A B}'\n"),
    _more("a variable in a variable", "${...} must hold the name", text="currency: '${${A}}'\n"),
    _more("a program in place of a variable", "${...} must hold the name",
          text="currency: '${A:-$(id)}'\n"),
    told("a variable that names another", 2, "no such file", "${H_B}",
         config=PLAIN.replace("sales.csv", "'${H_A}'"),
         variables={"H_A": "${H_B}", "H_B": "sales.csv"}),
    told("a variable that is empty", 2, "name", config=PLAIN.replace("shop", "${H_A}"),
         variables={"H_A": ""}),
    read("a variable with the signs of YAML", 1, config=PLAIN.replace("sales.csv", "'${H_A}'"),
         variables={"H_A": "*.csv"}),
    _set("a setting that nobody knows", "unknown key, did you mean 'gate'", GATES__MAX_LOSS="1"),
    _set("a setting within that nobody knows", "unknown key", GATE__MAX_LOS="1"),
    _set("a setting that is no number", "gate.max_loss", GATE__MAX_LOSS="little"),
    _set("a setting that is no JSON", "no valid JSON", DATA="{"),
    _set("a setting that nests 10,000 deep", "JSON", DATA="[" * 10_000),
    _set("a setting of nothing", "gate.max_loss", GATE__MAX_LOSS=""),
    _set("a section set to a word", "gate", GATE="strict"),
    read("a setting that wins over the file", 1, config=PLAIN,
         variables={"PORTFOLIO_ML__DATA__MAX_QUARANTINED_SHARE": "0.5"}),
]  # fmt: skip
