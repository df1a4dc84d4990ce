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
