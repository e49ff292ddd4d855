from django.urls import path

from targets.api.customers import CustomerView

urlpatterns = [
    path("customers/<str:customer_id>", CustomerView.as_view()),
]
