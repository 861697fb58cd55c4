#!/bin/sh
# Prints the fuzz targets (tests/fuzz/fuzz_*.c) that can be linked from the layers given:
# those of which every included header lies in one of them. Run from the repository root.
for file in $(find tests/fuzz -name 'fuzz_*.c' | sort); do
	fits=yes
	for layer in $(sed -n 's|^[[:space:]]*#[[:space:]]*include "\([^/"]*\)/.*|\1|p' "$file" | sort -u); do
		case " $* " in
		*" $layer "*) ;;
		*) fits=no ;;
		esac
	done
	[ "$fits" = no ] || echo "$file"
done
