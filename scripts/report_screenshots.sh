#!/bin/bash
# Make the report of records and look at it in a real browser: screenshots for a desk and for a phone, light and
# dark; and fail where the page is wider than a screen.
#
# usage: scripts/report_screenshots.sh [FILE.jsonl ...]
#   default: bench/results/*.jsonl; page and pictures go to build/screenshots. Installs chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

case "${1-}" in
--help | -h)
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac
[ $# -gt 0 ] || set -- bench/results/*.jsonl
[ -x build/posemb ] || { echo "report_screenshots.sh: build/posemb is not there: scripts/run.sh builds it" >&2; exit 1; }
install_packages chromium fonts-dejavu-core

folder=$PWD/build/screenshots
mkdir -p "$folder"
build/posemb report "$@" --out "$folder/report.html" --svg "$folder/report.svg" --markdown="$folder/report.md"
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT

# browse OPTION...: the page is in a frame of the width wanted, since windows cannot be so narrow.
browse() {
    chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --allow-file-access-from-files \
        --user-data-dir="$profile" "$@" "file://$folder/frame.html" 2>"$profile/log" ||
        { cat "$profile/log" >&2; exit 1; }
}

# frame SOURCE WIDTH HEIGHT: and a script that says how wide and high the page in it is, and what sticks out.
frame() {
    cat >"$folder/frame.html" <<PAGE
<!DOCTYPE html><body style="margin:0"><iframe id="page" src="$1" width="$2" height="$3"
style="border:0;display:block"></iframe><p id="measured">none</p><script>
onload = () => {
    const page = document.getElementById("page").contentDocument, root = page.documentElement;
    const out = [...page.querySelectorAll("body *")].filter(e => !e.closest(".scroll, svg, details:not([open])") &&
        e.getBoundingClientRect().right > root.clientWidth + 0.5);
    document.getElementById("measured").textContent =
        [root.clientWidth, root.scrollWidth, root.scrollHeight, page.scripts.length, out.length,
         out.length ? out[0].outerHTML.slice(0, 80) : ""].join("|");
};
</script></body>
PAGE
}

# measure WIDTH: sets height; counts a page that is too wide.
failed=0
measure() {
    local width scroll scripts out first
    frame report.html "$1" 800
    IFS='|' read -r width scroll height scripts out first \
        < <(browse --dump-dom | sed -n 's/.*id="measured">\([^<]*\).*/\1/p')
    echo "$1 px: the page is $scroll px wide and $height px high, $out elements stick out"
    if [ "$width" != "$1" ] || [ "$scroll" -gt "$width" ] || [ "$out" -ne 0 ] || [ "$scripts" -ne 0 ]; then
        echo "FAILED at $1 px: width $width, scripts $scripts, $first" >&2
        failed=1
    fi
}

# shot SOURCE NAME WIDTH HEIGHT: light and dark; a window has 500 px or more.
shot() {
    local window=$(($3 < 500 ? 500 : $3)) height=$(($4 < 16000 ? $4 : 16000))
    frame "$1" "$3" "$height"
    browse --window-size="$window,$height" --screenshot="$folder/$2-light.png"
    browse --window-size="$window,$height" --screenshot="$folder/$2-dark.png" \
        --blink-settings=preferredColorScheme=0
}

for width in 320 360 768; do
    measure "$width"
done
for width in 400 1280; do
    measure "$width"
    shot report.html "$width" "$width" "$height"
done
shot report.svg picture 800 700
rm -f "$folder/frame.html"
ls "$folder"
exit "$failed"
