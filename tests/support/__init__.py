"""What tests of several stages share. (The folders tests/kcc, tests/kir and tests/krun hold no ``__init__.py``: they would
hide the packages of the same names.)
"""
