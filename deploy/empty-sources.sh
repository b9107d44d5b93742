#!/bin/sh
# Sources without content, so that an image can build all dependencies before it has the real ones.
# Run where Cargo.toml is: make them, remove them again, or tell cargo that the real ones are newer.
set -eu

libraries='workflow/src/lib.rs queue/src/lib.rs web/src/lib.rs src/lib.rs'
# Cargo wants every target that a manifest names by its path.
programs='src/main.rs queue/build.rs web/build.rs build.rs'
programs="$programs $(sed -n 's/^path = "\(.*\.rs\)"$/\1/p' Cargo.toml workflow/Cargo.toml queue/Cargo.toml web/Cargo.toml | sort -u | tr '\n' ' ')"

case ${1:-} in
    make)
        for file in $libraries; do
            mkdir -p "$(dirname "$file")"
            : >"$file"
        done
        for file in $programs; do
            mkdir -p "$(dirname "$file")"
            echo 'fn main() {}' >"$file"
        done
        ;;
    remove)
        # The directories stay; nothing in them does.
        for file in $libraries $programs; do
            rm -f "$file"
        done
        ;;
    outdate)
        # Files that were copied may be older than what was built of the empty ones.
        for file in $libraries $programs; do
            [ ! -e "$file" ] || touch "$file"
        done
        ;;
    *)
        echo 'usage: empty-sources.sh make|remove|outdate' >&2
        exit 2
        ;;
esac
