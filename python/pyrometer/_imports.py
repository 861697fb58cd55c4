"""The probe of `pyrometer imports`: runs a program in its own interpreter and writes down what it
imports. Built into the program as text; not part of the package's interface."""
