#!/bin/sh
# Compares a generated table with the debug information of a build of that version, read by gdb: a
# second opinion that shares no header with the first (and knows the structures of .c files too).
#
#   tools/layouts/verify.sh INCLUDE_FOLDER LIBPYTHON_OR_PYTHON
#
# The file has to have been built with -g and not stripped. Prints each field that differs; its exit
# status is 1 then.
set -eu
if [ $# -ne 2 ] || [ ! -f "$1/Python.h" ]; then
	sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
	exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
include=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The probe's own expressions, expanded: "VERIFY_FIELD name = expression END".
${CC:-cc} -E -P -w -DVERIFY -I"$root/src" -I"$include" -I"$include/internal" "$here/probe.c" |
	{ tr "\n" " "; echo; } | sed 's/VERIFY_FIELD/\nVERIFY_FIELD/g' | sed -n 's/^VERIFY_FIELD \([a-z0-9_]*\) = \(.*\) END.*/\1 \2/p' >"$scratch/fields"
minor=$(sed -n 's/^#define PY_MINOR_VERSION[^0-9]*\([0-9]*\).*/\1/p' "$include/patchlevel.h")
table=$root/src/cpython/layout/generated/layout_3_$minor.h

# offsetof is no word of gdb; and the probe's names for types are not the interpreter's.
sed -e 's/__builtin_offsetof *(\([^,]*\),  *\([^()]*\))/\&((\1 *)0)->\2/' \
	-e 's/T_runtime/_PyRuntimeState/' -e 's/T_interp/PyInterpreterState/' -e 's/T_tstate/PyThreadState/' \
	-e 's/T_code/PyCodeObject/' -e 's/struct probe_dict_keys/struct _dictkeysobject/' \
	-e "s/T_frame/$([ "$minor" -le 10 ] && echo PyFrameObject || echo _PyInterpreterFrame)/" "$scratch/fields" |
	while read -r name expression; do
		case $expression in
		*_shift*) ;; # found by looking, not by offsetof
		*) printf 'printf "%s %%ld\\n", (long)(%s)\n' "$name" "$expression" ;;
		esac
	done >"$scratch/script"
# From stdin, since a script ends at its first error.
gdb -nx -q "$2" <"$scratch/script" 2>"$scratch/errors" | sed "s/^(gdb) //" |
	sed -n "s/^\([a-z][a-z_0-9]* -\{0,1\}[0-9]*\)\$/\1/p" | sort >"$scratch/debug"
sed -n 's/^	\.\([a-z0-9_]*\) = \(-\{0,1\}[0-9]*\),.*/\1 \2/p' "$table" | grep -v '_shift ' | sort >"$scratch/table"
cat "$scratch/errors" >&2
if diff "$scratch/table" "$scratch/debug"; then
	echo "3.$minor: all $(wc -l <"$scratch/table") fields are as the debug information of $2 has them"
else
	echo "3.$minor: < the table, > $2" >&2
	exit 1
fi
