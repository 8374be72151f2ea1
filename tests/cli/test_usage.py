"""Wrong usage: one line on what is wrong, one on what to do, exit code 1."""

import subprocess
import sys
from pathlib import Path

import pytest

LAUNCH = "import sys; from reconciler.cli.main import main; sys.exit(main())"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("plam", "there is no 'plam', did you mean plan?"),
        ("plan --outptu json", "there is no flag --outptu, did you mean --output?"),
        ("plan --outp json", "there is no flag --outp"),
        ("plan --output xml", "there is no 'xml', only text, markdown, json"),
        ("validate a b", "'b' is one argument too many"),
        ("suspend", "the following arguments are required: SOURCE"),
        ("validate --paths ,", "name at least one folder"),
        ("plan --source A_B", "'A_B' is no name"),
        ("plan --namespace Shop", "'Shop' is no name"),
        ("apply --timeout soon", "'soon' is no time"),
        ("apply --timeout -1", "'-1' is no time"),
        ("apply --concurrency 0", "'0' is no number from 1"),
        ("sandbox --port 99999", "'99999' is no port"),
        ("--verson", "there is no flag --verson, did you mean --version?"),
    ],
)
def test_wrong_usage(cli, line, said):
    ran = cli(*line.split())
    assert (ran.code, ran.out) == (1, "")
    assert said in ran.err.splitlines()[0]
    assert ran.err.splitlines()[1].startswith("  hint: `reconciler")
    assert len(ran.err.splitlines()) == 2


def test_without_a_verb_the_help_is_shown(cli):
    ran = cli()
    assert ran.code == 1
    assert "verbs:" in ran.err


def test_help_is_what_people_read(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    cli.golden("help.txt", "--help")


def test_version(cli):
    assert cli("--version").out.startswith("reconciler 0.")


@pytest.mark.parametrize("verb", ["", "plan", "apply", "run", "status", "explain", "sandbox", "demo"])
def test_help_imports_nothing_heavy(verb):
    probe = (
        "import sys\nfrom reconciler.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "heavy = {'aiohttp', 'git', 'kubernetes', 'rich', 'jsonschema', 'deepdiff', 'asyncio', 'msgspec', 'yaml'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    words = [verb, "--help"] if verb else ["--help"]
    done = subprocess.run([sys.executable, "-c", probe, *words], capture_output=True, text=True, timeout=60)
    assert done.stderr == "[]\n"


def test_a_reader_that_goes_away_is_no_traceback(shop):
    folder = shop({"a.yaml": _config(1)})
    command = [sys.executable, "-c", LAUNCH, "plan", "--offline", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()  # long before the first line is written
        assert process.stderr.read() == b""
        assert process.wait(60) == 141


def test_a_full_disk_is_no_traceback(shop):
    folder = shop({"a.yaml": _config(1)})
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", LAUNCH, "plan", "--offline", str(folder)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "No space left on device")


def test_a_terminal_without_the_signs_gets_question_marks(shop):
    folder = shop({"a.yaml": _config(1)})
    done = subprocess.run(
        [sys.executable, "-c", LAUNCH, "validate", str(folder), "--paths", "."],
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PATH": "/usr/local/bin:/usr/bin:/bin"},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def _config(number: int) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{number}}}\ndata: {{a: b}}\n"
