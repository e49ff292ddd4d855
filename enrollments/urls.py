from django.urls import include, path

from enrollments.api.views import ActivitiesView, ClockView

urlpatterns = [
    path("", include("enrollments.urls_published")),
    path("activities", ActivitiesView.as_view()),
    path("clock", ClockView.as_view()),
]
