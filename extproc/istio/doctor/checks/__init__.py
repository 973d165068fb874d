"""The findings, a module for each part of the gateway; `table.CHECKS` is all of them."""
