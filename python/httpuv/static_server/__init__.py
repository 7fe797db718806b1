"""The features that ``python -m httpuv`` adds to a static path; each module is one feature.

:func:`httpuv.static_server.site.site` combines them to an application.
"""
