"""The language server: what ``kcc`` knows, while the configuration is being written.

``context`` says where the cursor is (it reads text that is not finished yet), ``hover``, ``completion`` and ``definition`` answer
from there, ``project`` compiles what the open files belong to. None of them knows the protocol; ``server`` and
``features`` do, and only they need pygls.
"""
