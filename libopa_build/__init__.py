"""How libopa is built: which compilers, what is kept, what is said, and the licences of what is linked in.

hatch_build.py puts it together; it needs nothing but the standard library.
"""
