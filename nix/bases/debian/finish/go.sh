# A program that uses C's libraries, such as net for names of hosts, is linked by Go itself. It gets its loader and the
# place of the C library from options of the linker; programs without C get neither.

for tools in "$out"/usr/lib/go-*/pkg/tool/*; do
  [ -f "$tools/link" ] || continue
  mkdir "$tools/real"
  mv "$tools/link" "$tools/real/"
  cat > "$tools/link" <<END
#!$busybox/bin/sh
exec "$tools/real/link" -I "$interpreter" -r "${interpreter%/*}" "\$@"
END
  chmod +x "$tools/link"
done

# Without a C compiler, programs are built without C, as Go does by itself since version 1.20.
rm bin/go
cat > bin/go <<END
#!$busybox/bin/sh
[ -n "\${CGO_ENABLED+set}\${CC+set}" ] || command -v gcc > /dev/null || export CGO_ENABLED=0
exec "$out/usr/bin/go" "\$@"
END
chmod +x bin/go
