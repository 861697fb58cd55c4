/* Sections, symbols and the build id of a struct elf_file. libelf checks that a table lies in
 * the file; what the table says is checked here. */
#include <gelf.h>
#include <string.h>

#include "base/err.h"
#include "process/elf_file.h"

#define NOTE_CHUNKS_MAX 16

/* Calls `visit` for each section until it gives true. */
static bool each_section(const struct elf_file *file,
			 bool (*visit)(const struct elf_file *, Elf_Scn *, const GElf_Shdr *,
				       void *),
			 void *context)
{
	Elf_Scn *section = NULL;

	for (int i = 0; i < ELF_SECTIONS_MAX; i++) {
		GElf_Shdr header;

		section = elf_nextscn(file->elf, section);
		if (!section)
			return false;
		if (gelf_getshdr(section, &header) && visit(file, section, &header, context))
			return true;
	}
	return false;
}

struct section_search {
	const char *name;
	size_t names_index;
	struct elf_range found;
};

static bool section_matches(const struct elf_file *file, Elf_Scn *section, const GElf_Shdr *header,
			    void *context)
{
	struct section_search *search = context;

	(void)section;
	const char *name = elf_strptr(file->elf, search->names_index, header->sh_name);
	if (!name || strcmp(name, search->name) != 0)
		return false;
	if (header->sh_addr + header->sh_size < header->sh_addr)
		return false;
	search->found = (struct elf_range){header->sh_addr, header->sh_size};
	return true;
}

/* elf_strptr reads the whole string table: not one that claims gigabytes. */
static bool table_is_small(const struct elf_file *file, size_t section_index)
{
	GElf_Shdr header;
	Elf_Scn *section = elf_getscn(file->elf, section_index);

	return section && gelf_getshdr(section, &header) && header.sh_size <= ELF_TABLE_MAX;
}

int elf_file_section(const struct elf_file *file, const char *name, struct elf_range *ret_range,
		     struct err *err)
{
	struct section_search search = {.name = name};

	if (elf_getshdrstrndx(file->elf, &search.names_index) == 0 &&
	    table_is_small(file, search.names_index) &&
	    each_section(file, section_matches, &search)) {
		*ret_range = search.found;
		return 0;
	}
	return err_set(err, ERR_FILE, "%s has no section %s", file->opened_as, name);
}

/* A symbol table and its strings, wherever they come from. */
struct symbol_table {
	Elf_Data *symbols;
	const char *strings;
	size_t strings_size, count;
};

static bool symbol_search(const struct symbol_table *table, const char *name,
			  struct elf_symbol *ret_symbol)
{
	size_t name_size = strlen(name) + 1;

	for (size_t i = 1; i < table->count; i++) {
		GElf_Sym symbol;

		if (!gelf_getsym(table->symbols, (int)i, &symbol))
			return false;
		if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS ||
		    symbol.st_value == 0 || symbol.st_name >= table->strings_size ||
		    table->strings_size - symbol.st_name < name_size ||
		    memcmp(table->strings + symbol.st_name, name, name_size) != 0)
			continue;
		ret_symbol->address = symbol.st_value;
		ret_symbol->size = symbol.st_size;
		return true;
	}
	return false;
}

static bool table_of_section(const struct elf_file *file, Elf_Scn *section, const GElf_Shdr *header,
			     struct symbol_table *table)
{
	if (header->sh_size > ELF_TABLE_MAX || !table_is_small(file, header->sh_link))
		return false;
	Elf_Data *strings = elf_getdata(elf_getscn(file->elf, header->sh_link), NULL);
	table->symbols = elf_getdata(section, NULL);
	if (!strings || !strings->d_buf || !table->symbols || !table->symbols->d_buf ||
	    table->symbols->d_type != ELF_T_SYM)
		return false;
	table->strings = strings->d_buf;
	table->strings_size = strings->d_size;
	table->count = table->symbols->d_size / sizeof(Elf64_Sym);
	if (table->count > ELF_SYMBOLS_MAX)
		table->count = ELF_SYMBOLS_MAX;
	return true;
}

struct table_search {
	GElf_Word type;
	const char *name;
	struct elf_symbol *symbol;
	int tables_left; /* a file has one of each; a hostile one may link ten thousand */
};

static bool table_has_symbol(const struct elf_file *file, Elf_Scn *section, const GElf_Shdr *header,
			     void *context)
{
	struct table_search *search = context;
	struct symbol_table table;

	if (header->sh_type != search->type || search->tables_left == 0)
		return false;
	search->tables_left--;
	return table_of_section(file, section, header, &table) &&
	       symbol_search(&table, search->name, search->symbol);
}

static bool file_offset_of(const struct elf_file *file, uint64_t address, uint64_t *ret_offset,
			   uint64_t *ret_left)
{
	for (size_t i = 0; i < file->load_count; i++) {
		const struct elf_load *load = &file->loads[i];
		uint64_t inside = address - load->address;

		if (address < load->address || inside >= load->file_size)
			continue;
		uint64_t offset = load->offset + inside, left = load->file_size - inside;
		if (offset < load->offset || offset >= file->size)
			return false;
		*ret_offset = offset;
		*ret_left = left < file->size - offset ? left : file->size - offset;
		return true;
	}
	return false;
}

static Elf_Data *data_at(const struct elf_file *file, uint64_t address, uint64_t size_max,
			 Elf_Type type)
{
	uint64_t offset, left;

	if (!file_offset_of(file, address, &offset, &left))
		return NULL;
	if (left > size_max)
		left = size_max;
	if (left > ELF_TABLE_MAX)
		left = ELF_TABLE_MAX;
	if (type == ELF_T_SYM)
		left -= left % sizeof(Elf64_Sym);
	if (left == 0)
		return NULL;
	return elf_getdata_rawchunk(file->elf, (int64_t)offset, left, type);
}

struct dynamic_tables {
	uint64_t symbols, strings, strings_size, hash;
};

static bool read_dynamic(const struct elf_file *file, struct dynamic_tables *tables)
{
	uint64_t size = file->dynamic_size;

	if (size > 65536)
		size = 65536;
	size -= size % sizeof(Elf64_Dyn);
	if (size == 0)
		return false;
	Elf_Data *data =
	    elf_getdata_rawchunk(file->elf, (int64_t)file->dynamic_offset, size, ELF_T_DYN);
	for (size_t i = 0; data && i < size / sizeof(Elf64_Dyn); i++) {
		GElf_Dyn entry;

		if (!gelf_getdyn(data, (int)i, &entry) || entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_SYMTAB)
			tables->symbols = entry.d_un.d_ptr;
		else if (entry.d_tag == DT_STRTAB)
			tables->strings = entry.d_un.d_ptr;
		else if (entry.d_tag == DT_STRSZ)
			tables->strings_size = entry.d_un.d_val;
		else if (entry.d_tag == DT_HASH)
			tables->hash = entry.d_un.d_ptr;
	}
	return tables->symbols && tables->strings && tables->strings_size;
}

/* Without section headers nobody states how many symbols there are: DT_HASH's chain count
 * does; else the table ends where the strings begin (all linkers lay them out so), else with
 * its segment. A name is compared only inside the strings, so too many do no harm. */
static uint64_t dynamic_symbols_size(const struct elf_file *file,
				     const struct dynamic_tables *tables)
{
	Elf_Data *hash = tables->hash ? data_at(file, tables->hash, 8, ELF_T_WORD) : NULL;

	if (hash && hash->d_buf && hash->d_size == 8)
		return (uint64_t)((const uint32_t *)hash->d_buf)[1] * sizeof(Elf64_Sym);
	if (tables->strings > tables->symbols)
		return tables->strings - tables->symbols;
	return ELF_TABLE_MAX;
}

static bool symbol_by_dynamic(const struct elf_file *file, const char *name,
			      struct elf_symbol *ret_symbol)
{
	struct dynamic_tables tables = {0};

	if (!read_dynamic(file, &tables))
		return false;
	Elf_Data *strings = data_at(file, tables.strings, tables.strings_size, ELF_T_BYTE);
	Elf_Data *symbols =
	    data_at(file, tables.symbols, dynamic_symbols_size(file, &tables), ELF_T_SYM);
	if (!strings || !strings->d_buf || !symbols || !symbols->d_buf)
		return false;
	struct symbol_table table = {symbols, strings->d_buf, strings->d_size,
				     symbols->d_size / sizeof(Elf64_Sym)};
	if (table.count > ELF_SYMBOLS_MAX)
		table.count = ELF_SYMBOLS_MAX;
	return symbol_search(&table, name, ret_symbol);
}

int elf_file_symbol_from(const struct elf_file *file, enum elf_symbol_source source,
			 const char *name, struct elf_symbol *ret_symbol, struct err *err)
{
	struct elf_symbol symbol = {.source = source};
	struct table_search search = {
	    .type = source == ELF_SYMBOL_SYMTAB ? SHT_SYMTAB : SHT_DYNSYM,
	    .name = name,
	    .symbol = &symbol,
	    .tables_left = 4,
	};

	if (each_section(file, table_has_symbol, &search) ||
	    (source == ELF_SYMBOL_DYNSYM && symbol_by_dynamic(file, name, &symbol))) {
		*ret_symbol = symbol;
		return 0;
	}
	return err_set(err, ERR_FILE, "%s has no %ssymbol %s", file->opened_as,
		       source == ELF_SYMBOL_DYNSYM ? "dynamic " : "", name);
}

int elf_file_symbol(const struct elf_file *file, const char *name, struct elf_symbol *ret_symbol,
		    struct err *err)
{
	if (elf_file_symbol_from(file, ELF_SYMBOL_SYMTAB, name, ret_symbol, NULL) == 0)
		return 0;
	return elf_file_symbol_from(file, ELF_SYMBOL_DYNSYM, name, ret_symbol, err);
}

/* The notes of one chunk; true when the build id is among them. */
static bool notes_have_build_id(Elf_Data *data, uint8_t *id, size_t *ret_size)
{
	GElf_Nhdr header;
	size_t at = 0, name_at, bytes_at;

	while (at < data->d_size) {
		size_t next = gelf_getnote(data, at, &header, &name_at, &bytes_at);
		if (next <= at)
			return false;
		const uint8_t *bytes = data->d_buf;
		if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == 4 &&
		    !memcmp(bytes + name_at, "GNU", 4) && header.n_descsz > 0 &&
		    header.n_descsz <= ELF_BUILD_ID_MAX) {
			memcpy(id, bytes + bytes_at, header.n_descsz);
			*ret_size = header.n_descsz;
			return true;
		}
		at = next;
	}
	return false;
}

int elf_file_build_id(const struct elf_file *file, uint8_t ret_id[ELF_BUILD_ID_MAX],
		      size_t *ret_size, struct err *err)
{
	size_t count, tried = 0;

	if (elf_getphdrnum(file->elf, &count) != 0)
		count = 0;
	for (size_t i = 0; i < count && tried < NOTE_CHUNKS_MAX; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(file->elf, (int)i, &header) || header.p_type != PT_NOTE ||
		    header.p_filesz == 0 || header.p_filesz > 65536 ||
		    header.p_offset >= file->size || header.p_filesz > file->size - header.p_offset)
			continue;
		Elf_Data *data =
		    elf_getdata_rawchunk(file->elf, (int64_t)header.p_offset, header.p_filesz,
					 header.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
		if (data && data->d_buf && notes_have_build_id(data, ret_id, ret_size))
			return 0;
	}
	return err_set(err, ERR_FILE, "%s has no build id", file->opened_as);
}
