"""Documents of TeX."""

from package_cases import PackageCase

CASES: tuple[PackageCase, ...] = (
    PackageCase(
        "texlive",
        "LaTeX to PDF: a section, mathematics and a table",
        "cat > page.tex <<'END'\n"
        "\\documentclass{article}\n"
        "\\usepackage[T1]{fontenc}\n"
        "\\usepackage{amsmath,lmodern}\n"
        "\\begin{document}\n"
        "\\section{Prices}\n"
        "Bread costs \\(\\frac{\\alpha^2}{\\sqrt{x}}\\) coins.\n"
        "\\begin{align} \\sum_{i=1}^n i &= \\frac{n(n+1)}{2} \\end{align}\n"
        "\\begin{tabular}{|l|r|} \\hline Bread & 17 \\\\ \\hline Cheese & 42 \\\\ \\hline \\end{tabular}\n"
        "\\end{document}\n"
        "END\n"
        "pdflatex -interaction=nonstopmode -halt-on-error page.tex\n"
        'test "$(head -c 5 page.pdf)" = %PDF-\n'
        # Lua's engines make their format at the first call.
        "lualatex -interaction=nonstopmode -halt-on-error -jobname=lua page.tex\n"
        "for page in page.pdf lua.pdf; do\n"
        "  gs -q -dBATCH -dNOPAUSE -sDEVICE=txtwrite -sOutputFile=$page.txt $page\n"
        "  grep Cheese $page.txt | grep 42\n"
        "  grep -c Prices $page.txt\n"
        "done\n"
        "cat lua.pdf.txt",
        "Cheese",
        also=("ghostscript",),
    ),
)
