"""What ``python -m httpuv`` adds to a static path: each module is one feature, without its flags.

:func:`httpuv.static_server.site.site` puts them together to an application.
"""
