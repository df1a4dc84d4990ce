"""Small tools, editors, transfer and backup."""

from package_cases import PackageCase

CASES = (
    # Debian's packages need not declare that they need bash
    PackageCase(
        "fzf",
        "filter lines; its script of bash names its options",
        """
        fzf-tmux --help 2>&1 | grep 'Split below'
        printf 'one\\ntwo\\nthree\\n' | fzf --filter hre
        """,
        "three",
    ),
    PackageCase(
        "jq",
        "filter a document",
        'echo \'{"a": [1, 2, {"b": "found"}]}\' | jq -r \'.a[2].b\'',
        "found",
        quick=True,
    ),
    PackageCase(
        "git",
        "commit, clone over the file system and over HTTP, branch and merge",
        """
        export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@localhost GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@localhost
        git init --quiet --initial-branch=main one
        cd one
        echo first > file
        git add file
        git commit --quiet --message="the first"
        git checkout --quiet -b side
        echo second > other
        git add other
        git commit --quiet --message="the second"
        git checkout --quiet main
        git merge --quiet --no-ff --message="joined" side
        cd ..
        git clone --quiet --bare one www.git
        git -C www.git update-server-info
        httpd -p 127.0.0.1:8080 -h "$PWD"
        git clone --quiet http://127.0.0.1:8080/www.git two
        git -C two log --topo-order --format=%s
        cat two/file two/other
        git -c protocol.file.allow=always -C two submodule --quiet add "$PWD/one" part
        cat two/part/file
        git -C two fsck
        """,
        "joined\nthe second\nthe first\nfirst\nsecond\nfirst\n",
        quick=True,
    ),
    PackageCase(
        "curl",
        "fetch a page over HTTP, and one over HTTPS whose certificate it checks",
        """
        mkdir site
        echo "a page" > site/index.html
        httpd -p 127.0.0.1:8080 -h site
        curl --silent --show-error --fail http://127.0.0.1:8080/index.html
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout key.pem -out cert.pem \\
          -subj /CN=localhost -addext subjectAltName=DNS:localhost 2> /dev/null
        (cd site && openssl s_server -quiet -accept 127.0.0.1:8443 -cert ../cert.pem -key ../key.pem -WWW) &
        for attempt in $(seq 50); do nc 127.0.0.1 8443 < /dev/null > /dev/null 2>&1 && break; sleep 0.1; done
        curl --silent --fail https://localhost:8443/index.html || echo refused
        curl --silent --show-error --fail --cacert cert.pem https://localhost:8443/index.html
        """,
        "a page\nrefused\na page\n",
        also=("openssl",),
    ),
    PackageCase(
        "rsync",
        "copy a tree to a server of its own protocol, then only what changed",
        """
        mkdir -p source/deep target
        echo one > source/deep/one
        printf '[files]\\npath = %s/target\\nread only = no\\nuse chroot = no\\nuid = 0\\ngid = 0\\n' "$PWD" > rsyncd.conf
        rsync --daemon --config=rsyncd.conf --port=8730 --address=127.0.0.1
        for attempt in $(seq 50); do nc 127.0.0.1 8730 < /dev/null > /dev/null 2>&1 && break; sleep 0.1; done
        rsync --archive --itemize-changes source/ rsync://127.0.0.1:8730/files/
        echo two > source/two
        rsync --archive --checksum --compress --itemize-changes source/ rsync://127.0.0.1:8730/files/ | grep '^<f'
        cat target/deep/one target/two
        """,
        "<f+++++++++ two\none\ntwo\n",
    ),
    PackageCase(
        "borgbackup",
        "make an encrypted backup, check it, restore it",
        """
        export BORG_PASSPHRASE=secret BORG_BASE_DIR=$PWD
        mkdir data
        echo precious > data/file
        borg init --encryption=repokey repository
        borg create --compression zstd repository::first data
        borg check --verify-data repository
        rm -r data
        borg extract repository::first
        cat data/file
        """,
        "precious\n",
    ),
    PackageCase(
        "tmux",
        "run a command in a session that stays, read its screen",
        """
        tmux -S socket new-session -d -x 80 -y 24 'echo "gr\\303\\274n"; sleep 60'
        for attempt in $(seq 50); do tmux -S socket capture-pane -p | grep -q gr && break; sleep 0.1; done
        tmux -S socket -u capture-pane -p | head -n 1
        tmux -S socket split-window
        tmux -S socket list-panes | wc -l
        tmux -S socket kill-server
        """,
        "\n2\n",
    ),
    PackageCase(
        "vim",
        "edit a file by a script",
        """
        printf 'one\\ntwo\\nthree\\n' > file
        vim -es -c '%s/two/zwei/' -c 'g/one/d' -c 'wq' file
        cat file
        """,
        "zwei\nthree\n",
    ),
    PackageCase(
        "openssh",
        "make keys, start a server, run a command and copy a file through it",
        """
        ssh-keygen -q -t ed25519 -N '' -f host
        ssh-keygen -q -t ed25519 -N '' -f own
        mkdir -p .ssh /run/sshd
        chmod 700 . .ssh /run/sshd
        cp own.pub .ssh/authorized_keys
        grep -q '^sshd:' /etc/passwd || echo 'sshd:x:74:74::/run/sshd:/bin/false' >> /etc/passwd
        {
          echo "Port 2222"
          echo "ListenAddress 127.0.0.1"
          echo "HostKey $PWD/host"
          echo "PidFile none"
          echo "AuthorizedKeysFile $PWD/.ssh/authorized_keys"
          echo "Subsystem sftp internal-sftp"
        } > sshd_config
        "$(command -v sshd)" -f sshd_config -E server.log
        for attempt in $(seq 50); do nc 127.0.0.1 2222 < /dev/null > /dev/null 2>&1 && break; sleep 0.1; done
        options="-F none -i own -o UserKnownHostsFile=known -o StrictHostKeyChecking=accept-new"
        ssh $options -p 2222 root@127.0.0.1 'echo "over $SSH_CONNECTION"' || { cat server.log; exit 1; }
        echo content > file
        scp -q $options -P 2222 file "root@127.0.0.1:$PWD/copy"
        cat copy
        """,
        "127.0.0.1 2222\ncontent\n",
    ),
)
