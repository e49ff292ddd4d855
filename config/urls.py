from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView, TemplateView
from drf_spectacular.views import SpectacularSwaggerSplitView

from config.schema import schema
from config.tokens import PublishedTokenView, TokenView

# /healthz and /readyz are answered by config.health.ProbeMiddleware; unknown paths by config.middleware.
urlpatterns = [
    path("v3/", include("enrollments.urls")),  # first what is called most: they are tried one after the other
    path("", TemplateView.as_view(template_name="landing.html"), name="landing"),
    path(settings.ADMIN_PATH, RedirectView.as_view(pattern_name="admin:index")),
    path(f"{settings.ADMIN_PATH}/", admin.site.urls),
    path("docs/", RedirectView.as_view(pattern_name="docs")),
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="schema", template_name="docs.html"), name="docs"),
    path("v3/schema", schema, name="schema"),
    path("oauth/token", TokenView.as_view()),
    path("v3/oauth/token/generate", PublishedTokenView.as_view()),
    path("v3/", include("targets.urls")),
    path("v3/", include("rewards.urls")),
    path("", include("rewards.urls_published")),
    path("", include("enrollments.urls_published")),
]
