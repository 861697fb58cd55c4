#!/bin/sh
# Part of `meson install`: man pages and completions, printed by the program itself.
# Arguments: the program, mandir and datadir below the prefix.
set -eu
program=$1
case "$program" in
/*) ;;
*) program=$MESON_BUILD_ROOT/$program ;;
esac
prefix=${MESON_INSTALL_DESTDIR_PREFIX:?runs as part of meson install}
man1=$prefix/$2/man1
data=$prefix/$3

# put FILE ARGS…: what `pyrometer ARGS` prints, or a line that says that it printed nothing.
put() {
	file=$1
	shift
	mkdir -p "$(dirname "$file")"
	if "$program" "$@" >"$file.new" 2>/dev/null && [ -s "$file.new" ]; then
		mv "$file.new" "$file"
		echo "Installing $file"
	else
		rm -f "$file.new"
		echo "Not installed: $file (this program has no \`pyrometer $*\`)"
	fi
}

put "$man1/pyrometer.1" man
for file in "$MESON_SOURCE_ROOT"/src/commands/cmd_*.c; do
	[ -e "$file" ] || continue
	command=$(basename "$file" .c)
	put "$man1/pyrometer-${command#cmd_}.1" man "${command#cmd_}"
done
put "$data/bash-completion/completions/pyrometer" completions bash
put "$data/zsh/site-functions/_pyrometer" completions zsh
put "$data/fish/vendor_completions.d/pyrometer.fish" completions fish
