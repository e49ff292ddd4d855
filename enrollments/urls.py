from django.urls import include, path

urlpatterns = [path("", include("enrollments.urls_published"))]
