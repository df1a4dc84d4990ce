"""Documents, pictures and films."""

from package_cases import PackageCase

CASES: tuple[PackageCase, ...] = (
    PackageCase(
        "ffmpeg",
        "make a film of a test picture and read its codec",
        "ffmpeg -loglevel error -f lavfi -i testsrc=duration=1:size=160x120:rate=10"
        " -c:v libx264 -pix_fmt yuv420p film.mp4\n"
        "ffprobe -loglevel error -show_entries stream=codec_name,nb_frames -of csv film.mp4",
        "stream,h264,10",
    ),
    PackageCase(
        "ghostscript",
        "PostScript to PDF, and its text to a picture",
        "printf '%%!PS\\n/Helvetica findfont 40 scalefont setfont 72 72 moveto (Hello) show showpage\\n' > page.ps\n"
        "gs -q -dBATCH -dNOPAUSE -sDEVICE=pdfwrite -sOutputFile=page.pdf page.ps\n"
        "head -c 5 page.pdf; echo\n"
        "gs -q -dBATCH -dNOPAUSE -sDEVICE=txtwrite -sOutputFile=- page.pdf\n"
        "gs -q -dBATCH -dNOPAUSE -r50 -sDEVICE=png16m -sOutputFile=page.png page.pdf\n"
        'test "$(head -c 4 page.png | tail -c 3)" = PNG',
        "Hello",
        quick=True,
    ),
    PackageCase(
        "graphviz",
        "draw a graph with labels as SVG and PNG",
        'echo \'digraph { a [label="first"]; b [label="second"]; a -> b }\' > graph.dot\n'
        "dot -Tpng graph.dot > graph.png\n"
        'test "$(head -c 4 graph.png | tail -c 3)" = PNG\n'
        "dot -Tsvg graph.dot",
        "second</text>",
        also=("fonts-dejavu-core",),
    ),
    PackageCase(
        "imagemagick",
        "write text with a font, and convert PNG to JPEG",
        "convert -size 200x60 xc:white -font DejaVu-Sans -pointsize 24 -fill black -draw 'text 10,40 \"Hello\"' text.png\n"
        "convert text.png text.jpg\n"
        "identify text.jpg\n"
        # something black is on the white
        "convert text.png -format 'darkest %[fx:minima]' info:",
        "darkest 0",
        also=("fonts-dejavu-core",),
    ),
    PackageCase(
        "pandoc",
        "Markdown to HTML and to a Word document",
        "printf '# Title\\n\\nSome *text*.\\n' > page.md\n"
        "pandoc -s page.md -o page.docx\n"
        "unzip -p page.docx word/document.xml | grep -o Title\n"
        "pandoc page.md -t html",
        "<em>text</em>",
    ),
    PackageCase(
        "locales-all",
        "write a number as Germans do, and an hour as in Tokyo",
        # An image has both where programs look; elsewhere two variables say where.
        "for folder in $(echo \"$PATH\" | tr : ' '); do\n"
        "  case $folder in\n"
        "    *locales-all*/bin) export LOCPATH=${folder%/bin}/usr/lib/locale ;;\n"
        "    *tzdata*/bin) export PYTHONTZPATH=${folder%/bin}/usr/share/zoneinfo ;;\n"
        "  esac\n"
        "done\n"
        "python3 -c '\n"
        "import datetime, locale, zoneinfo\n"
        'locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")\n'
        'noon = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC).astimezone(zoneinfo.ZoneInfo("Asia/Tokyo"))\n'
        'print(locale.format_string("%.1f", noon.hour + 0.5))\n'
        "'",
        "21,5",
        also=("tzdata", "python3"),
    ),
)
