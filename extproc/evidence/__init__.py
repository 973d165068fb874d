"""Evidence: keys and signing, the write-ahead log of receipts, cursors of what was shipped, verification."""
