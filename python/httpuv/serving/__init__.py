"""What ``python -m httpuv`` adds to a static path: each module is one feature, without its flags.

:func:`httpuv.serving.site.site` puts them together to an application.
"""
