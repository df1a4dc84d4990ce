"""Databases."""

from package_cases import PackageCase

CASES = (
    PackageCase(
        "postgresql",
        "start a server, read a time zone by its name, sort by an ICU collation, dump",
        """
        initdb --pgdata=data --auth=trust --encoding=UTF8 --locale=C.UTF-8 > log
        pg_ctl --pgdata=data --wait --log=server.log --options="-k /tmp -h 127.0.0.1" start >> log
        sql() { psql --host=127.0.0.1 --dbname=postgres --no-psqlrc --tuples-only --no-align --command="$1"; }
        sql "create table words (word text); insert into words values ('Zebra'), ('apfel'), ('Ärger')"
        sql "select extract(hour from timestamptz '2024-07-01 12:00+00' at time zone 'Europe/Berlin')"
        sql "create collation german (provider = icu, locale = 'de-DE')"
        sql 'select string_agg(word, chr(44) order by word collate german) from words'
        pg_dump --host=127.0.0.1 --dbname=postgres --table=words --data-only | grep -c Zebra
        pg_ctl --pgdata=data --wait --mode=fast stop >> log
        """,
        "14\nCREATE COLLATION\napfel,Ärger,Zebra\n1\n",
        as_user=True,
        quick=True,
    ),
    PackageCase(
        "mariadb",
        "make a data directory, start a server, write and read a table",
        """
        mariadb-install-db --no-defaults --datadir="$PWD/data" --auth-root-authentication-method=normal > log 2>&1 || { cat log; exit 1; }
        mariadbd --no-defaults --datadir="$PWD/data" --socket=/tmp/m.sock --pid-file="$PWD/pid" --bind-address=127.0.0.1 > server.log 2>&1 &
        for attempt in $(seq 100); do mariadb-admin --no-defaults --socket=/tmp/m.sock --user=root ping > /dev/null 2>&1 && break; sleep 0.2; done
        mariadb --no-defaults --socket=/tmp/m.sock --user=root --execute="create database shop; create table shop.things (name varchar(20)); insert into shop.things values ('lamp'), ('chair')"
        mariadb --no-defaults --host=127.0.0.1 --user=root --skip-column-names shop --execute="select group_concat(name order by name) from things"
        mariadb-dump --no-defaults --socket=/tmp/m.sock --user=root shop things | grep -c "'lamp'"
        mariadb-admin --no-defaults --socket=/tmp/m.sock --user=root shutdown
        wait
        """,
        "chair,lamp\n1\n",
        as_user=True,
    ),
    PackageCase(
        "redis",
        "start a server, write a value, read it, run a script in it",
        """
        redis-server --port 6379 --bind 127.0.0.1 --daemonize yes --pidfile /tmp/pid --dir "$PWD" > log
        for attempt in $(seq 50); do redis-cli ping > /dev/null 2>&1 && break; sleep 0.1; done
        redis-cli set colour blue
        redis-cli eval "return redis.call('get', KEYS[1]) .. '!'" 1 colour
        redis-cli shutdown save
        test -s dump.rdb
        """,
        "blue!",
        quick=True,
    ),
    PackageCase(
        "sqlite",
        "write a table, read it from its file, search its full text",
        """
        sqlite3 shop.db "create virtual table notes using fts5(body); insert into notes values ('the quick fox'), ('a slow turtle');"
        sqlite3 -json shop.db "select body from notes where notes match 'turtle'"
        """,
        '[{"body":"a slow turtle"}]',
    ),
    PackageCase(
        "memcached",
        "start a server, write a value and read it",
        r"""
        memcached -l 127.0.0.1 -p 11211 -U 0 -u user &
        server=$!
        for attempt in $(seq 50); do nc 127.0.0.1 11211 < /dev/null 2> /dev/null && break; sleep 0.1; done
        printf 'set colour 0 0 4\r\nblue\r\nget colour\r\nquit\r\n' | nc 127.0.0.1 11211
        kill "$server"
        wait "$server" || :
        """,
        "STORED\nVALUE colour 0 4\nblue\n",
    ),
)
