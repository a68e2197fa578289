"""What must survive a kill: ledger, lease, events, files, commands."""
