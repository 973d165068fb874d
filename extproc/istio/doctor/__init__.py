"""What a running gateway will break or leave open, read from its config dump: one small check for each finding.

`node` and `reading` turn the dump into places and typed messages, `view` says what belongs together, `checks` holds the
table of findings, `examine` runs it.  `sources` fetches a dump, `probe` asks the gateway itself.  Nothing of the dump
but names, numbers, flags and enumeration values is ever part of a finding: dumps hold secrets.
"""
