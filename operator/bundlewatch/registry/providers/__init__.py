"""Logins to a cloud's registry by the identity that the cloud gives the operator, without its SDK.

`identities.Identities` is the entrance: it knows whose host is whose, keeps logins for a part of their life and
gets each once for all who wait. One file a cloud, each a handful of HTTP calls; `base` is what they have in common.
"""
