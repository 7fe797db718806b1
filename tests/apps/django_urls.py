"""The URLs of the Django project of the tests."""

from typing import Any

import httpuv
from django.contrib import admin
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


def echo(request: Any) -> JsonResponse:
    return JsonResponse({"a": request.GET["a"], "path": request.path})


@csrf_exempt
def size(request: Any) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


def stream(request: Any) -> StreamingHttpResponse:
    return StreamingHttpResponse(str(number) for number in range(100))


def file(request: Any) -> FileResponse:
    from pathlib import Path

    return FileResponse(Path(__file__).with_name("test_django.py").open("rb"))


news = httpuv.EventStream(topics=["news"])


def events(request: Any) -> HttpResponse:
    return HttpResponse(headers=news.headers)


urlpatterns = [
    path("events", events),
    path("admin/", admin.site.urls),
    path("echo", echo),
    path("size", size),
    path("stream", stream),
    path("file", file),
]
