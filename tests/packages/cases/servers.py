"""Servers: each starts on loopback and answers one request."""

from package_cases import PackageCase

# await COMMAND: repeat it, for a server that is still starting; its last output when it never works.
# nobody: let there be the user that servers run as.
_SHELL = """
await() {
  for _ in $(seq 150); do
    if "$@" > answer 2>&1; then cat answer; return; fi
    sleep 0.2
  done
  cat answer
  return 1
}
nobody() {
  grep -q ^nobody: /etc/passwd || echo nobody:x:65534:65534::/:/bin/sh >> /etc/passwd
  grep -q ^nogroup: /etc/group || echo nogroup:x:65534: >> /etc/group
}
"""

CASES = (
    PackageCase(
        "apache2",
        "load modules, rewrite a name, serve a page over TLS",
        _SHELL
        + r"""
apache=$(command -v apache2)
case $apache in /bin/*) apache=$(readlink /bin/apache2) ;; esac
tree=${apache%/bin/apache2}
nobody
mkdir www
echo '<p>a page of apache</p>' > www/new.html
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost \
  -days 2 -keyout key.pem -out cert.pem 2>&1
for module in mpm_event authz_core dir mime rewrite socache_shmcb ssl; do
  echo "LoadModule ${module}_module $tree/usr/lib/apache2/modules/mod_$module.so"
done > apache2.conf
cat >> apache2.conf <<END
ServerName localhost
PidFile /case/pid
DefaultRuntimeDir /case
User nobody
Group nogroup
Mutex posixsem
ErrorLog /dev/stderr
TypesConfig /dev/null
AddType text/html .html
Listen 127.0.0.1:8443
DocumentRoot /case/www
SSLEngine on
SSLCertificateFile /case/cert.pem
SSLCertificateKeyFile /case/key.pem
RewriteEngine on
RewriteRule ^/old$ /new.html [PT]
END
apache2 -d /case -f /case/apache2.conf -D FOREGROUND &
await curl -si --cacert cert.pem https://localhost:8443/old
grep -i 'content-type: text/html' answer
""",
        "a page of apache",
        also=("curl", "openssl"),
        quick=True,
    ),
    PackageCase(
        "php-fpm",
        "answer a FastCGI request",
        _SHELL
        + r"""
mkdir www
echo '<?php echo json_encode(["sum" => $_GET["a"] + 40]);' > www/sum.php
cat > fpm.conf <<END
[global]
error_log = /dev/stderr
[www]
listen = 127.0.0.1:9000
user = nobody
pm = static
pm.max_children = 1
END
nobody
php-fpm -F -y /case/fpm.conf -R &
asked() {
  SCRIPT_FILENAME=/case/www/sum.php QUERY_STRING=a=2 REQUEST_METHOD=GET cgi-fcgi -bind -connect 127.0.0.1:9000 | grep sum
}
await asked
""",
        '{"sum":42}',
        also=("libfcgi-bin",),
    ),
    PackageCase(
        "postfix",
        "deliver a mail to a local mailbox",
        _SHELL
        + r"""
postfix=$(readlink -f "$(command -v postfix)")
tree=${postfix%/usr/sbin/postfix}
grep -q ^postfix: /etc/passwd || echo 'postfix:x:106:106::/var/spool/postfix:/bin/false' >> /etc/passwd
grep -q ^postfix: /etc/group || printf 'postfix:x:106:\npostdrop:x:107:\n' >> /etc/group
nobody
mkdir -p /etc/postfix /var/spool/postfix /var/lib/postfix /var/mail
chmod 1777 /var/mail
chown postfix /var/lib/postfix
cp "$tree/usr/share/postfix/master.cf.dist" /etc/postfix/master.cf
cat > /etc/postfix/main.cf <<END
compatibility_level = 3.6
myhostname = localhost
mydestination = localhost
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
maillog_file = /dev/stdout
daemon_directory = $tree/usr/lib/postfix/sbin
command_directory = $tree/usr/sbin
shlib_directory = $tree/usr/lib/postfix
meta_directory = $tree/etc/postfix
sendmail_path = $tree/usr/sbin/sendmail
END
postconf -F '*/*/chroot = n'
postfix start-fg &
send() { printf 'Subject: news\n\na mail for you\n' | sendmail -f root user@localhost; }
await send
await grep 'a mail for you' /var/mail/user
""",
        "a mail for you",
    ),
    PackageCase(
        "nginx",
        "load a module, serve a page with its type",
        _SHELL
        + r"""
nginx=$(command -v nginx)
case $nginx in /bin/*) nginx=$(readlink /bin/nginx) ;; esac
tree=${nginx%/bin/nginx}
mkdir -p www /var/lib/nginx
echo '<p>a page</p>' > www/index.html
cat > nginx.conf <<END
load_module $tree/usr/lib/nginx/modules/ngx_http_echo_module.so;
pid /case/pid;
error_log stderr;
events {}
http {
  include $tree/etc/nginx/mime.types;
  access_log off;
  server {
    listen 127.0.0.1:8080;
    root /case/www;
    location /echo { echo "an echo"; }
  }
}
END
nginx -e stderr -p /case -c /case/nginx.conf -g 'daemon off; user root;' &
await wget -S -qO- http://127.0.0.1:8080/
grep 'Content-Type: text/html' answer
wget -qO- http://127.0.0.1:8080/echo
""",
        "an echo",
        debian=("nginx", "nginx-common", "libnginx-mod-http-echo"),
        quick=True,
    ),
    PackageCase(
        "haproxy",
        "pass a request on",
        _SHELL
        + r"""
mkdir www
echo 'behind a proxy' > www/index.html
httpd -f -p 127.0.0.1:8080 -h www &
cat > haproxy.cfg <<END
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend web
  bind 127.0.0.1:8081
  default_backend pages
backend pages
  server one 127.0.0.1:8080 check
END
haproxy -f haproxy.cfg &
await wget -qO- http://127.0.0.1:8081/
""",
        "behind a proxy",
    ),
    PackageCase(
        "caddy",
        "serve a page from a Caddyfile",
        _SHELL
        + r"""
mkdir www
echo 'a page of caddy' > www/index.html
cat > Caddyfile <<END
{
  admin off
}
http://127.0.0.1:8080 {
  root * /case/www
  file_server
}
END
caddy run --config Caddyfile &
await wget -qO- http://127.0.0.1:8080/
""",
        "a page of caddy",
    ),
    PackageCase(
        "mosquitto",
        "publish a retained message and receive it",
        _SHELL
        + r"""
cat > mosquitto.conf <<END
listener 1883 127.0.0.1
allow_anonymous true
user root
END
mosquitto -c mosquitto.conf &
await mosquitto_pub -h 127.0.0.1 -t news -r -m 'a message'
mosquitto_sub -h 127.0.0.1 -t news -C 1 -W 20
""",
        "a message",
        also=("mosquitto-clients",),
    ),
    PackageCase(
        "prometheus",
        "scrape itself and answer a query",
        _SHELL
        + r"""
cat > prometheus.yml <<END
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: self
    static_configs: [{targets: ["127.0.0.1:9090"]}]
END
prometheus --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address=127.0.0.1:9090 &
scraped() { wget -qO- 'http://127.0.0.1:9090/api/v1/query?query=up' | grep '"1"'; }
await scraped
wget -qO- http://127.0.0.1:9090/graph | grep -i '<title>'
""",
        '"job":"self"',
    ),
    PackageCase(
        "prometheus-node-exporter",
        "show the metrics of this computer",
        _SHELL
        + r"""
prometheus-node-exporter --web.listen-address=127.0.0.1:9100 &
metrics() { wget -qO- http://127.0.0.1:9100/metrics | grep '^node_memory_MemTotal_bytes'; }
await metrics
""",
        "node_memory_MemTotal_bytes",
    ),
    PackageCase(
        "bind9",
        "answer for a zone",
        _SHELL
        + r"""
cat > named.conf <<END
options { directory "/case"; pid-file none; session-keyfile none; listen-on port 5300 { 127.0.0.1; }; listen-on-v6 { none; }; };
controls {};
zone "example" { type primary; file "/case/example.zone"; };
END
cat > example.zone <<'END'
$TTL 60
@ IN SOA ns.example. admin.example. (1 60 60 60 60)
@ IN NS ns.example.
ns IN A 127.0.0.1
www IN A 192.0.2.7
END
named-checkzone example example.zone
named -g -c /case/named.conf &
asked() { dig +short +tries=1 +time=1 -p 5300 @127.0.0.1 www.example | grep 192.0.2.7; }
await asked
""",
        "192.0.2.7",
        also=("dnsutils",),
    ),
    PackageCase(
        "unbound",
        "answer from a local zone",
        _SHELL
        + r"""
cat > unbound.conf <<END
server:
  interface: 127.0.0.1@5300
  username: ""
  chroot: ""
  directory: "/case"
  pidfile: ""
  use-syslog: no
  do-ip6: no
  local-zone: "example." static
  local-data: "www.example. A 192.0.2.8"
remote-control:
  control-enable: no
END
unbound-checkconf unbound.conf
unbound -d -c /case/unbound.conf &
asked() { dig +short +tries=1 +time=1 -p 5300 @127.0.0.1 www.example | grep 192.0.2.8; }
await asked
""",
        "192.0.2.8",
        also=("dnsutils",),
    ),
    PackageCase(
        "varnish",
        "compile its configuration, answer from the cache",
        _SHELL
        + r"""
mkdir www
echo 'a cached page' > www/index.html
httpd -f -p 127.0.0.1:8080 -h www &
server=$!
await wget -qO- http://127.0.0.1:8080/
varnishd -F -n /case/v -a 127.0.0.1:6081 -b 127.0.0.1:8080 &
await wget -qO- http://127.0.0.1:6081/
kill $server
echo "again: $(wget -qO- http://127.0.0.1:6081/)"
""",
        "again: a cached page",
    ),
    PackageCase(
        "rabbitmq-server",
        "declare a queue, publish a message and get it",
        _SHELL
        + r"""
grep -q ^rabbitmq: /etc/passwd || echo rabbitmq:x:105:105::/var/lib/rabbitmq:/bin/sh >> /etc/passwd
grep -q ^rabbitmq: /etc/group || echo rabbitmq:x:105: >> /etc/group
mkdir -p /var/lib/rabbitmq /var/log/rabbitmq /etc/rabbitmq
cat > /etc/rabbitmq/rabbitmq.conf <<END
listeners.tcp.local = 127.0.0.1:5672
management.tcp.ip = 127.0.0.1
log.console = true
END
echo '[rabbitmq_management].' > /etc/rabbitmq/enabled_plugins
echo 'NODENAME=rabbit@localhost' > /etc/rabbitmq/rabbitmq-env.conf
chown -R rabbitmq:rabbitmq /var/lib/rabbitmq /var/log/rabbitmq /etc/rabbitmq
su rabbitmq -c 'export ERL_EPMD_ADDRESS=127.0.0.1 HOME=/var/lib/rabbitmq; exec rabbitmq-server' &
api() { curl -sSf -u guest:guest -H 'content-type: application/json' "http://127.0.0.1:15672/api/$@"; }
await api overview > /dev/null || { cat /var/log/rabbitmq/*; exit 1; }
api queues/%2f/news -X PUT -d '{}'
api exchanges/%2f/amq.default/publish -d '{"properties":{},"routing_key":"news","payload":"a message","payload_encoding":"string"}'
api queues/%2f/news/get -d '{"count":1,"ackmode":"ack_requeue_false","encoding":"auto"}'
rabbitmqctl list_queues
""",
        '"payload":"a message"',
        also=("curl",),
    ),
)
