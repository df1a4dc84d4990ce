"""The certificates that TLS clients trust."""

from package_cases import PackageCase

CASES: tuple[PackageCase, ...] = (
    PackageCase(
        "cacert",
        "OpenSSL, curl and Python trust the public certificates",
        "for folder in $(echo \"$PATH\" | tr : ' '); do\n"
        "  case $folder in\n"
        "    *ca-certificates*/bin) export SSL_CERT_FILE=${folder%/bin}/etc/ssl/certs/ca-bundle.crt ;;\n"
        "  esac\n"
        "done\n"
        "bundle=${SSL_CERT_FILE-/etc/ssl/certs/ca-certificates.crt}\n"
        # The first certificate of the bundle signs itself: it is right only for who trusts it.
        'openssl x509 -in "$bundle" -out first.pem\n'
        "openssl verify first.pem\n"
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 1 -subj /CN=localhost"
        " -addext subjectAltName=DNS:localhost\n"
        "if openssl verify cert.pem; then exit 1; fi\n"
        # curl says where its certificates come from, and refuses a server that none of them has signed.
        "openssl s_server -accept 8443 -cert cert.pem -key key.pem -www > server.log 2>&1 &\n"
        "for _ in $(seq 100); do grep -q ACCEPT server.log && break; sleep 0.1; done\n"
        "curl --silent --verbose https://localhost:8443/ 2> curl.log && exit 1\n"
        'grep "CAfile: $bundle" curl.log\n'
        "grep 'self-signed certificate' curl.log\n"
        "curl --silent --fail --cacert cert.pem https://localhost:8443/ | grep -c s_server\n"
        "kill $!\n"
        "python3 -c '\n"
        "import ssl\n"
        'trusted = ssl.create_default_context().cert_store_stats()["x509_ca"]\n'
        'print("many" if trusted > 100 else trusted, "trusted")\n'
        "'",
        "many trusted",
        also=("openssl", "curl", "python3"),
    ),
)
