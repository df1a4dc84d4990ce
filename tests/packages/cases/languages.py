"""Languages."""

from package_cases import PackageCase

CASES: tuple[PackageCase, ...] = (
    PackageCase(
        "gcc",
        "compile and run programs in C and C++",
        r"""
cat > a.c <<'END'
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static void *work(void *n) { *(double *)n = sqrt(*(double *)n); return NULL; }
int main(int count, char **words) {
  double n = atof(words[count - 1]);
  pthread_t thread;
  pthread_create(&thread, NULL, work, &n);
  pthread_join(thread, NULL);
  printf("in C: %.1f\n", n);
}
END
gcc -O2 -Wall -Werror -pthread a.c -lm -o a
./a 42.25 | grep 'in C: 6.5'
gcc -static a.c -lm -o static
./static 42.25
cat > part.cc <<'END'
#include <stdexcept>
#include <string>
std::string part(int n) { if (n < 0) throw std::range_error("below zero"); return std::to_string(n); }
END
cat > whole.cc <<'END'
#include <cstdlib>
#include <iostream>
#include <vector>
std::string part(int);
int main() {
  std::vector<int> all{1, 2, -3};
  int sum = 0;
  #pragma omp parallel for reduction(+:sum)
  for (int i = 0; i < 100; i++) sum += i;
  try { for (int n : all) std::cout << part(n) << ' '; }
  catch (const std::exception &e) { std::cout << e.what() << ", and " << sum << std::endl; }
}
END
g++ -shared -fPIC part.cc -o libpart.so
g++ -fopenmp -O1 whole.cc -L. -lpart -Wl,-rpath,"$PWD" -o whole
./whole
""",
        "1 2 below zero, and 4950",
        quick=True,
    ),
    PackageCase(
        "gnumake",
        "build only what changed",
        r"""
cat > Makefile <<'END'
SHELL = /bin/sh
parts := $(patsubst %.in,%.out,$(sort $(wildcard *.in)))
whole: $(parts)
	cat $^ > $@
%.out: %.in
	tr a-z A-Z < $< > $@
	@echo made $@
END
echo one > a.in
echo two > b.in
make -j2
cat whole | tr '\n' ' ' | grep 'ONE TWO'
make | grep 'up to date'
touch -d '2100-01-01' b.in
make
""",
        "made b.out",
    ),
    PackageCase(
        "cmake",
        "configure, build, test and install a project in C and C++",
        r"""
mkdir src
cat > src/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.20)
project(example LANGUAGES C CXX)
include(GNUInstallDirs)
include(CheckIncludeFile)
find_package(Threads REQUIRED)
check_include_file(unistd.h HAVE_UNISTD)
if(NOT HAVE_UNISTD)
  message(FATAL_ERROR "no unistd.h")
endif()
add_library(part SHARED part.cc)
add_executable(whole whole.c)
target_link_libraries(whole PRIVATE part Threads::Threads)
set_target_properties(whole PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
enable_testing()
add_test(NAME runs COMMAND whole)
install(TARGETS whole part)
END
cat > src/part.cc <<'END'
#include <string>
extern "C" int part(void) { return std::stoi("41") + 1; }
END
cat > src/whole.c <<'END'
#include <stdio.h>
int part(void);
int main(void) { printf("it is %d\n", part()); }
END
cmake -S src -B build -DCMAKE_BUILD_TYPE=Release
cmake --build build
(cd build && ctest)
cmake --install build --prefix "$PWD/installed"
rm -rf build
installed/bin/whole
""",
        "it is 42",
        also=("gcc", "gnumake"),
    ),
    PackageCase(
        "rustc",
        "compile and run a program",
        r"""
cat > a.rs <<'END'
use std::collections::BTreeMap;
use std::sync::mpsc::channel;
fn main() {
    let (send, receive) = channel();
    for n in 0..4u32 {
        let send = send.clone();
        std::thread::spawn(move || send.send((n, n.pow(3))).unwrap());
    }
    drop(send);
    let cubes: BTreeMap<_, _> = receive.into_iter().collect();
    let caught = std::panic::catch_unwind(|| cubes[&9]);
    println!("{:?}, {}", cubes, caught.is_err());
}
END
rustc -O a.rs
./a
""",
        "{0: 0, 1: 1, 2: 8, 3: 27}, true",
    ),
    PackageCase(
        "cargo",
        "build, test and run a crate and a library of its workspace",
        r"""
mkdir -p app/src part/src
cat > Cargo.toml <<'END'
[workspace]
members = ["app", "part"]
END
cat > app/Cargo.toml <<'END'
[package]
name = "app"
version = "0.1.0"
edition = "2021"
[dependencies]
part = { path = "../part" }
END
cat > part/Cargo.toml <<'END'
[package]
name = "part"
version = "0.1.0"
edition = "2021"
build = "build.rs"
END
echo 'fn main() { println!("cargo:rustc-env=ANSWER=42"); }' > part/build.rs
cat > part/src/lib.rs <<'END'
pub fn answer() -> u32 { env!("ANSWER").parse().unwrap() }
#[test]
fn is_right() { assert_eq!(answer(), 42); }
END
echo 'fn main() { println!("the answer is {}", part::answer()); }' > app/src/main.rs
cargo test --offline
cargo run --offline --release
""",
        "the answer is 42",
    ),
    PackageCase(
        "go",
        "build, test and run a program that serves and asks HTTP",
        r"""
export HOME="$PWD"
mkdir -p app/part
cd app
printf 'module example.org/app\n\ngo 1.19\n' > go.mod
cat > part/part.go <<'END'
package part

import "encoding/json"

func Text(n int) string { out, _ := json.Marshal(map[string]int{"n": n}); return string(out) }
END
cat > part/part_test.go <<'END'
package part

import "testing"

func TestText(t *testing.T) { if Text(1) != `{"n":1}` { t.Fatal(Text(1)) } }
END
cat > main.go <<'END'
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"example.org/app/part"
)

func main() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s for %s", part.Text(3), r.URL.Path)
	}))
	defer server.Close()
	answer, err := http.Get(server.URL + "/page")
	if err != nil { panic(err) }
	body, _ := io.ReadAll(answer.Body)
	fmt.Println(string(body))
}
END
go vet ./...
go test ./...
go build -o program
./program
""",
        '{"n":3} for /page',
    ),
    PackageCase(
        "jre",
        "read and write Java's trusted certificates",
        r"""
keytool -list -cacerts -storepass changeit > trusted
grep -c trustedCertEntry trusted
keytool -genkeypair -alias own -keyalg EC -dname CN=own -keystore own.p12 -storepass secret
keytool -exportcert -rfc -alias own -keystore own.p12 -storepass secret > own.pem
keytool -printcert -file own.pem
test "$(grep -c trustedCertEntry trusted)" -gt 100
""",
        "Owner: CN=own",
    ),
    PackageCase(
        "jdk",
        "compile a program, pack it, run it, with TLS and time zones",
        r"""
mkdir -p src/app classes
cat > src/app/Main.java <<'END'
package app;
import java.net.URI;
import java.net.http.*;
import java.net.InetSocketAddress;
import java.security.KeyStore;
import java.time.*;
import javax.net.ssl.*;
public class Main {
  public static void main(String[] words) throws Exception {
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init((KeyStore) null);
    System.out.println("trusted: " + ((X509TrustManager) trust.getTrustManagers()[0]).getAcceptedIssuers().length);
    SSLContext.getDefault();
    System.out.println(ZonedDateTime.of(2020, 7, 1, 12, 0, 0, 0, ZoneId.of("Europe/Paris")));
    com.sun.net.httpserver.HttpServer server = com.sun.net.httpserver.HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.createContext("/", e -> { byte[] b = "a page".getBytes(); e.sendResponseHeaders(200, b.length); e.getResponseBody().write(b); e.close(); });
    server.start();
    HttpRequest question = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/")).build();
    System.out.println(HttpClient.newHttpClient().send(question, HttpResponse.BodyHandlers.ofString()).body() );
    server.stop(0);
    System.exit(0);
  }
}
END
javac --release 17 -d classes src/app/Main.java
jar --create --file app.jar --main-class app.Main -C classes .
java -jar app.jar
""",
        "a page",
    ),
    PackageCase(
        "python3",
        "TLS, SQLite, a virtual environment, children, and a page over HTTP",
        r"""
export HOME="$PWD"
cat > app.py <<'END'
import ctypes, decimal, http.server, lzma, ssl, sqlite3, subprocess, sys, threading, urllib.request, zoneinfo

base = sqlite3.connect(":memory:")
base.execute("create table t (n integer)")
base.executemany("insert into t values (?)", [(1,), (41,)])
ssl.create_default_context()
assert lzma.decompress(lzma.compress(b"x" * 99)) == b"x" * 99
handler = http.server.SimpleHTTPRequestHandler
server = http.server.HTTPServer(("127.0.0.1", 0), handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
page = urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/page.txt").read().decode()
child = subprocess.run([sys.executable, "-c", "import json; print(json.dumps([1]))"], capture_output=True, text=True)
print(base.execute("select sum(n) from t").fetchone()[0], page.strip(), child.stdout.strip())
END
echo a page > page.txt
python3 -m venv --without-pip own
own/bin/python -c 'import sys; print(sys.prefix)' | grep "^$PWD/own$"
own/bin/python app.py
python3 app.py
""",
        "42 a page [1]",
        quick=True,
    ),
    PackageCase(
        "perl",
        "modules of the core, files and a page over a socket",
        r"""
cat > a.pl <<'END'
use strict; use warnings; use utf8;
use Digest::SHA qw(sha256_hex);
use Encode; use File::Temp qw(tempfile); use IO::Socket::INET; use JSON::PP; use List::Util qw(sum);
use POSIX qw(strftime); use Storable qw(dclone); use Time::HiRes qw(time);
my ($file, $name) = tempfile(UNLINK => 1);
print $file encode_json({ sum => sum(1, 2, 39), text => "é" }); close $file;
open my $again, '<', $name or die; my $read = decode_json(<$again>);
my $server = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die;
if (!fork) {
  my $client = $server->accept; <$client>; print $client "page " . substr(sha256_hex('a'), 0, 4) . "\n"; exit;
}
my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->sockport) or die;
print $socket "ask\n"; my $answer = <$socket>; wait;
print dclone($read)->{sum}, ' ', length $read->{text}, ' ', strftime('%Y', gmtime 0), " $answer";
END
perl a.pl
""",
        "42 1 1970 page ca97",
    ),
    PackageCase(
        "ruby",
        "libraries with C, a page over HTTP, and a gem that is built and installed",
        r"""
export HOME="$PWD"
cat > a.rb <<'END'
require 'json'; require 'net/http'; require 'socket'; require 'openssl'; require 'yaml'; require 'tempfile'; require 'zlib'
server = TCPServer.new('127.0.0.1', 0)
Thread.new { c = server.accept; c.gets; c.write "HTTP/1.0 200 OK\r\n\r\n" + JSON.generate(n: 42); c.close }
page = JSON.parse(Net::HTTP.get(URI("http://127.0.0.1:#{server.addr[1]}/")))
text = Zlib::Inflate.inflate(Zlib::Deflate.deflate(YAML.dump(page)))
puts "#{YAML.load(text)['n']} #{OpenSSL::Digest::SHA256.hexdigest('a')[0, 4]}"
END
ruby a.rb | grep '42 ca97'
mkdir -p gem/lib
cd gem
echo 'module Own; def self.text = "from a gem"; end' > lib/own.rb
cat > own.gemspec <<'END'
Gem::Specification.new do |s|
  s.name = 'own'; s.version = '1.0'; s.summary = 'own'; s.authors = ['own']; s.files = ['lib/own.rb']
end
END
gem build own.gemspec
gem install --local --user-install --no-document own-1.0.gem
cd ..
ruby -e 'require "own"; puts Own.text'
""",
        "from a gem",
    ),
    PackageCase(
        "php",
        "JSON, multibyte text, dates, and a page of its own server",
        r"""
cat > index.php <<'END'
<?php
$zone = new DateTimeZone('Europe/Paris');
$date = new DateTime('2020-07-01 12:00', $zone);
echo json_encode(['n' => array_sum([1, 41]), 'path' => $_SERVER['REQUEST_URI'], 'hour' => $date->format('P')]), "\n";
echo hash('sha256', 'a') === bin2hex(openssl_digest('a', 'sha256', true)) ? 'same' : 'other', "\n";
echo preg_replace('/\p{L}+/u', 'word', 'héé'), ' ', iconv_strlen('héé', 'UTF-8'), "\n";
END
php -S 127.0.0.1:8000 index.php & server=$!
for n in $(seq 100); do wget -qO page http://127.0.0.1:8000/a && break; sleep 0.1; done
kill $server
grep same page
grep 'word 3' page
cat page
""",
        r'{"n":42,"path":"\/a","hour":"+02:00"}',
    ),
    PackageCase(
        "nodejs",
        "a page over HTTP with TLS' hashes, compression, workers and children",
        r"""
cat > a.mjs <<'END'
import http from 'node:http'; import { createHash } from 'node:crypto'; import zlib from 'node:zlib';
import { Worker } from 'node:worker_threads'; import { execFileSync } from 'node:child_process';
const server = http.createServer((q, a) => a.end(JSON.stringify({ path: q.url })));
await new Promise(done => server.listen(0, '127.0.0.1', done));
const page = await (await fetch(`http://127.0.0.1:${server.address().port}/a`)).json();
server.closeAllConnections(); server.close();
const part = await new Promise(done => new Worker('require("worker_threads").parentPort.postMessage(41 + 1)', { eval: true }).on('message', done));
const child = execFileSync(process.execPath, ['-p', '"child"']).toString().trim();
const hash = createHash('sha256').update('a').digest('hex').slice(0, 4);
console.log(page.path, part, child, hash, zlib.gunzipSync(zlib.gzipSync('z')).toString(), new Intl.NumberFormat('de').format(1234.5));
END
node a.mjs
""",
        "/a 42 child ca97 z 1.234,5",
        quick=True,
    ),
    PackageCase(
        "npm",
        "install a package of this computer, and run its program and a script",
        r"""
export HOME="$PWD"
mkdir part app
cd part
echo '{"name": "part", "version": "1.2.3", "main": "a.js", "bin": {"part": "b.js"}}' > package.json
echo 'module.exports = () => 42' > a.js
printf '#!/usr/bin/env node\nconsole.log("the program of", require("./package.json").name)\n' > b.js
npm pack --silent
cd ../app
cat > package.json <<'END'
{"name": "app", "version": "1.0.0", "scripts": {"go": "node go.js"}}
END
echo 'console.log("it is", require("part")())' > go.js
npm install --offline --no-audit --no-fund ../part/part-1.2.3.tgz
npm ls
node node_modules/.bin/part | grep 'the program of part'
npm run go
""",
        "it is 42",
        also=("nodejs",),
    ),
    PackageCase(
        "lua",
        "a program with patterns, coroutines and files",
        r"""
cat > a.lua <<'END'
local sum = 0
for n in coroutine.wrap(function() for n in ("1 2 39"):gmatch("%d+") do coroutine.yield(tonumber(n)) end end) do sum = sum + n end
local file = assert(io.open("out", "w")); file:write(string.format("%d %s", sum, utf8.char(233))); file:close()
print(io.lines("out")())
END
lua a.lua
echo 'return { text = "from a module" }' > part.lua
lua -e 'print(require("part").text)'
""",
        "from a module",
    ),
)
