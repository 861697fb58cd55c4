/* The machine that a measurement ran on, for its metadata. Linux. */
#ifndef SYSTEM_HOST_H
#define SYSTEM_HOST_H

#include <stdbool.h>
#include <stddef.h>

struct host {
	char kernel[132];   /* "Linux 6.12.3" */
	char machine[72];   /* "x86_64" */
	char processor[96]; /* "AMD EPYC 7B13", "" unknown */
	int cpus_online;
	int cpus_allowed;     /* of the calling thread, by affinity and cpuset */
	double cpu_quota;     /* of the control group, in CPUs; 0: none, or unknown */
	bool virtual_machine; /* the processor says that a hypervisor runs it */
	bool container;	      /* a container's mark was found; false is no proof */
	double load_1m;	      /* -1: unknown */
};

void host_read(struct host *ret_host); /* what can't be read stays unknown */
/* One line: "Linux 6.12.3 x86_64, AMD EPYC 7B13, 2 of 16 CPUs, virtual machine, load 0.41". */
void host_describe(const struct host *host, char *text, size_t size);

#endif
