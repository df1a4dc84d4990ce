"""Interpreters of Debian with libraries, and programs in their languages: each finds its modules, where nothing but a
closure can be seen, and hands no variable to the programs that it starts.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from attrs import frozen
from debian_base import DebianBase
from package_cases import PackageCase, closure, image_root, run_in, store_root

pytestmark = pytest.mark.real

WEB = "python3.withPackages (ps: [ ps.flask ps.psycopg2 ps.gunicorn ])"
ATTRIBUTES = (
    *("ack", "asciidoctor", "lua", "nodejs", "perl", "php", "python3", "ruby"),
    *("python3-flask", "python3Packages.flask", "python3Packages.gunicorn"),
    *("python3Packages.psycopg2", "perlPackages.DBD::SQLite", "perlPackages.DBI"),
    *("rubyPackages.sqlite3", "phpExtensions.pdo_sqlite", "nodePackages.semver"),
    *("luaPackages.luasocket", "luaPackages.lua-cjson"),
)


@frozen
class Case:
    """A package, a script that uses it, and text of the script's output."""

    name: str
    package: str
    script: str
    expect: str


WEB_SCRIPT = """
cat > app.py <<END
import flask, psycopg2
app = flask.Flask("app")
@app.route("/")
def root():
    return flask.jsonify(level=psycopg2.apilevel)
END
gunicorn --bind 127.0.0.1:8000 --access-logfile access app:app 2> log &
for _ in $(seq 200); do wget -q -O answer http://127.0.0.1:8000/ && break; sleep 0.1; done
kill $!
cat answer log
"""

CASES = (
    Case("web", WEB, WEB_SCRIPT, '{"level":"2.0"}'),
    Case(
        "python, from a child",
        WEB,
        """python3 -c '
import os, subprocess, sys
assert not [name for name in os.environ if name.startswith("PYTHON")], os.environ
subprocess.run([sys.executable, "-c", "import flask; print(\\"child\\", flask.__name__)"], check=True)
'
python3 -I -m flask --version > /dev/null""",
        "child flask",
    ),
    Case(
        "perl",
        "perl.withPackages (ps: [ ps.DBI ps.DBDSQLite ])",
        """cat > a.pl <<'END'
use strict; use warnings; use POSIX; use DBI;
die "leaks" if grep { /^PERL/ } keys %ENV;
my $db = DBI->connect("dbi:SQLite:dbname=/tmp/db", "", "", { RaiseError => 1 });
$db->do("create table t (n int)"); $db->do("insert into t values (6), (7)");
print "sum ", $db->selectrow_array("select sum(n) from t"), "\\n";
system($^X, "-MDBI", "-e", 'print "child $DBI::VERSION\\n"') == 0 or die;
END
perl -T -e 'print "tainted\\n"'
perl a.pl""",
        "sum 13",
    ),
    Case(
        "ruby",
        "ruby.withPackages (ps: [ ps.sqlite3 ])",
        """cat > a.rb <<'END'
require "sqlite3"
raise "leaks" if ENV.keys.any? { |name| name =~ /RUBY|GEM/ }
db = SQLite3::Database.new("/tmp/db")
db.execute("create table t (n int)")
db.execute("insert into t values (6), (7)")
puts "sum #{db.get_first_value("select sum(n) from t")} #{"x".encode("EUC-JP").encoding}"
system(RbConfig.ruby, "-e", 'require "sqlite3"; puts "child"', exception: true)
END
ruby a.rb""",
        "sum 13 EUC-JP",
    ),
    Case(
        "php",
        "php.withExtensions ({ all, enabled, ... }: enabled ++ [ all.pdo_sqlite ])",
        """cat > a.php <<'END'
<?php
$db = new PDO("sqlite:/tmp/db");
$db->exec("create table t (n int); insert into t values (6), (7)");
$zone = new DateTimeZone("Europe/Berlin");
echo "sum ", $db->query("select sum(n) from t")->fetchColumn(), " ", $zone->getName(), "\\n";
passthru(PHP_BINARY . " -r 'new PDO(\\"sqlite::memory:\\"); echo ctype_alpha(\\"a\\");'", $status);
exit($status);
END
php a.php
php-fpm -m | grep -q pdo_sqlite""",
        "sum 13 Europe/Berlin",
    ),
    Case(
        "node",
        "nodejs.withPackages (ps: [ ps.semver ])",
        """cat > a.js <<'END'
const semver = require("semver");
const { execFileSync } = require("child_process");
if ("NODE_PATH" in process.env) throw new Error("leaks");
const child = execFileSync(process.execPath, ["-p", 'typeof require("semver") + typeof fetch']);
console.log("next", semver.inc("1.2.3", "minor"), String(child));
END
node a.js""",
        "next 1.3.0 objectfunction",
    ),
    Case(
        "lua",
        "lua.withPackages (ps: [ ps.luasocket ps.lua-cjson ])",
        """cat > a.lua <<'END'
local mime, json = require("mime"), require("cjson")
print("got " .. mime.b64(json.encode({ 6, 7 })), os.getenv("LUA_PATH"))
END
lua a.lua""",
        "got WzYsN10=\tnil",
    ),
    Case(
        "a program in Perl",
        "ack",
        "printf 'a\\nneedle 42\\n' > hay; ack --output='found $1' 'needle ([0-9]+)' hay",
        "found 42",
    ),
    Case(
        "a program in Ruby",
        "asciidoctor",
        "printf '= Title\\n\\n*strong*\\n' | asciidoctor -o - -",
        "<strong>strong</strong>",
    ),
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> DebianBase:
    return DebianBase.locked(ATTRIBUTES, tmp_path_factory.mktemp("lock"))


@pytest.fixture(scope="module")
def busybox(base: DebianBase) -> str:
    return base.paths("debian.busybox")[0]


def run(root: Path, script: str, programs: list[str], store: list[str], busybox: str) -> str:
    case = PackageCase("x", "", script, "")
    ran = run_in(root, case, programs=programs, store=store, busybox=busybox)
    assert ran.status == 0, ran.output[-4000:]
    return ran.output


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_modules_are_found_where_only_the_closure_is(
    base: DebianBase, busybox: str, tmp_path: Path, case: Case
) -> None:
    programs = base.paths(f"pkgs.{case.package}")
    root = store_root(tmp_path / "root", busybox)
    assert case.expect in run(root, case.script, programs, closure(programs), busybox)
    subprocess.run(["nix-store", "--verify-path", *programs], check=True, timeout=60)


@pytest.mark.parametrize("case", CASES[:1], ids=lambda case: case.name)
def test_modules_are_found_in_an_image(
    base: DebianBase, busybox: str, tmp_path: Path, case: Case
) -> None:
    expression = f'image {{ name = "t"; contents = [ (pkgs.{case.package}) ]; }}'
    root, store = image_root(tmp_path / "root", Path(base.paths(expression)[0]))
    assert case.expect in run(root, case.script, [""], store, busybox)


def test_a_python_library_brings_what_it_depends_on(
    base: DebianBase, busybox: str, tmp_path: Path
) -> None:
    """PYTHONPATH of a plain python3 is enough: markupsafe is two dependencies away from flask."""
    paths = base.paths("[ pkgs.python3 pkgs.python3-flask ]")
    root = store_root(tmp_path / "root", busybox)
    script = f"""
export PYTHONPATH={paths[1]}/lib/python3/dist-packages
python3 -c 'import flask, markupsafe; print(flask.__version__, markupsafe.__name__)'
"""
    assert " markupsafe" in run(root, script, paths, closure(paths), busybox)


@pytest.mark.parametrize(
    ("package", "script"),
    [
        (WEB, "python3 -c 'import flask'; ! python3 -c 'import distro_info'"),
        (
            "ack",
            "perl=$(sed -n '1s/#!//p' \"$(which ack)\"); $perl -MFile::Next -e 1; ! $perl -MDBI -e 1",
        ),
        (
            "nodejs.withPackages (ps: [ ps.semver ])",
            "node -e 'require(\"semver\")'; ! node -e 'require(\"express\")'",
        ),
    ],
)
def test_no_other_modules_are_found(
    base: DebianBase, busybox: str, tmp_path: Path, package: str, script: str
) -> None:
    """Nothing of this computer's own folders, and no library that another package of the lock needs."""
    programs = base.paths(f"pkgs.{package}")
    store = closure([*programs, *base.paths("pkgs.perl.withPackages (ps: [ ps.DBI ])")])
    root = store_root(tmp_path / "root", busybox)
    run(root, script, programs, store, busybox)
