"""The project's images: what they are made of, how they are built without a Docker engine, and where they went.

`hack/images` is the only caller. Like `hack/clusters`, whose reports and package installation it shares, it uses the
standard library alone, so that it works before anything is installed.
"""
