/* The program: its commands, run by base/program. */
#include "base/program.h"
#include "commands/commands.h"

int main(int argc, char **argv)
{
	return program_main(&pyrometer_program, argc, argv);
}
