"""One module a provider file: `conf/provider/NAME.yaml` is put under contract by `kits/NAME.py`.

The module has a tuple `KITS`: one kit, or several where the file's options change the wire.
"""
