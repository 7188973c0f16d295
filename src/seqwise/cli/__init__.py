"""The command line: `seqwise VERB WORDS FLAGS`. A door to the verbs; it has no logic for any of them.

    commands   a verb's signature and docstring as a cyclopts command: help, parsing, completion
    failures   every way to fail as one line and an exit code
    main       choose the verb, import it alone, call it, print what it returns

Exit codes:

    0     done
    1     broken on our side: a defect of Seqwise, or `seqwise doctor` found a required part missing
    2     something given cannot be used: a command, a flag, a setting, a file, a full disk
    130   interrupted (control-C)
    141   whoever read the output has gone, as in `seqwise predict ... | head`
"""

from seqwise.cli.main import main

__all__ = ["main"]
