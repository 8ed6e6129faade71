#!/bin/sh
# Opens pages in Chromium, light and dark, wide and narrow; fails where one is not there, asks for the network or
# writes to the console.
#
#   sh tests/check_pages.sh PAGE...     status 77 where there is no Chromium
set -u
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
  { echo "check_pages.sh: no Chromium here: skipped."; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
status=0
complain() {
  echo "check_pages.sh: $*" >&2
  status=1
}

for page in "$@"; do
  [ -s "$page" ] || { complain "$page: not there, or empty"; continue; }
  grep -nE '(src|href)="?(https?:)?//|url\((https?:)?//|@import|<script' "$page" && complain "$page: asks for the network or holds a script"
  folder=$(CDPATH= cd -- "$(dirname -- "$page")" && pwd)
  for look in "dark 1280" "light 1280" "dark 500" "light 500"; do
    scheme=1 shot=$scratch/shot.png
    [ "${look% *}" = dark ] && scheme=0
    rm -f "$shot"
    timeout 120 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$scratch/profile" --enable-logging=stderr \
      --blink-settings=preferredColorScheme=$scheme --window-size="${look#* },2000" --screenshot="$shot" \
      "file://$folder/$(basename "$page")" >"$scratch/log" 2>&1
    [ -s "$shot" ] || { cat "$scratch/log" >&2; complain "$page: Chromium drew nothing ($look)"; }
    grep CONSOLE "$scratch/log" >&2 && complain "$page: messages in the console ($look)"
  done
  [ "$status" = 0 ] && echo "$page: drawn without a message"
done
exit "$status"
